"""What a face check costs, which database it asks (D40), and what comes out of a day of them."""

from __future__ import annotations

from datetime import time

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from task_catalog.facility.models import PeopleEventlog
from task_catalog.ports.faces.labelled import labelled_picture
from tests.catalog.outside.punches import (
    BAD,
    FACELESS,
    GOOD,
    check,
    fenced,
    photo,
    profile,
    punch,
    punch_out,
    shift_at,
)
from youtility_tasks.models import Job

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


def test_the_400_checks_of_the_day_come_out_as_the_catalogue_says(in_acme, media):
    """catalog.md 5.7 for one client of 25 events: index mod 25 = 0 no reference, 1 no face, 2 mismatch, else match."""
    site = in_acme.site("1")
    people = [in_acme.person("guard", site) for _ in range(5)]
    for person in people:
        profile(person, labelled_picture(0), media)
    counts: dict[str, int] = {}
    ins = outs = 0
    for i in range(25):
        event = punch(in_acme, people[i % 5])
        for index in (2 * i, 2 * i + 1):
            if index % 2:
                punch_out(event)
            content = {1: FACELESS, 2: BAD}.get(index % 25, GOOD)
            picture = photo(event, content, media)
            person = event.people
            before = person.peopleimg
            if index % 25 == 0:
                person.peopleimg = "master/people/blank.png"
                person.save(update_fields=["peopleimg"])
            result = check(event, attachment_uuid=str(picture.uuid))
            person.peopleimg = before
            person.save(update_fields=["peopleimg"])
            counts[result["fr_status"]] = counts.get(result["fr_status"], 0) + 1
        row = PeopleEventlog.objects.get(pk=event.pk)
        ins, outs = ins + row.facerecognitionin, outs + row.facerecognitionout

    assert counts == {"no_reference": 2, "no_face": 2, "mismatch": 2, "match": 44}
    assert ins + outs == 44
    assert Job.objects.filter(task_name="send_mismatch_notification").count() == 2
