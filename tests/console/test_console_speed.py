"""Every page of the console beside more than a little: few statements, and none for which a large table has no index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.benchmarks import console_speed
from tests.benchmarks.console_ground import Size, fill
from tests.benchmarks.console_speed import MOST_A_SECOND, MOST_STATEMENTS, Company, company
from tests.tenancy.ground import House
from youtility_tasks.console.table import PAGES
from youtility_tasks.tenancy import apply

pytestmark = pytest.mark.usefixtures("django_db_setup")
SIZE = Size.of(20_000, 5_000, 20, days=2)
OF_TENANTS = ("api/jobs/WAITING/", "jobs/?q=error:ValueError")
"""What asks more of a tenant's person than of an operator."""


@pytest.fixture(scope="module")
def busy(cluster: Any, template: str, django_db_setup: None, django_db_blocker: Any) -> Iterator[Company]:
    """People of a company with 20,000 attempts and 5,000 jobs, under separate roles."""
    house = House(cluster, cluster.copy(template))
    with django_db_blocker.unblock():
        with house.settled():
            apply.make_true()
            fill(house, SIZE)
        with company(house, SIZE) as found:
            yield found
    house.pull_down()


def test_every_page_is_asked_for(busy: Company) -> None:
    assert {each.name for each in PAGES} <= {each.page for each in busy.asked}


def test_pages_send_few_statements_and_each_finds_what_it_reads_by_index(busy: Company) -> None:
    """With sequential scans forbidden the planner takes one only where there is no other way."""
    seen: dict[tuple[str, str], int] = {}
    asked = []
    for who, each in busy.everything():
        seen[who, each.page] = seen.get((who, each.page), 0) + 1
        if who == "ops" or (who == "big" and (seen[who, each.page] == 1 or each.path in OF_TENANTS)):
            asked.append((who, each))

    busy.get("ops", "")  # the first look is entered in the audit log
    found = busy.plans(asked, enable_seqscan="off")

    assert {name: told.status for name, told in found.items() if told.status != 200} == {}
    assert {name: told.statements for name, told in found.items() if len(told.statements) > MOST_STATEMENTS} == {}
    assert {name: told.read_whole for name, told in found.items() if told.read_whole} == {}


def test_what_a_page_asks_for_by_itself_is_a_statement_every_two_seconds_in_all(busy: Company) -> None:
    seen, over = set(), {}
    for who, each in busy.everything():
        if "?" in each.path or each.path in ("PULSE", "STATES") or (who, each.page) in seen:
            continue
        seen.add((who, each.page))
        parts = busy.live(who, each.path)
        if sum(count / every for every, count in parts.values()) > MOST_A_SECOND:
            over[who, each.path] = parts

    assert over == {}


def test_a_scan_of_a_large_table_is_seen(busy: Company) -> None:
    with (
        busy.watch.on(),
        console_speed.explained(
            busy.house, enable_indexscan="off", enable_bitmapscan="off", enable_indexonlyscan="off"
        ),
    ):
        from django.db import connection

        connection.close()
        busy.watch.plans.clear()
        busy.get("big", "jobs/?status=failed")
        connection.close()

    assert any("procrastinate_jobs" in console_speed.read_whole(plan) for plan in busy.watch.plans)
