"""What a face check costs and which database it asks (D40)."""

from __future__ import annotations

from datetime import time

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from tests.catalog.outside.punches import (
    GOOD,
    check,
    fenced,
    photo,
    punch,
    punch_out,
    shift_at,
)

pytestmark = pytest.mark.usefixtures("labelled")


def test_d47_statements_do_not_grow_with_photos_shifts_and_fences(in_acme, guard, media):
    def statements(count):
        for n in range(count):
            shift_at(in_acme, guard.bu, time(n % 24))
            fenced(in_acme, guard)
        event = punch(in_acme, guard, startlocation="12.1,77.1")
        for _ in range(count):
            photo(event, GOOD, media)
        with CaptureQueriesContext(connection) as sent:
            check(event)
        return len(sent)

    assert statements(1) == statements(8)


@pytest.fixture
def mirror():
    """Another alias of the same database, so that who asks whom can be told apart."""
    connections.databases["mirror"] = {**connections.databases["default"]}
    connections["mirror"].connect()  # past pytest-django, which lets nobody open what the test did not name
    yield "mirror"
    connections["mirror"].close()
    del connections["mirror"]
    del connections.databases["mirror"]


def test_d40_a_named_database_is_used_and_the_next_job_has_the_default_again(event, media, mirror):
    photo(event, GOOD, media)

    with CaptureQueriesContext(connections[mirror]) as there, CaptureQueriesContext(connection) as here:
        assert check(event, db=mirror)["fr_status"] == "match"

    def touched(sent):
        tables = ("peopleeventlog", "attachment", "people", "job", "shift")
        return {table for table in tables for each in sent if f'FROM "{table}"' in each["sql"]}

    assert touched(there) == {"peopleeventlog", "attachment", "job", "shift"}
    assert touched(here) == set()
    punch_out(event)
    photo(event, GOOD, media)
    with CaptureQueriesContext(connections[mirror]) as there:
        assert check(event)["fr_status"] == "match"
    assert touched(there) == set()
