"""insert_json_records_async on a real database."""

from __future__ import annotations

import itertools
import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from task_catalog.facility.models import (
    Asset,
    AssetLog,
    Attachment,
    DeviceEventlog,
    Jobneed,
    JobneedDetails,
    PeopleEventlog,
    Tracking,
)
from task_catalog.rules import progress
from tests.catalog.mobile.device import at
from youtility_tasks import BadInput


def test_rows_are_inserted_and_those_of_a_known_uuid_changed(acme, device):
    known, new = device.track(), device.track()
    device.batch("tracking", known)

    result = device.batch("tracking", {**known, "gpslocation": "19.0,74.0"}, new)

    assert result == {"status": "ok", "warnings": [], "table": "tracking", "inserted": 1, "updated": 1, "rejected": []}
    assert Tracking.objects.get(uuid=known["uuid"]).gpslocation == "19.0,74.0"
    stored = Tracking.objects.get(uuid=new["uuid"])
    assert (stored.people_id, stored.receiveddate, stored.identifier) == (device.person.pk, at(4), "TRACKING")


def test_the_same_batch_twice_is_the_same_rows(acme, device):
    tracks = [device.track() for _ in range(20)]
    device.batch("tracking", *tracks)

    again = device.batch("tracking", *tracks)

    assert (again["inserted"], again["updated"]) == (0, 20)
    assert Tracking.objects.count() == 20


def test_of_the_same_uuid_twice_in_a_batch_the_last_one_counts(acme, device):
    track = device.track()

    result = device.batch("tracking", track, {**track, "deviceid": "second"})

    assert (result["inserted"], result["updated"]) == (1, 0)
    assert Tracking.objects.get().deviceid == "second"


def test_records_may_be_objects_or_json_inside_json(acme, device):
    from task_catalog.maintenance.records import insert_json_records_async
    from youtility_tasks import tenant

    with tenant(acme.id):
        records: list[Any] = [device.track(), json.dumps(device.track()), json.dumps(json.dumps(device.track()))]
        result = insert_json_records_async.func(records=records, tablename="tracking")

    assert (result["inserted"], result["rejected"]) == (3, [])


def test_an_id_is_never_taken_from_a_record_and_unknown_columns_are_left_out(acme, device):
    device.batch("tracking", {**device.track(), "id": 987_654, "colour": "red", "tablename": "people"})

    assert Tracking.objects.get().pk != 987_654


def test_what_cannot_be_stored_is_listed_and_the_rest_is_stored(acme, device, other_device):
    good = device.track()
    result = device.batch(
        "tracking",
        "not json",
        {**device.track(), "uuid": ""},
        good,
        {**device.track(), "people_id": other_device.person.pk},
        {**device.track(), "people_id": None},
        {**device.track(), "gpslocation": "nowhere"},
        {**device.track(), "receiveddate": "yesterday"},
        {**device.track(), "deviceid": "d" * 41},
    )

    assert (result["status"], result["inserted"]) == ("partial", 1)
    assert [(each["index"], each["reason"].split(":")[0]) for each in result["rejected"]] == [
        (0, "it is no JSON text"),
        (1, "it has no uuid"),
        (3, "people_id"),
        (4, "it does not say whose it is; right is a people_id"),
        (5, "gpslocation"),
        (6, "receiveddate"),
        (7, "deviceid"),
    ]
    assert str(Tracking.objects.get().uuid) == good["uuid"]


def test_d39_an_unknown_table_fails_the_job(acme, device):
    for name in ("trackings", "people", "ticket", "", None, 5):
        with pytest.raises(BadInput, match=r"no table that devices may write to|tablename is (None|5); right is text"):
            device.batch(name, device.track())


@pytest.mark.parametrize("records", [[], "tracking", {"a": 1}, None])
def test_what_is_no_list_is_refused(acme, records):
    from task_catalog.maintenance.records import insert_json_records_async
    from youtility_tasks import tenant

    with tenant(acme.id), pytest.raises(BadInput, match="at least one record"):
        insert_json_records_async.func(records=records, tablename="tracking")


def test_a_batch_of_which_nothing_can_be_stored_fails(acme, device):
    with pytest.raises(BadInput, match="none of 2 records"):
        device.batch("tracking", "x", {**device.track(), "uuid": "y"})


def test_d39_a_batch_is_one_statement_for_five_hundred_rows(acme, device):
    with CaptureQueriesContext(connection) as few:
        device.batch("tracking", *(device.track() for _ in range(10)))
    with CaptureQueriesContext(connection) as many:
        device.batch("tracking", *(device.track() for _ in range(1_000)))

    inserts = [query for query in many.captured_queries if "INSERT INTO" in query["sql"][:12]]
    assert len(inserts) == 2
    assert len(many) == len(few) + 1


def test_a_uuid_of_another_client_is_neither_changed_nor_told_apart(acme, device, other_device):
    """The answer is the same for a uuid that another client has and for one that is refused for another reason."""
    theirs, mine = other_device.track(), device.track()
    other_device.batch("tracking", theirs)
    before = Tracking.objects.filter(uuid=theirs["uuid"]).values().get()

    result = device.batch("tracking", mine, {**device.track(), "uuid": theirs["uuid"]})

    assert (result["status"], result["inserted"], result["updated"]) == ("partial", 1, 0)
    ((index, reason),) = [(each["index"], each["reason"]) for each in result["rejected"]]
    assert index == 1
    assert "cannot be used" in reason
    assert Tracking.objects.filter(uuid=theirs["uuid"]).values().get() == before


def test_two_clients_with_the_same_data_keep_their_own(acme, device, other_device):
    for each in (device, other_device):
        each.batch(
            "deviceeventlog",
            {"uuid": str(uuid4()), "deviceid": "d1", "people_id": each.person.pk, "bu_id": each.site.pk},
        )

    assert set(DeviceEventlog.objects.values_list("client_id", "people_id")) == {
        (device.company.id, device.person.pk),
        (other_device.company.id, other_device.person.pk),
    }


def test_every_table_takes_what_devices_send_to_it(acme, site, device):
    pump = Asset.objects.create(assetcode="P", assetname="Pump", client_id=acme.id, bu=site, **acme.stamps())
    work = acme.work(site)
    batches: dict[str, dict[str, Any]] = {
        "tracking": device.track(),
        "deviceeventlog": {
            "deviceid": "d",
            "batterylevel": 87,
            "islocationmocked": "False",
            "receivedon": "2025-03-03T05:00:00Z",
        },
        "attachment": {
            "owner": str(uuid4()),
            "bu_id": site.pk,
            "filepath": "transactions/x/",
            "filename": "a.log",
            "size": "12",
        },
        "peopleeventlog": device.punch(),
        "assetlog": {"asset_id": pump.pk, "oldstatus": "WORKING", "newstatus": "STANDBY", "gpslocation": "None"},
        "jobneed": {"jobdesc": "x", "bu_id": site.pk, "plandatetime": "2025-03-03 05:00:00"},
        "jobneeddetails": {"jobneed_id": work.pk, "seqno": 1, "answer": '["a", "b"]', "min": "1.5"},
    }
    for name, record in batches.items():
        result = device.batch(name, {"uuid": str(uuid4()), **record})
        assert (result["status"], result["inserted"]) == ("ok", 1), name

    event = DeviceEventlog.objects.get()
    assert (event.client_id, event.batterylevel, event.islocationmocked, event.receivedon) == (
        acme.id,
        "87",
        False,
        at(5),
    )
    attachment = Attachment.objects.get()
    assert (attachment.filepath, attachment.size) == (f"transactions/{acme.id}/x/", 12)
    assert PeopleEventlog.objects.get().client_id == acme.id
    assert AssetLog.objects.get().gpslocation is None
    assert Jobneed.objects.get(jobdesc="x").jobtype == "ADHOC"
    detail = JobneedDetails.objects.get()
    assert (detail.answer, detail.min) == ("a,b", 1.5)


def test_a_visit_that_is_done_is_not_set_back_by_a_batch(acme, site, device):
    work = acme.work(site, jobstatus="COMPLETED")
    record = {"uuid": str(work.uuid), "jobstatus": "INPROGRESS", "jobdesc": "y", "bu_id": site.pk}

    with pytest.raises(BadInput, match="something newer is stored"):
        device.batch("jobneed", record)

    assert Jobneed.objects.get(pk=work.pk).jobstatus == "COMPLETED"


def test_the_plan_of_a_visit_is_not_the_devices_to_change(acme, site, device):
    work = acme.work(site)
    before = Jobneed.objects.get(pk=work.pk)

    device.batch(
        "jobneed", {"uuid": str(work.uuid), "plandatetime": "2030-01-01 00:00:00", "bu_id": acme.id, "remarks": "r"}
    )

    after = Jobneed.objects.get(pk=work.pk)
    assert (after.plandatetime, after.bu_id, after.jobtype) == (before.plandatetime, site.pk, "SCHEDULE")
    assert after.remarks == "r"


def test_the_days_tracks(acme, globex, device, other_device):
    """Twenty batches of fifty rows for each client; each repeats five rows of the one before (catalog.md 5.7)."""
    from tests.catalog.mobile.device import Device

    third = type(acme)("initech", ctzoffset=-300)
    place = third.site("1")
    inserted = updated = 0
    for each in (device, other_device, Device(third, place, third.person("guard", place))):
        repeated: list[dict[str, Any]] = []
        for _ in range(20):
            batch = [*repeated, *(each.track() for _ in range(50 - len(repeated)))]
            result = each.batch("tracking", *batch)
            inserted, updated = inserted + result["inserted"], updated + result["updated"]
            repeated = batch[-5:]

    assert (inserted, updated, Tracking.objects.count()) == (2_715, 285, 2_715)


def test_the_statement_takes_exactly_what_the_rule_does_not_call_a_step_back(acme, site, device):
    visits = {
        (stored, told): acme.work(site, jobstatus=stored)
        for stored, told in itertools.product(progress.REPORTED, repeat=2)
    }
    given = [
        {"uuid": str(visit.uuid), "jobstatus": told, "jobdesc": "x", "bu_id": site.pk}
        for (_, told), visit in visits.items()
    ]

    device.batch("jobneed", *given)

    for (stored, told), visit in visits.items():
        expected = stored if progress.is_step_back(stored, told) else told
        assert Jobneed.objects.get(pk=visit.pk).jobstatus == expected, (stored, told)
