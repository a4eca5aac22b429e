"""What devices send, stored by a process that the database keeps to one client: nothing of another's is changed or told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from task_catalog.facility.models import Jobneed, Ticket, Tracking
from task_catalog.facility.sentinels import ensure_sentinels
from task_catalog.mobile.reception import Reception
from tests.catalog.closing.world import Company
from tests.catalog.mobile.device import Device
from tests.tenancy.ground import House
from youtility_tasks import BadInput
from youtility_tasks.models import Job
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import tenant


@pytest.fixture
def devices(house: House) -> Iterator[tuple[Device, Device]]:
    """Two clients' devices; from then on this process is what runs tasks."""
    with house.settled():
        ensure_sentinels()
        made = []
        for name in ("acme", "globex"):
            company = Company(name)
            site = company.site("1")
            with tenant(company.id):
                made.append(Device(company, site, company.person("guard", site)))
        roles.act_as("task")
        yield made[0], made[1]
        roles.act_as(roles.MIGRATOR)


def test_a_process_of_one_client_stores_its_batches(devices, house):
    mine, _ = devices

    for each in devices:
        assert each.batch("tracking", each.track(), each.track())["inserted"] == 2

    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (house.login("task"),)
    with tenant(mine.company.id):
        assert Tracking.objects.count() == 2


def test_a_uuid_of_another_client_is_refused_like_any_other(devices):
    """The database would say that a policy was violated, and so that there is such a row; ours asks for its owner first."""
    mine, theirs = devices
    foreign = theirs.track()
    theirs.batch("tracking", foreign)

    result = mine.batch("tracking", mine.track(), {**mine.track(), "uuid": foreign["uuid"]})

    assert (result["inserted"], [each["index"] for each in result["rejected"]]) == (1, [1])
    with tenant(theirs.company.id):
        assert Tracking.objects.get(uuid=foreign["uuid"]).people_id == theirs.person.pk


@pytest.mark.parametrize("table", ["deviceeventlog", "peopleeventlog", "attachment", "jobneed", "jobneeddetails"])
def test_so_it_is_in_every_table(devices, table):
    mine, theirs = devices

    def record(device: Device) -> dict[str, Any]:
        with tenant(device.company.id):
            work = device.company.work(device.site)
        columns: dict[str, dict[str, Any]] = {
            "deviceeventlog": {"deviceid": "d"},
            "peopleeventlog": {"people_id": device.person.pk},
            "attachment": {"owner": "x", "bu_id": device.site.pk, "filepath": "a/", "filename": "b"},
            "jobneed": {"jobdesc": "x", "bu_id": device.site.pk},
            "jobneeddetails": {"jobneed_id": work.pk, "answer": "x"},
        }
        return {**columns[table], "uuid": device.track()["uuid"]}

    foreign = record(theirs)
    assert theirs.batch(table, foreign)["inserted"] == 1

    result = mine.batch(table, record(mine), {**record(mine), "uuid": foreign["uuid"]})

    assert (result["inserted"], result["updated"], len(result["rejected"])) == (1, 0, 1)


@pytest.mark.parametrize(
    ("table", "column"), [("tracking", "people_id"), ("attachment", "bu_id"), ("jobneeddetails", "jobneed_id")]
)
def test_a_row_that_points_at_nobody_is_rejected_alone(devices, table, column):
    """It would have no client but through the row that stands for none, at which everybody's may point."""
    mine, _ = devices
    with tenant(mine.company.id):
        work = mine.company.work(mine.site)
    columns = {"people_id": mine.person.pk, "bu_id": mine.site.pk, "jobneed_id": work.pk}
    more = {"attachment": {"owner": "x", "filepath": "a/", "filename": "b"}}.get(table, {})

    def row(pointing_at: int | None) -> dict[str, Any]:
        return {"uuid": mine.track()["uuid"], column: pointing_at, **more}

    result = mine.batch(table, row(columns[column]), row(1), row(None))

    assert (result["inserted"], [each["index"] for each in result["rejected"]]) == (1, [1, 2])


def test_mutations_work_and_stay_inside(devices):
    mine, theirs = devices
    with tenant(theirs.company.id):
        work = theirs.company.work(theirs.site)
    payload = mine.payload("insertRecord", records=[json.dumps(mine.ticket())])

    assert mine.deliver(payload)["status"] == "ok"
    assert mine.deliver(payload)["status"] == "duplicate"
    with pytest.raises(BadInput, match="no visit"):
        mine.send("updateTaskTour", {"uuid": str(work.uuid), "jobstatus": "COMPLETED"})
    with pytest.raises(BadInput, match="cannot be used"):
        mine.send("adhocRecord", {"uuid": str(work.uuid), "jobdesc": "x", "bu_id": mine.site.pk})

    with tenant(theirs.company.id):
        assert Jobneed.objects.get(pk=work.pk).jobstatus == "ASSIGNED"
        assert not Ticket.objects.exclude(pk=1).exists()
    with tenant(mine.company.id):
        assert Ticket.objects.exclude(pk=1).count() == 1


def test_downloads_are_read_only_and_of_one_client(devices):
    mine, _ = devices

    (found,) = mine.ask("{ getPeopleModifiedAfter { nrows } }")["data"].values()

    assert found["nrows"] == 1


def test_the_listener_needs_no_more_rights_than_the_web(devices):
    mine, theirs = devices
    roles.act_as("web")
    desk = Reception(prefix="{client}/")
    body = mine.payload("insertRecord", records=[json.dumps(mine.ticket())]).encode()

    answers = [desk.receive(f"{each.company.id}/graphql/mutation", body) for each in devices]

    ids = [json.loads(answer.body)["task_id"] for answer in answers if answer is not None]
    question = json.dumps({"taskIds": [{"taskId": each} for each in ids]}).encode()
    told = desk.receive(f"{mine.company.id}/graphql/mutation/status", question)
    assert told is not None
    assert json.loads(told.body) == [{"taskId": each, "status": "PENDING"} for each in ids]
    assert desk.receive("987654/graphql/mutation", body) is None
    with tenant(theirs.company.id):
        assert [job.pk for job in Job.objects.all()] == [int(ids[1])]
