"""The ledger has two witnesses, and believes either."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from youtility_tasks.verify.entries import Kind
from youtility_tasks.verify.ground import Ground
from youtility_tasks.verify.ledger import Ledger


@pytest.fixture
def ledger(servers: Ground) -> Iterator[Ledger]:
    place = servers.new_run("ledger")
    made = Ledger(place.ledger, place.folder)
    made.prepare()
    yield made
    made.close()


def file_of(ledger: Ledger) -> Path:
    return ledger.folder / f"ledger-{os.getpid()}.jsonl"


def test_an_entry_that_both_witnesses_saw_counts_once(ledger: Ledger) -> None:
    ledger.write(Kind.BEGIN, key="instant-1", job_id=4, claim=2, tenant=3)

    (entry,) = ledger.read()

    assert (entry.kind, entry.key, entry.job_id, entry.claim) == (Kind.BEGIN, "instant-1", 4, 2)
    assert (entry.pid, entry.data) == (os.getpid(), {"tenant": 3})


def test_either_witness_is_enough(ledger: Ledger) -> None:
    ledger.write(Kind.INTENT, key="only in the table")
    file_of(ledger).unlink()
    ledger.write(Kind.INTENT, key="only in the file")
    with psycopg.connect(ledger.address, autocommit=True) as connection:
        connection.execute("DELETE FROM entry WHERE key = 'only in the file'")

    assert [entry.key for entry in ledger.read()] == ["only in the table", "only in the file"]


def test_a_line_that_its_writer_did_not_live_to_finish_is_no_entry(ledger: Ledger) -> None:
    ledger.write(Kind.INTENT, key="whole")
    with file_of(ledger).open("a") as file:
        file.write(json.dumps({"id": "half", "kind": "intent"})[:-3])

    assert [entry.key for entry in ledger.read()] == ["whole"]


def test_it_knows_what_runs_now(ledger: Ledger) -> None:
    for key in ("instant-1", "instant-2"):
        ledger.write(Kind.BEGIN, key=key)
    ledger.write(Kind.END, key="instant-1", outcome="ok")

    assert ledger.running() == [(os.getpid(), "instant-2")]
