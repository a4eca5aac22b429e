"""One threshold (D35), the fence, the shift by local time (D37)."""

from __future__ import annotations

from datetime import time

import pytest

from task_catalog.conf import catalog
from task_catalog.facility.models import GeofenceMaster, PeopleEventlog, Shift
from task_catalog.ports.faces.labelled import labelled_picture
from tests.catalog.closing.world import NOON
from tests.catalog.outside.punches import (
    BAD,
    GOOD,
    SQUARE,
    check,
    extras,
    fenced,
    photo,
    punch,
    shift_at,
)

pytestmark = pytest.mark.usefixtures("labelled")


def test_d35_one_threshold_decides_and_is_stored(event, media, configure):
    configure(face_threshold=0.7)
    photo(event, BAD, media)

    result = check(event)

    assert (result["fr_status"], result["threshold"]) == ("match", 0.7)
    assert extras(event)["threshold"] == 0.7
    assert catalog().face_threshold == 0.7


def test_d35_at_the_threshold_it_is_still_the_same_person(event, media):
    photo(event, labelled_picture(0.4), media)

    assert check(event)["fr_status"] == "match"


def test_a_punch_inside_the_fence_and_one_outside(in_acme, guard, media):
    fenced(in_acme, guard)
    event = punch(in_acme, guard, startlocation="12.1,77.1", endlocation="12.1,77.3", punchouttime=NOON)
    photo(event, GOOD, media)
    first = check(event)
    photo(event, GOOD, media)
    second = check(event)

    assert (first["in_geofence"], second["in_geofence"]) == (True, False)
    found = extras(event)
    assert (found["isStartLocationInGeofence"], found["isEndLocationInGeofence"]) == (True, False)


@pytest.mark.parametrize(
    ("fence", "location"),
    [
        ({"enable": False}, "12.1,77.1"),
        ({"identifier": "TASK"}, "12.1,77.1"),
        ({"area": "rubbish"}, "12.1,77.1"),
        ({}, None),
        ({}, "0.0,0.0"),
    ],
)
def test_without_a_fence_or_a_place_nothing_is_said(in_acme, guard, media, fence, location):
    fenced(in_acme, guard, **fence)
    event = punch(in_acme, guard, startlocation=location)
    photo(event, GOOD, media)

    assert check(event)["in_geofence"] is None
    assert "isStartLocationInGeofence" not in extras(event)


def test_another_clients_fence_does_not_count(in_acme, globex, guard, media):
    theirs = globex.person("guard", globex.site("1"))
    fenced(globex, theirs)
    event = punch(in_acme, guard, startlocation="12.1,77.1")
    photo(event, GOOD, media)

    assert check(event)["in_geofence"] is None


def test_another_clients_fence_on_ones_own_plan_does_not_count(in_acme, globex, guard, media):
    theirs = GeofenceMaster.objects.create(
        gfcode="F", gfname="F", geofence=SQUARE, client_id=globex.id, bu_id=globex.id, **globex.stamps()
    )
    in_acme.plan(guard.bu, identifier="GEOFENCE", people=guard, geofence=theirs)
    event = punch(in_acme, guard, startlocation="12.1,77.1")
    photo(event, GOOD, media)

    assert check(event)["in_geofence"] is None


def test_another_clients_shift_with_the_id_of_none_does_not_count(in_acme, globex, guard, media):
    shift_at(globex, globex.site("1"), time(17, 30), pk=1)
    ours = shift_at(in_acme, guard.bu, time(3), pk=50)
    event = punch(in_acme, guard)
    photo(event, GOOD, media)

    assert check(event)["shift_id"] == ours.pk


def test_d37_the_shift_is_the_nearest_by_local_time(in_acme, globex, guard, media):
    site = guard.bu
    early = shift_at(in_acme, site, time(12))  # nearest to the punch in UTC
    late = shift_at(in_acme, site, time(18))  # 17:30 in India
    shift_at(in_acme, in_acme.site("12"), time(17, 30))  # another site's
    shift_at(globex, site, time(17, 30), client_id=globex.id)  # another client's
    event = punch(in_acme, guard)
    photo(event, GOOD, media)

    assert check(event)["shift_id"] == late.pk != early.pk
    assert PeopleEventlog.objects.get(pk=event.pk).shift_id == late.pk


def test_d37_around_midnight_the_clock_is_a_circle(in_acme, guard, media):
    night = shift_at(in_acme, guard.bu, time(23, 30))
    shift_at(in_acme, guard.bu, time(6))
    event = punch(in_acme, guard, punchintime=NOON.replace(hour=19))  # 00:30 in India
    photo(event, GOOD, media)

    assert check(event)["shift_id"] == night.pk


def test_d37_a_shift_may_have_the_id_of_none_and_the_none_row_may_exist(in_acme, guard, media):
    real = shift_at(in_acme, guard.bu, time(17, 30), pk=1)
    event = punch(in_acme, guard)
    photo(event, GOOD, media)
    assert check(event)["shift_id"] == real.pk == 1

    Shift.objects.filter(pk=1).update(shiftname="NONE")
    other = shift_at(in_acme, guard.bu, time(6), pk=77)
    event = punch(in_acme, guard, shift_id=1)
    photo(event, GOOD, media)
    assert check(event)["shift_id"] == other.pk


def test_d37_a_shift_that_is_known_is_kept_and_without_shifts_it_stays_unknown(in_acme, guard, media):
    known = shift_at(in_acme, guard.bu, time(3))
    shift_at(in_acme, guard.bu, time(17, 30))
    with_shift = punch(in_acme, guard, shift_id=known.pk)
    photo(with_shift, GOOD, media)
    assert check(with_shift)["shift_id"] == known.pk

    Shift.objects.filter(bu=guard.bu).exclude(pk=known.pk).delete()
    PeopleEventlog.objects.update(shift_id=None)
    Shift.objects.filter(pk=known.pk).delete()
    without = punch(in_acme, guard)
    photo(without, GOOD, media)
    assert check(without)["shift_id"] is None
    assert PeopleEventlog.objects.get(pk=without.pk).shift_id is None


def test_the_punch_out_sets_no_shift(in_acme, guard, media):
    shift_at(in_acme, guard.bu, time(17, 30))
    event = punch(in_acme, guard, punchintime=None, punchouttime=NOON)
    photo(event, GOOD, media)

    result = check(event)

    assert (result["side"], result["shift_id"]) == ("out", None)


def test_what_else_is_known_of_the_punch_stays(event, media):
    PeopleEventlog.objects.filter(pk=event.pk).update(peventlogextras={"note": "kept"})
    photo(event, GOOD, media)

    check(event)

    assert extras(event)["note"] == "kept"
