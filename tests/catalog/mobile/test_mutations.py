"""process_graphql_mutation_async on a real database: visits, punches and tickets that devices report."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from task_catalog.facility.models import (
    Asset,
    Bt,
    EscalationMatrix,
    Jobneed,
    JobneedDetails,
    PeopleEventlog,
    Ticket,
    Tracking,
    TypeAssist,
)
from task_catalog.high_priority.mobile import MutationFailed, process_graphql_mutation_async
from task_catalog.ports import graphql
from tests.catalog.closing.world import NONE, tour_of
from tests.catalog.mobile.device import at
from youtility_tasks import BadInput, effects, tenant
from youtility_tasks.models import TaskEffect
from youtility_tasks.testing import arguments, enqueued

KEYS = {"status", "warnings", "data", "uuids", "service_name", "recordcount", "rc"}


def calls(name: str) -> list[dict[str, Any]]:
    return [arguments(job) for job in enqueued(name)]


def test_a_task_is_done_with_its_answers_and_the_alert_mail_is_on_its_way(acme, site, device, either_library):
    work = acme.work(site)
    device.asked(work)

    result = device.send("updateTaskTour", device.done(work, answer="41", alert=True))

    assert result.keys() == KEYS
    assert (result["status"], result["rc"], result["recordcount"]) == ("ok", 0, 1)
    assert (result["service_name"], result["uuids"]) == ("updateTaskTour", [str(work.uuid)])
    assert result["data"]["updateTaskTour"]["recordcount"] == 1
    stored = Jobneed.objects.get(pk=work.pk)
    assert (stored.jobstatus, stored.starttime, stored.endtime) == ("COMPLETED", at(10, 5), at(10, 15))
    assert (stored.performedby_id, stored.gpslocation, stored.alerts) == (device.person.pk, "18.52,73.85", True)
    assert stored.receivedonserver == at(12)
    answers = JobneedDetails.objects.filter(jobneed=work).order_by("seqno")
    assert [(each.answer, each.alerts) for each in answers] == [("41", True), ("41", False)]
    assert calls("alert_sendmail") == [{"id": work.pk, "event": "observation", "atts": True}]


def test_a_start_stores_and_tells_nobody(acme, site, device):
    work = acme.work(site)

    device.send(
        "updateTaskTour", {"uuid": str(work.uuid), "jobstatus": "INPROGRESS", "starttime": "2025-03-03 10:01:00"}
    )

    assert Jobneed.objects.get(pk=work.pk).jobstatus == "INPROGRESS"
    assert calls("alert_sendmail") == []


def test_a_tour_is_told_of_once_with_all_its_stops(acme, site, device):
    tour, stops = tour_of(acme, site, "ASSIGNED", ["ASSIGNED"] * 3)
    for stop in stops:
        device.asked(stop)

    device.send("updateTaskTour", device.done(tour), *(device.done(stop, alert=True) for stop in stops))

    assert [call["id"] for call in calls("alert_sendmail")] == [tour.pk]
    assert set(Jobneed.objects.filter(parent=tour).values_list("jobstatus", "alerts")) == {("COMPLETED", True)}


def test_a_stop_in_alert_is_told_of_before_its_tour_ends_and_a_quiet_one_is_not(acme, site, device):
    _, stops = tour_of(acme, site, "INPROGRESS", ["ASSIGNED"] * 2)
    for stop in stops:
        device.asked(stop)

    device.send("updateTaskTour", device.done(stops[0], alert=True), device.done(stops[1]))

    assert [call["id"] for call in calls("alert_sendmail")] == [stops[0].pk]


def test_a_route_that_was_not_kept_is_told_of_beside_the_readings(acme, site, device):
    work = acme.work(site, identifier="INTERNALTOUR")

    device.send("updateTaskTour", device.done(work, other_info={"deviation": True, "autoclosed_by_server": True}))

    assert [call["event"] for call in calls("alert_sendmail")] == ["observation", "deviation"]
    info = Jobneed.objects.get(pk=work.pk).other_info
    assert info["deviation"] is True
    assert "autoclosed_by_server" not in info


def test_what_overtook_its_own_beginning_stays_done(acme, site, device):
    work = acme.work(site)
    (detail, *_) = device.asked(work)
    device.send("updateTaskTour", device.done(work, answer="9"))

    late = device.send(
        "updateTaskTour",
        {"uuid": str(work.uuid), "jobstatus": "INPROGRESS", "details": [{"uuid": str(detail.uuid), "answer": "1"}]},
    )

    assert any("came too late" in warning for warning in late["warnings"])
    assert Jobneed.objects.get(pk=work.pk).jobstatus == "COMPLETED"
    assert JobneedDetails.objects.get(pk=detail.pk).answer == "9"


def test_work_that_the_server_closed_may_still_be_reported_as_done(acme, site, device):
    work = acme.work(site, jobstatus="AUTOCLOSED", other_info={"autoclosed_by_server": True})

    device.send("updateTaskTour", device.done(work))

    stored = Jobneed.objects.get(pk=work.pk)
    assert (stored.jobstatus, stored.other_info["autoclosed_by_server"]) == ("COMPLETED", True)


def test_an_answer_that_belongs_to_another_visit_is_refused_and_nothing_is_stored(acme, site, device):
    work, other = acme.work(site), acme.work(site)
    (foreign, *_) = device.asked(other)
    record = device.done(work, details=[{"uuid": str(foreign.uuid), "answer": "1"}])

    with pytest.raises(BadInput, match="another answer"):
        device.send("updateTaskTour", record)

    assert Jobneed.objects.get(pk=work.pk).jobstatus == "ASSIGNED"
    assert JobneedDetails.objects.get(pk=foreign.pk).answer is None
    assert not TaskEffect.objects.filter(key__startswith="gql:").exists()


def test_an_ad_hoc_visit_is_made_with_its_answers_and_told_of(acme, site, device):
    key = str(uuid4())
    record = {
        "uuid": key,
        "jobdesc": "Broken pane",
        "identifier": "TASK",
        "jobstatus": "COMPLETED",
        "bu_id": site.pk,
        "client_id": acme.id,
        "people_id": device.person.pk,
        "plandatetime": "2025-03-03 11:00:00",
        "id": 4711,
        "jobtype": "SCHEDULE",
        "details": [{"uuid": str(uuid4()), "seqno": 1, "question_id": NONE, "answer": "x", "jobneed_id": 4711}],
    }

    device.send("adhocRecord", record)

    made = Jobneed.objects.get(uuid=key)
    assert (made.jobtype, made.jobdesc, made.client_id, made.parent_id) == ("ADHOC", "Broken pane", acme.id, NONE)
    assert made.pk != 4711
    assert [each.answer for each in JobneedDetails.objects.filter(jobneed=made)] == ["x"]
    assert [call["id"] for call in calls("alert_sendmail")] == [made.pk]


def test_a_ticket_is_numbered_and_mailed_and_an_update_is_written_into_its_history(acme, site, device, clock_at):
    record = device.ticket()
    device.send("insertRecord", record, device.ticket(ticketdesc="Another"))
    clock_at(at(13))

    device.send("insertRecord", {**record, "status": "RESOLVED", "ticketno": "X", "level": 9})

    ticket = Ticket.objects.get(uuid=record["uuid"])
    assert (ticket.ticketno, ticket.status, ticket.level, ticket.ticketsource) == (
        "ACME-1#1",
        "RESOLVED",
        0,
        "USERDEFINED",
    )
    assert [item["action"] for item in ticket.ticketlog["ticket_history"]] == ["created", "updated"]
    assert ticket.ticketlog["ticket_history"][1]["details"] == ["status: NEW -> RESOLVED"]
    assert (ticket.mdtz, ticket.modifieddatetime) == (at(13), at(13))
    second = Ticket.objects.get(ticketno="ACME-1#2")
    assert calls("send_ticket_email") == [
        {"id": ticket.pk, "event": "created"},
        {"id": second.pk, "event": "created"},
        {"id": ticket.pk, "event": "updated", "level": 2},
    ]


@pytest.mark.parametrize(
    ("written", "stored"), [("2025-03-03 09:30:00", at(9, 30)), ("2031-01-01 00:00:00", at(12)), (None, at(12))]
)
def test_a_ticket_of_a_device_that_was_offline_was_created_when_it_was_written(acme, device, written, stored):
    record = device.ticket(cdtz=written)

    device.send("insertRecord", record)

    ticket = Ticket.objects.get(uuid=record["uuid"])
    assert (ticket.cdtz, ticket.modifieddatetime) == (stored, stored)
    assert ticket.ticketlog["ticket_history"][0]["when"] == stored.isoformat()


def test_a_ticket_that_comes_again_in_another_message_is_made_once(acme, device):
    record = device.ticket()
    device.send("insertRecord", record)

    device.send("insertRecord", record, device.punch())

    assert Ticket.objects.filter(client_id=acme.id).count() == 1
    assert len(calls("send_ticket_email")) == 1


def test_a_punch_is_stored_and_its_verdict_is_not_the_devices_to_say(acme, site, device):
    record = device.punch(facerecognitionin=True, peventlogextras={"verified_in": True}, transportmodes="BUS, TRAIN")

    device.send("insertRecord", record)

    punch = PeopleEventlog.objects.get(uuid=record["uuid"])
    assert (punch.people_id, punch.bu_id, punch.punchintime) == (device.person.pk, site.pk, at(3))
    assert (punch.transportmodes, punch.startlocation) == (["BUS", "TRAIN"], "18.5204,73.8567")
    assert (punch.facerecognitionin, punch.peventlogextras, punch.shift_id) == (False, {}, None)
    assert (punch.cdtz, punch.mdtz, punch.verifiedby_id) == (at(12), at(12), NONE)


def test_a_site_crisis_raises_a_high_ticket_and_somebody_hears_of_it_if_nobody_acts(acme, site, device):
    boss = acme.in_charge(site)
    record = device.punch("INTRUSION", of_kind="SITECRISIS", remarks="two men at the gate")

    device.send("insertRecord", record)
    device.send("insertRecord", record, device.punch())

    ticket = Ticket.objects.get(client_id=acme.id)
    assert (ticket.priority, ticket.level, ticket.ticketsource) == ("HIGH", 1, "SYSTEMGENERATED")
    assert ticket.ticketdesc == "Intrusion reported: two men at the gate"
    category = TypeAssist.objects.get(tacode="TC_SITECRISIS", client_id=acme.id)
    assert ticket.ticketcategory_id == category.pk
    row = EscalationMatrix.objects.get(client_id=acme.id, escalationtemplate=category)
    assert (row.level, row.frequency, row.frequencyvalue, row.bu_id) == (2, "MINUTE", 30, site.pk)
    assert ticket.assignedtopeople_id == row.assignedperson_id
    assert row.assignedperson.designation.tacode == "SITEINCHARGE"
    assert boss.client_id == row.assignedperson.client_id
    assert len(calls("send_ticket_email")) == 1


def test_a_crisis_at_a_site_without_anybody_in_charge_goes_to_the_emergency_contact(acme, device):
    place = acme.site("2")
    contact = acme.person("night", people_extras={"isemergencycontact": True})

    device.send("insertRecord", device.punch("FIRE", of_kind="SITECRISIS", bu_id=place.pk))

    assert Ticket.objects.get(bu=place).assignedtopeople_id == contact.pk


def test_a_crisis_uses_the_matrix_that_is_there(acme, site, device):
    category = acme.word("TC_SITECRISIS", "TICKETCATEGORY")
    acme.step(category, 2, 5, "MINUTE")

    device.send("insertRecord", device.punch("FIRE", of_kind="SITECRISIS"))

    assert EscalationMatrix.objects.filter(client_id=acme.id).count() == 1


@pytest.mark.parametrize("deeper", [False, True])
def test_d38_an_answer_that_says_it_failed_fails_the_job(acme, device, monkeypatch, deeper):
    answer: dict[str, Any] = {"rc": 1, "msg": "no luck"}
    monkeypatch.setattr(
        graphql, "run", lambda *args, **kwargs: {"insertRecord": {"output": answer} if deeper else answer}
    )

    with pytest.raises(MutationFailed, match="no luck"):
        device.send("insertRecord", device.ticket())

    assert not TaskEffect.objects.filter(key__startswith="gql:").exists()


def test_d38_a_message_that_is_delivered_twice_is_applied_once_and_answered_alike(acme, device, either_library):
    payload = device.payload("insertRecord", records=[json.dumps(device.ticket())])
    first = device.deliver(payload)
    rearranged = json.dumps(dict(reversed(json.loads(payload).items())), indent=2)

    again = device.deliver(rearranged)

    assert again == {**first, "status": "duplicate"}
    assert Ticket.objects.filter(client_id=acme.id).count() == 1
    assert len(calls("send_ticket_email")) == 1


def test_documents_may_declare_their_variables_as_the_application_does(acme, device, either_library):
    document = "mutation A($r: [String]!) { insertRecord(records: $r) { rc } }"

    result = device.deliver(json.dumps({"mutation": document, "variables": {"r": [json.dumps(device.ticket())]}}))

    assert result["data"] == {"insertRecord": {"rc": 0}}


def test_d38_variables_may_be_missing(acme, device):
    document = 'mutation { insertJson(jsondata: ["{}"], tablename: "tracking") { rc } }'

    result = device.deliver(json.dumps({"mutation": document}))

    assert (result["status"], result["recordcount"], result["uuids"]) == ("ok", 0, [])


def test_two_clients_may_send_the_very_same_message(acme, globex, device, other_device):
    document = 'mutation { insertJson(jsondata: ["{}"], tablename: "tracking") { rc } }'
    payload = json.dumps({"mutation": document})

    assert device.deliver(payload)["status"] == "ok"
    assert other_device.deliver(payload)["status"] == "ok"


def test_a_job_that_died_after_its_commit_answers_as_the_first_time(acme, site, device):
    """The rows and the key are one transaction, so an attempt finds both or neither."""
    work = acme.work(site)
    payload = device.payload("updateTaskTour", records=[json.dumps(device.done(work))])
    with pytest.raises(ZeroDivisionError), tenant(acme.id):
        from django.db import transaction

        with transaction.atomic():
            process_graphql_mutation_async.func(payload=payload)
            raise ZeroDivisionError
    assert Jobneed.objects.get(pk=work.pk).jobstatus == "ASSIGNED"
    assert calls("alert_sendmail") == []

    assert device.deliver(payload)["status"] == "ok"
    assert device.deliver(payload)["status"] == "duplicate"
    assert len(calls("alert_sendmail")) == 1


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("not json", "JSON text"),
        ("[1]", "JSON text of an object"),
        ("null", "JSON text of an object"),
        ('"mutation"', "JSON text of an object"),
        ("{}", "'mutation'"),
        ('{"mutation": "  "}', "'mutation'"),
        ('{"mutation": 5}', "'mutation'"),
        ('{"mutation": "mutation { a }", "variables": [1]}', "'variables'"),
        ('{"mutation": "query { getTickets { nrows } }"}', "is a query; right is a mutation"),
        ('{"mutation": "mutation { "}', "no GraphQL"),
        ('{"mutation": "mutation { removeEverything { rc } }"}', "does not fit the schema"),
        ('{"mutation": "mutation { insertRecord { rc } }"}', "does not fit the schema"),
        ('{"mutation": "mutation { insertRecord(records: []) { rc } }"}', "at least one record"),
        ('{"mutation": "mutation { insertRecord(records: [\\"5\\"]) { rc } }"}', "record 0"),
        (
            '{"mutation": "mutation A { insertJson(jsondata: [], tablename: \\"x\\") { rc } } mutation B { a }"}',
            "2 operations",
        ),
        (
            '{"mutation": "mutation { insertJson(jsondata: [\\"{}\\"], tablename: \\"users\\") { rc } }"}',
            "tablename is 'users'",
        ),
        ('{"mutation": "mutation { a }", "uuids": ["\\ud800"]}', "half a character"),
        ('{"mutation": "mutation { a }", "uuids": ["\\u0000"]}', "hold a NUL"),
        ('{"mutation": "mutation { a }", "serviceName": "\\u0000"}', "hold a NUL"),
    ],
)
def test_a_message_that_cannot_be_meant_is_refused_for_good(acme, device, payload, words, either_library):
    with pytest.raises(BadInput, match=words):
        device.deliver(payload)

    assert not TaskEffect.objects.filter(key__startswith="gql:").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"uuid": None}, "has no uuid"),
        ({"uuid": "x"}, "no uuid"),
        ({"tablename": "people"}, "no table that devices may write to"),
        ({"tablename": None}, "no table"),
        ({"bu_id": "None"}, "names no site"),
        ({"priority": "x" * 51}, "51 characters"),
        ({"ticketdesc": "a\0b"}, "no table can hold"),
        ({"status": "EATEN"}, "right is one of NEW"),
        ({"assignedtopeople_id": 999_999}, "assignedtopeople_id: 999999 is none of this client's"),
    ],
)
def test_a_record_that_cannot_be_stored_is_refused_with_the_whole_message(acme, device, change, words):
    with pytest.raises(BadInput, match=words):
        device.send("insertRecord", device.ticket(), {**device.ticket(), **change})

    assert not Ticket.objects.filter(client_id=acme.id).exists()


@pytest.mark.parametrize("name", ["bu", "assignedtopeople", "asset", "ticketcategory", "client", "cuser"])
def test_nothing_of_another_client_gets_into_a_record(acme, device, other_device, name):
    theirs = {
        "bu": other_device.site.pk,
        "assignedtopeople": other_device.person.pk,
        "cuser": other_device.person.pk,
        "client": other_device.company.id,
        "ticketcategory": other_device.company.word("TC_GEN", "TICKETCATEGORY").pk,
        "asset": Asset.objects.create(
            assetcode="a", assetname="a", client_id=other_device.company.id, bu=other_device.site, **acme.stamps()
        ).pk,
    }

    with pytest.raises(BadInput, match=f"{name}_id: {theirs[name]} is"):
        device.send("insertRecord", device.ticket(**{f"{name}_id": theirs[name]}))


def test_a_record_of_client_b_in_the_job_of_client_a_is_refused(acme, device, other_device):
    with pytest.raises(BadInput, match="not the client for whom"):
        device.send("insertRecord", other_device.ticket())

    assert not Ticket.objects.exclude(pk=NONE).exists()


def test_another_clients_visit_is_not_there(acme, device, other_device):
    work = other_device.company.work(other_device.site)

    with pytest.raises(BadInput, match="there is no visit with this uuid"):
        device.send("updateTaskTour", device.done(work))

    assert Jobneed.objects.get(pk=work.pk).jobstatus == "ASSIGNED"


@pytest.mark.parametrize("mutation", ["insertRecord", "adhocRecord"])
def test_a_uuid_of_another_client_is_neither_changed_nor_told_of(acme, device, other_device, mutation):
    work = other_device.company.work(other_device.site)
    record = {"tablename": "jobneed", "uuid": str(work.uuid), "jobdesc": "mine now", "bu_id": device.site.pk}

    with pytest.raises(BadInput, match="cannot be used; draw another one"):
        device.send(mutation, record)

    assert Jobneed.objects.get(pk=work.pk).jobdesc == work.jobdesc


def test_assets_and_sites_are_changed_and_not_made(acme, site, device):
    pump = Asset.objects.create(assetcode="P", assetname="Pump", client_id=acme.id, bu=site, **acme.stamps())

    device.send(
        "insertRecord",
        {"tablename": "asset", "uuid": str(pump.uuid), "gpslocation": "POINT (73.9 18.6)", "assetname": "Mine"},
        {"tablename": "Business Unit", "uuid": str(site.uuid), "gpslocation": "18.7,73.7", "bucode": "X"},
    )

    pump.refresh_from_db()
    assert (pump.gpslocation, pump.assetname, pump.mdtz) == ("18.6,73.9", "Pump", at(12))
    stored = Bt.objects.get(pk=site.pk)
    assert (stored.gpslocation, stored.bucode) == ("18.7,73.7", "ACME-1")
    with pytest.raises(BadInput, match="cannot be used here"):
        device.send("insertRecord", {"tablename": "asset", "uuid": str(uuid4()), "gpslocation": "1,2"})


def test_words_of_the_vocabulary_are_the_clients_own(acme, device, other_device):
    kind = acme.word("MAKE")
    device.send("insertRecord", {"tablename": "typeassist", "tacode": "ACO", "taname": "Aco", "tatype_id": kind.pk})
    device.send("insertRecord", {"tablename": "typeassist", "tacode": "ACO", "taname": "ACO Ltd", "tatype_id": kind.pk})

    assert [word.taname for word in TypeAssist.objects.filter(tacode="ACO", client_id=acme.id)] == ["ACO Ltd"]
    twice = [{"tablename": "typeassist", "tacode": "X", "taname": name, "tatype_id": kind.pk} for name in ("a", "b")]
    device.send("insertRecord", *twice)
    assert TypeAssist.objects.get(tacode="X").taname == "b"
    with pytest.raises(BadInput, match="no tacode"):
        device.send("insertRecord", {"tablename": "typeassist", "taname": "nameless"})
    with pytest.raises(BadInput, match="tatype_id"):
        other_device.send(
            "insertRecord", {"tablename": "typeassist", "tacode": "B", "taname": "B", "tatype_id": kind.pk}
        )


def test_a_batch_is_handed_over_in_the_same_transaction(acme, device):
    tracks = [json.dumps(device.track()) for _ in range(3)]

    device.send("insertJson", jsondata=tracks, tablename="tracking")

    assert calls("insert_json_records_async") == [{"records": tracks, "tablename": "tracking"}]
    assert Tracking.objects.count() == 0


def test_a_batch_that_is_too_large_for_one_job_becomes_several(acme, device):
    tracks = [json.dumps(device.track(reference="r" * 200)) for _ in range(1_200)]

    device.send("insertJson", jsondata=tracks, tablename="tracking")

    handed = [call["records"] for call in calls("insert_json_records_async")]
    assert len(handed) > 2
    assert [record for part in handed for record in part] == tracks


def test_the_ledgers_key_is_the_digest_of_the_message(acme, device):
    payload = device.payload("insertRecord", records=[json.dumps(device.ticket())])
    device.deliver(payload)

    (key,) = TaskEffect.objects.filter(key__startswith="gql:").values_list("key", flat=True)
    assert len(key) == len("gql:") + 64
    with tenant(acme.id):
        assert UUID(effects.answer(key)["uuids"][0])
        assert process_graphql_mutation_async.key(process_graphql_mutation_async.lock, {"payload": payload}) == key
