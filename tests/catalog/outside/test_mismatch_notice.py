"""send_mismatch_notification (T32): the control room hears once of each punch whose photo shows somebody else."""

from __future__ import annotations

import json

import pytest

from task_catalog.maintenance.mqtt import publish_mqtt, send_mismatch_notification
from task_catalog.rules import noc as rules
from tests.catalog.outside.broker import listening
from tests.catalog.outside.punches import punch
from youtility_tasks import BadInput, TaskContext, tenant
from youtility_tasks.models import Job, TaskEffect


def facts_of(event, **others):
    return {
        "pel_uuid": str(event.uuid),
        "people_id": event.people_id,
        "client_id": event.client_id,
        "bu_id": event.bu_id,
        "side": "in",
        "distance": 0.62,
        "threshold": 0.4,
        "at": "2025-03-03T12:00:00+00:00",
        **others,
    }


def run(facts):
    return send_mismatch_notification.func(mismatch_data=facts)


@pytest.fixture
def event(in_acme):
    return punch(in_acme, in_acme.person("guard", in_acme.site("1")))


def test_the_control_room_is_told_who_where_and_how_far_without_a_photo(event, in_acme, broker):
    result = run(facts_of(event))

    job = Job.objects.get(id=result["queued_job_id"])
    message = json.loads(job.args["payload"])
    assert (job.task_name, job.args["topic"]) == ("publish_mqtt", "redmine_to_noc")
    assert message == {
        "operation": "MISMATCH",
        "app": "Attendance",
        "models": "PeopleEventlog",
        "payload": {**facts_of(event), "peoplecode": event.people.peoplecode},
    }
    with listening(broker.port) as listener:
        publish_mqtt.func(TaskContext.for_tests(publish_mqtt, job_id=job.id), **job.args)
        (received,) = listener.wait_for(1)
    assert received["payload"] == message["payload"]
    assert received["client_id"] == in_acme.id


def test_a_second_run_queues_nothing_and_the_other_side_is_another_notice(event):
    first, again = run(facts_of(event)), run(facts_of(event))
    other = run(facts_of(event, side="out"))

    assert (first["status"], again["status"], other["status"]) == ("ok", "duplicate", "ok")
    assert again["queued_job_id"] is None
    assert Job.objects.filter(task_name="publish_mqtt").count() == 2


def test_dying_before_the_commit_leaves_neither_mark_nor_message(event, monkeypatch):
    def die(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rules, "text", die)
        with pytest.raises(KeyboardInterrupt):
            run(facts_of(event))
    assert not TaskEffect.objects.exists()

    assert run(facts_of(event))["status"] == "ok"
    assert Job.objects.count() == 1


@pytest.mark.parametrize("name", ["pel_uuid", "people_id", "client_id", "bu_id", "side", "distance", "threshold", "at"])
def test_a_missing_fact_is_bad_input(event, name):
    facts = facts_of(event)
    del facts[name]

    with pytest.raises(BadInput, match=f"has no '{name}'"):
        run(facts)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"pel_uuid": "x"}, "uuid as text"),
        ({"pel_uuid": 7}, "uuid as text"),
        ({"side": "left"}, "'in' or 'out'"),
        ({"distance": "far"}, "distance is 'far'"),
        ({"threshold": True}, "threshold is True"),
        ({"at": 5}, "ISO text"),
        ({"people_id": 999}, "people_id is 999"),
        ({"bu_id": 999}, "bu_id is 999"),
        ({"client_id": 999}, "client_id is 999"),
    ],
)
def test_facts_that_do_not_fit_the_punch_are_bad_input(event, wrong, words):
    with pytest.raises(BadInput, match=words):
        run(facts_of(event, **wrong))

    assert not Job.objects.exists()


def test_not_an_object_is_bad_input(event):
    with pytest.raises(BadInput, match="right is an object"):
        run([1])


def test_another_clients_punch_is_unknown(event, globex):
    with tenant(globex.id), pytest.raises(BadInput, match="has no punch"):
        run(facts_of(event))


def test_an_unknown_punch_is_bad_input(event):
    with pytest.raises(BadInput, match="has no punch"):
        run(facts_of(event, pel_uuid="00000000-0000-0000-0000-000000000000"))


def test_d46_the_notice_is_more_than_a_line_in_the_log(event):
    run(facts_of(event))

    assert Job.objects.filter(task_name="publish_mqtt").count() == 1


def test_facts_nobody_asked_for_are_not_passed_on(event):
    run(facts_of(event, photo="/media/guard.png"))

    assert "guard.png" not in Job.objects.get().args["payload"]
