"""The figures of catalog.md 5.7 for what is outside: 400 face checks, 317 messages with the broker away in between.

The 300 old media are in test_media_move.py.
"""

from __future__ import annotations

import json
from collections import Counter

import pytest

from task_catalog.facility.models import Asset, PeopleEventlog
from task_catalog.maintenance.mqtt import publish_mqtt, send_mismatch_notification
from task_catalog.ports.faces.labelled import labelled_picture
from tests.catalog.closing.world import Company
from tests.catalog.outside.broker import listening
from tests.catalog.outside.punches import BAD, FACELESS, GOOD, check, photo, profile, punch, punch_out
from youtility_tasks import TaskContext, Transient, tenant
from youtility_tasks.models import Job

EVENTS = {"acme": 100, "globex": 60, "initech": 40}
SHOWN = {1: FACELESS, 2: BAD}
"""By the index of a check mod 25; 0 has no reference, any other is the person."""


@pytest.fixture
def companies(acme):
    return {"acme": acme, "globex": Company("globex"), "initech": Company("initech")}


def guards_of(company, media):
    site = company.site("1")
    guards = [company.person("guard", site) for _ in range(5)]
    for guard in guards:
        profile(guard, labelled_picture(0), media)
    return guards


@pytest.mark.usefixtures("labelled")
def test_the_400_checks_and_their_17_notices(companies, media):
    found: Counter[str] = Counter()
    for name, company in companies.items():
        with tenant(company.id):
            guards = guards_of(company, media)
            for i in range(EVENTS[name]):
                guard = guards[i % 5]
                event = punch(company, guard)
                for index in (2 * i, 2 * i + 1):
                    if index % 2:
                        punch_out(event)
                    picture = photo(event, SHOWN.get(index % 25, GOOD), media)
                    own = guard.peopleimg
                    if index % 25 == 0:
                        type(guard).objects.filter(pk=guard.pk).update(peopleimg="master/people/blank.png")
                    found[check(event, attachment_uuid=str(picture.uuid))["fr_status"]] += 1
                    type(guard).objects.filter(pk=guard.pk).update(peopleimg=own)

    assert found == {"no_reference": 17, "no_face": 17, "mismatch": 17, "match": 349}
    assert PeopleEventlog.objects.filter(facerecognitionin=True).count() == 174
    assert PeopleEventlog.objects.filter(facerecognitionout=True).count() == 175
    assert Job.objects.filter(task_name="send_mismatch_notification").count() == 17


def test_317_messages_arrive_once_each_though_the_broker_was_away(companies, broker, configure, media):
    configure(noc_hooks={"Asset": True}, mqtt_timeout_s=2)
    for company in companies.values():
        with tenant(company.id):
            assets = Asset.objects.bulk_create(
                Asset(assetcode=str(n), assetname="pump", client_id=company.id, bu_id=company.id, **company.stamps())
                for n in range(100)
            )
            for asset in assets:
                asset.runningstatus = "STANDBY"
                asset.save()
            guard = company.person("guard", company.site("1"))
            for _ in range({"acme": 8, "globex": 5, "initech": 4}[company.name]):
                event = punch(company, guard)
                facts = {"pel_uuid": str(event.uuid), "people_id": guard.pk, "client_id": company.id}
                send_mismatch_notification.func(
                    mismatch_data={
                        **facts,
                        "bu_id": event.bu_id,
                        "side": "in",
                        "distance": 0.62,
                        "threshold": 0.4,
                        "at": "2025-03-03T12:00:00+00:00",
                    }
                )
    jobs = list(Job.objects.filter(task_name="publish_mqtt").order_by("id"))
    assert len(jobs) == 317

    def publish(job, attempt=1):
        with tenant(job.tenant_id):
            publish_mqtt.func(TaskContext.for_tests(publish_mqtt, job_id=job.id, attempt=attempt), **job.args)

    with listening(broker.port) as listener:
        for job in jobs[:150]:
            publish(job)
        broker.stop()
        for job in jobs[150:200]:
            with pytest.raises(Transient):
                publish(job)
        broker.start()
        listener.wait_until_subscribed()
        for job in jobs[150:]:
            publish(job, attempt=2)
        messages = listener.wait_for(317)

    assert len(messages) == 317
    assert len({message["message_id"] for message in messages}) == 317
    assert Counter(message["operation"] for message in messages) == {"UPDATE": 300, "MISMATCH": 17}
    asked = {(job.tenant_id, json.dumps(json.loads(job.args["payload"])["payload"], sort_keys=True)) for job in jobs}
    told = {(message["client_id"], json.dumps(message["payload"], sort_keys=True)) for message in messages}
    assert told == asked
