"""The files that the company has when the day begins, with their ages by the played clock (catalog.md 5.6, 5.7)."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from task_catalog.company_day.counting.devices import count_outside
from task_catalog.company_day.ears import Heard
from task_catalog.company_day.seed import seed_company
from task_catalog.company_day.yard import Yard

MONDAY = date(2025, 3, 3)
MIDNIGHT = datetime(2025, 3, 3, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return seed_company(MONDAY)


@pytest.fixture
def yard(company, tmp_path):
    yard = Yard(tmp_path)
    yard.fill(company, MONDAY)
    return yard


def is_old(path):
    return path.stat().st_mtime < (MIDNIGHT - timedelta(days=60)).timestamp()


def test_three_hundred_files_of_which_two_hundred_are_old_and_fill_fifteen_folders(yard):
    files = yard.media_left()

    assert len(files) == 300
    assert sum(is_old(path) for path in files) == 200
    ages = {}
    for path in files:
        ages.setdefault(path.parent, set()).add(is_old(path))
    assert Counter(map(frozenset, ages.values())) == {
        frozenset({True}): 15,
        frozenset({True, False}): 20,
        frozenset({False}): 5,
    }


def test_media_lie_below_both_roots_and_below_their_client(company, yard):
    places = {path.relative_to(yard.media).parts[:2] for path in yard.media_left()}

    assert places == {
        (root, str(rows.id)) for root in ("transaction", "transactions") for rows in company.clients.values()
    }


def test_everybody_has_a_photo(company, yard):
    people = [person for rows in company.clients.values() for person in rows.workers]

    assert all((yard.media / person.peopleimg).is_file() for person in people)
    assert len({person.peopleimg for person in people}) == len(people)


def test_twenty_report_files_are_two_days_old(yard):
    files = [path for path in yard.asked_reports.rglob("*") if path.is_file()]

    assert len(files) == 20
    assert {path.stat().st_mtime for path in files} == {(MIDNIGHT - timedelta(days=2)).timestamp()}


def test_blobs_that_were_changed_on_the_way_are_not_counted(company, yard):
    old = [path for path in yard.media_left() if is_old(path)]
    for path in old[:3]:
        blob = yard.bucket / path.relative_to(yard.media)
        blob.parent.mkdir(parents=True, exist_ok=True)
        os.rename(path, blob)
    blob.write_bytes(blob.read_bytes()[:-3])

    found = count_outside(company, [], yard)

    assert found["old media"] == {"moved": 3, "folders removed": 0, "left": 297}
    assert found["blobs in the bucket"] == 2


def test_a_message_that_arrives_again_counts_once(company, yard):
    told = [
        Heard("noc", {"operation": "UPDATE", "message_id": "1", "client_id": company.clients["A"].id}),
        Heard("noc", {"operation": "UPDATE", "message_id": "1", "client_id": company.clients["A"].id}),
        Heard("noc", {"operation": "MISMATCH", "message_id": "2", "client_id": company.clients["B"].id}),
    ]

    found = count_outside(company, told, yard)

    assert found["messages to the control room"] == {"asset changes": 1, "mismatches": 1, "all": 2}
    assert found["messages to the control room by client"] == {"A": 1, "B": 1, "C": 0, "all": 2}
