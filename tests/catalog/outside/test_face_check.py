"""perform_facerecognition_bgt (T04): an outcome is noted on the right side of the punch, once, with its notice."""

from __future__ import annotations

import pytest

from task_catalog.facility.models import PeopleEventlog
from task_catalog.high_priority import faces as face_task
from task_catalog.maintenance.mqtt import publish_mqtt, send_mismatch_notification
from task_catalog.ports.faces.labelled import LabelledVerifier
from task_catalog.punches import note as noting
from tests.catalog.outside.broker import listening
from tests.catalog.outside.punches import (
    BAD,
    GOOD,
    check,
    extras,
    photo,
    punch_out,
)
from youtility_tasks import TaskContext, effects
from youtility_tasks.models import Job, TaskEffect

pytestmark = pytest.mark.usefixtures("labelled")


def test_a_match_is_noted_with_what_decided_it(event, media):
    photo(event, GOOD, media)

    result = check(event)

    assert result == {
        "status": "ok",
        "warnings": [],
        "side": "in",
        "fr_status": "match",
        "verified": True,
        "distance": 0.21,
        "threshold": 0.4,
        "in_geofence": None,
        "shift_id": None,
    }
    row = PeopleEventlog.objects.get(pk=event.pk)
    assert row.peventlogextras == {
        "verified_in": True,
        "distance_in": 0.21,
        "fr_status_in": "match",
        "threshold": 0.4,
        "model": LabelledVerifier.model,
        "similarity_metric": "label",
    }
    assert (row.facerecognitionin, row.facerecognitionout) == (True, False)
    assert not Job.objects.exists()


def test_a_mismatch_is_an_outcome_and_the_control_room_hears_of_it(event, media, broker, in_acme):
    photo(event, BAD, media)

    result = check(event)

    assert (result["status"], result["fr_status"], result["verified"], result["distance"]) == (
        "ok",
        "mismatch",
        False,
        0.62,
    )
    assert PeopleEventlog.objects.get(pk=event.pk).facerecognitionin is False
    notice = Job.objects.get(task_name="send_mismatch_notification")
    send_mismatch_notification.func(**notice.args)
    message = Job.objects.get(task_name="publish_mqtt")
    with listening(broker.port) as listener:
        publish_mqtt.func(TaskContext.for_tests(publish_mqtt, job_id=message.id), **message.args)
        (received,) = listener.wait_for(1)
    assert received["operation"] == "MISMATCH"
    assert received["payload"]["people_id"] == event.people_id
    assert (received["payload"]["side"], received["payload"]["distance"]) == ("in", 0.62)


def test_a_mismatch_and_its_notice_are_one_transaction(event, media, monkeypatch):
    photo(event, BAD, media)

    def refuse(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr(noting, "_facts", refuse)
    with pytest.raises(ZeroDivisionError):
        check(event)

    assert extras(event) == {}
    assert not TaskEffect.objects.exists()
    monkeypatch.undo()
    assert check(event)["fr_status"] == "mismatch"


def test_the_second_photo_is_the_punch_outs(event, media):
    photo(event, GOOD, media)
    check(event)
    punch_out(event)
    photo(event, BAD, media)

    result = check(event)

    assert (result["side"], result["fr_status"]) == ("out", "mismatch")
    row = PeopleEventlog.objects.get(pk=event.pk)
    assert (row.facerecognitionin, row.facerecognitionout) == (True, False)
    assert (row.peventlogextras["fr_status_in"], row.peventlogextras["fr_status_out"]) == ("match", "mismatch")


def test_running_twice_finds_the_side_checked(event, media):
    photo(event, BAD, media)
    check(event)

    again = check(event)

    assert (again["status"], again["fr_status"]) == ("duplicate", None)
    assert Job.objects.count() == 1


def test_the_same_photo_delivered_twice_never_counts_for_the_punch_out(event, media):
    first = photo(event, GOOD, media)
    punch_out(event)
    check(event)

    for named in ({}, {"attachment_uuid": str(first.uuid)}):
        assert check(event, **named)["status"] == "duplicate"

    assert "fr_status_out" not in extras(event)


def test_dying_between_the_look_and_the_note_only_repeats_the_look(event, media, monkeypatch):
    photo(event, GOOD, media)

    def die(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as dead:
        dead.setattr(face_task, "note", die)
        with pytest.raises(KeyboardInterrupt):
            check(event)
    assert extras(event) == {}

    assert check(event)["fr_status"] == "match"


def test_somebody_who_notes_a_verdict_meanwhile_is_not_overwritten(event, media, monkeypatch):
    photo(event, GOOD, media)
    verify = LabelledVerifier.verify

    def slowly(self, reference, probe, *, timeout_s):
        PeopleEventlog.objects.filter(pk=event.pk).update(peventlogextras={"fr_status_in": "mismatch"})
        return verify(self, reference, probe, timeout_s=timeout_s)

    monkeypatch.setattr(LabelledVerifier, "verify", slowly)

    assert check(event)["status"] == "duplicate"
    assert extras(event) == {"fr_status_in": "mismatch"}


def test_the_key_is_punch_side_and_photo(event, media):
    first = photo(event, GOOD, media)

    check(event)

    assert effects.is_done(f"face:{event.uuid}:in:{first.uuid}")
