"""uploadReport: reports with sections, permits that are asked for and given back, and tours that go on by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from task_catalog.facility.models import (
    Job,
    Jobneed,
    JobneedDetails,
    Question,
    QuestionSet,
    QuestionSetBelonging,
    Vendor,
    Wom,
    WomDetails,
)
from tests.catalog.closing.world import NONE, START
from tests.catalog.mobile.device import Device
from youtility_tasks import BadInput
from youtility_tasks.testing import arguments, enqueued

VERIFY = "send_email_notification_for_wp_from_mobile_for_verifier"
RETURNED = "send_email_notification_for_vendor_and_security_for_rwp"


def calls(name: str) -> list[dict[str, Any]]:
    return [arguments(job) for job in enqueued(name)]


def form(device: Device, name: str = "Hot Work", kind: str = "WORKPERMIT") -> QuestionSet:
    return QuestionSet.objects.create(
        qsetname=name, type=kind, client_id=device.company.id, bu=device.site, parent_id=NONE, **device.company.stamps()
    )


def question(device: Device, name: str) -> Question:
    found, _ = Question.objects.get_or_create(
        quesname=name, answertype="TEXT", client_id=device.company.id, defaults=device.company.stamps()
    )
    return found


def section(device: Device, name: str, *answers: str, **columns: Any) -> dict[str, Any]:
    return {
        "uuid": str(uuid4()),
        "description": name,
        "details": [
            {"uuid": str(uuid4()), "seqno": nth, "question_id": question(device, f"{name} {nth}").pk, "answer": answer}
            for nth, answer in enumerate(answers, start=1)
        ],
        **columns,
    }


def permit(device: Device, *, verifier: Any, approvers: Any = "", **columns: Any) -> dict[str, Any]:
    vendor = Vendor.objects.create(
        code=str(uuid4())[:8], name="Welders", client_id=device.company.id, bu=device.site, **device.company.stamps()
    )
    return {
        "tablename": "wom",
        "uuid": str(uuid4()),
        "description": "Weld the gate",
        "bu_id": device.site.pk,
        "client_id": device.company.id,
        "qset_id": form(device, str(uuid4())).pk,
        "vendor_id": vendor.pk,
        "verifier": verifier,
        "approvers": approvers,
        "child": [section(device, "Precautions", "yes", "no"), section(device, "EMAIL", "a@b.example")],
        **columns,
    }


def test_a_permit_is_numbered_and_its_verifiers_are_asked(acme, site, device, either_library):
    verifier, approver = acme.person("verifier"), acme.person("approver")
    record = permit(device, verifier=f"{verifier.peoplecode}, nobody", approvers=approver.peoplecode)

    result = device.send("uploadReport", record)

    stored = Wom.objects.get(uuid=record["uuid"])
    assert (stored.identifier, stored.workstatus, stored.workpermit, stored.verifiers_status) == (
        "WP",
        "ASSIGNED",
        "PENDING",
        "PENDING",
    )
    assert (stored.client_id, stored.bu_id, stored.parent_id) == (acme.id, site.pk, NONE)
    assert (stored.verifiers, stored.approvers) == ([verifier.peoplecode], [approver.peoplecode])
    assert stored.other_data == {
        "wp_seqno": 1,
        "wp_name": stored.qset.qsetname,
        "wp_verifiers": [
            {
                "name": verifier.peoplename,
                "peoplecode": verifier.peoplecode,
                "identifier": "VERIFIER",
                "status": "PENDING",
            }
        ],
        "wp_approvers": [
            {
                "name": approver.peoplename,
                "peoplecode": approver.peoplecode,
                "identifier": "APPROVER",
                "status": "PENDING",
            }
        ],
    }
    sections = Wom.objects.filter(parent=stored).order_by("seqno")
    assert [(each.description, each.seqno, each.identifier) for each in sections] == [
        ("Precautions", 1, None),
        ("EMAIL", 2, None),
    ]
    answers = WomDetails.objects.filter(wom=sections[0]).order_by("seqno")
    assert [each.answer for each in answers] == ["yes", "no"]
    (call,) = calls(VERIFY)
    assert (call["womid"], call["verifiers"], call["client_id"]) == (stored.pk, [verifier.peoplecode], acme.id)
    assert "'nobody'" in result["warnings"][0]


def test_permits_of_a_site_are_numbered_one_after_the_other(acme, site, device):
    code = acme.person("verifier").peoplecode
    other = Device(acme, acme.site("2"), device.person)

    device.send("uploadReport", permit(device, verifier=code), permit(device, verifier=code))
    device.send("uploadReport", permit(other, verifier=code))
    device.send("uploadReport", permit(device, verifier=code))

    numbers = Wom.objects.filter(identifier="WP").values_list("bu_id", "other_data__wp_seqno")
    assert sorted(numbers) == [(site.pk, 1), (site.pk, 2), (site.pk, 3), (other.site.pk, 1)]


def test_a_permit_that_comes_again_keeps_its_number_and_asks_nobody_again(acme, device):
    record = permit(device, verifier=acme.person("verifier").peoplecode)
    device.send("uploadReport", record)

    device.send("uploadReport", {**record, "description": "Weld both gates"})

    stored = Wom.objects.get(uuid=record["uuid"])
    assert (stored.description, stored.other_data["wp_seqno"]) == ("Weld both gates", 1)
    assert (Wom.objects.filter(parent=stored).count(), len(calls(VERIFY))) == (2, 1)


def test_a_permit_about_which_somebody_has_decided_is_not_changed(acme, device):
    record = permit(device, verifier=acme.person("verifier").peoplecode)
    device.send("uploadReport", record)
    Wom.objects.filter(uuid=record["uuid"]).update(verifiers_status="APPROVED")

    with pytest.raises(BadInput, match="decided about the permit already"):
        device.send("uploadReport", {**record, "description": "Weld everything"})

    assert Wom.objects.get(uuid=record["uuid"]).description == "Weld the gate"


def test_a_question_that_is_answered_under_two_uuids_is_refused_for_good(acme, device):
    """The application's table has each question of a section once; another attempt would find it no other way."""
    record = permit(device, verifier=acme.person("verifier").peoplecode)
    answers = record["child"][0]["details"]
    answers.append({**answers[0], "uuid": str(uuid4())})

    with pytest.raises(BadInput, match=r"would be there twice .womdetails_question_wom_unique"):
        device.send("uploadReport", record)

    assert not Wom.objects.exclude(pk=NONE).exists()


def test_d22_a_verifier_is_one_of_the_permits_client(acme, globex, device):
    theirs = globex.person("verifier")

    with pytest.raises(BadInput, match="none of its verifiers"):
        device.send("uploadReport", permit(device, verifier=theirs.peoplecode))

    assert not Wom.objects.exclude(pk=NONE).exists()


@pytest.mark.parametrize("state", ["workpermit", "workstatus", "other_data", "verifiers_status"])
def test_what_a_permit_has_come_to_is_not_the_devices_to_say(acme, device, state):
    record = permit(device, verifier=acme.person("verifier").peoplecode)

    device.send("uploadReport", {**record, state: {"x": 1} if state == "other_data" else "APPROVED"})
    with pytest.raises(BadInput, match="cannot be used here"):
        device.send("insertRecord", {"tablename": "wom", "uuid": record["uuid"], "workstatus": "COMPLETED"})

    stored = Wom.objects.get(uuid=record["uuid"])
    assert (stored.workpermit, stored.workstatus, stored.verifiers_status) == ("PENDING", "ASSIGNED", "PENDING")
    assert stored.other_data["wp_seqno"] == 1


def test_a_returned_permit_is_done_and_told_of_once(acme, site, device):
    record = permit(device, verifier=acme.person("verifier").peoplecode)
    device.send("uploadReport", record)
    Wom.objects.filter(uuid=record["uuid"]).update(workpermit="APPROVED", workstatus="INPROGRESS")
    back = section(device, "Completed on return", "all clear", qset_id=form(device, "Return", "RETURN_WORK_PERMIT").pk)
    returned = {"tablename": "wom", "uuid": record["uuid"], "isreturnwp": "True", "child": [back]}

    device.send("uploadReport", returned)
    device.send("uploadReport", {**returned, "remarks": "again"})

    stored = Wom.objects.get(uuid=record["uuid"])
    assert (stored.workstatus, stored.workpermit) == ("COMPLETED", "APPROVED")
    last = Wom.objects.filter(parent=stored).order_by("seqno").last()
    assert last is not None
    assert (last.description, last.qset.type, last.bu_id) == ("Completed on return", "RETURN_WORK_PERMIT", site.pk)
    (call,) = calls(RETURNED)
    assert call == {
        "wom_id": stored.pk,
        "sitename": site.buname,
        "workpermit_status": "COMPLETED",
        "vendor_name": "Welders",
        "pdf_path": None,
        "permit_name": stored.other_data["wp_name"],
        "permit_no": 1,
    }


@pytest.mark.parametrize("state", [("PENDING", "ASSIGNED"), ("REJECTED", "CANCELLED"), ("APPROVED", "CANCELLED")])
def test_only_an_approved_permit_in_progress_is_given_back(acme, device, state):
    record = permit(device, verifier=acme.person("verifier").peoplecode)
    device.send("uploadReport", record)
    Wom.objects.filter(uuid=record["uuid"]).update(workpermit=state[0], workstatus=state[1])

    with pytest.raises(BadInput, match="only an approved one"):
        device.send(
            "uploadReport",
            {"tablename": "wom", "uuid": record["uuid"], "isreturnwp": True, "child": [section(device, "R", "x")]},
        )


def test_a_permit_of_another_client_is_not_given_back(acme, globex, device, other_device):
    record = permit(other_device, verifier=globex.person("verifier").peoplecode)
    other_device.send("uploadReport", record)
    Wom.objects.filter(uuid=record["uuid"]).update(workpermit="APPROVED", workstatus="INPROGRESS")

    with pytest.raises(BadInput, match="no permit with this uuid"):
        device.send(
            "uploadReport",
            {"tablename": "wom", "uuid": record["uuid"], "isreturnwp": True, "child": [section(device, "R", "x")]},
        )
    with pytest.raises(BadInput, match="cannot be used"):
        device.send(
            "uploadReport", {**permit(device, verifier=acme.person("verifier").peoplecode), "uuid": record["uuid"]}
        )

    assert Wom.objects.get(uuid=record["uuid"]).workstatus == "INPROGRESS"


def test_a_site_report_is_stored_with_its_sections(acme, site, device):
    record = {
        "tablename": "jobneed",
        "uuid": str(uuid4()),
        "identifier": "SITEREPORT",
        "jobdesc": "Night round",
        "jobstatus": "COMPLETED",
        "bu_id": site.pk,
        "child": [
            {"jobdesc": "Lights", **section(device, "Lights", "on")},
            {"jobdesc": "Doors", **section(device, "Doors", "shut", "locked")},
        ],
    }

    device.send("uploadReport", record)

    report = Jobneed.objects.get(uuid=record["uuid"])
    parts = Jobneed.objects.filter(parent=report).order_by("seqno")
    assert [(part.jobdesc, part.seqno, part.identifier, part.bu_id) for part in parts] == [
        ("Lights", 1, "SITEREPORT", site.pk),
        ("Doors", 2, "SITEREPORT", site.pk),
    ]
    assert [each.answer for each in JobneedDetails.objects.filter(jobneed=parts[1]).order_by("seqno")] == [
        "shut",
        "locked",
    ]
    assert [call["id"] for call in calls("alert_sendmail")] == [report.pk]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tablename": "ticket"}, "right is 'jobneed' or 'wom'"),
        ({"identifier": "TASK"}, "right is one of SITEREPORT"),
        ({"child": "x"}, "right is a list of sections"),
        ({"child": ["x"]}, "a section"),
        ({"child": [{"uuid": None}]}, "has no uuid"),
        ({"child": [{"uuid": str(uuid4()), "details": "x"}]}, "right is a list of answers"),
        ({"bu_id": None}, "names no site"),
    ],
)
def test_a_report_that_cannot_be_meant_is_refused(acme, site, device, change, words):
    record = {
        "tablename": "jobneed",
        "uuid": str(uuid4()),
        "identifier": "SITEREPORT",
        "jobdesc": "x",
        "bu_id": site.pk,
    }

    with pytest.raises(BadInput, match=words):
        device.send("uploadReport", {**record, **change})

    assert not Jobneed.objects.exclude(pk=NONE).exists()


def dynamic_tour(acme: Any, site: Any, device: Device, **columns: Any) -> tuple[Job, Jobneed]:
    checklist = form(device, "Round", "CHECKLIST")
    QuestionSetBelonging.objects.create(
        qset=checklist,
        question=question(device, "Clean?"),
        answertype="TEXT",
        client_id=acme.id,
        bu=site,
        **acme.stamps(),
    )
    facts = {"identifier": "INTERNALTOUR", "other_info": {"isdynamic": True}, "qset_id": NONE, **columns}
    plan = acme.plan(site, **facts)
    for nth in range(3):
        acme.plan(site, identifier="INTERNALTOUR", parent_id=plan.pk, seqno=nth, qset=checklist)
    visit = acme.work(site, identifier="INTERNALTOUR", job=plan, other_info={"isdynamic": True}, plandatetime=None)
    return plan, visit


def test_a_tour_without_a_schedule_goes_on_when_it_is_done(acme, site, device):
    plan, visit = dynamic_tour(acme, site, device)

    device.send("updateTaskTour", device.done(visit))

    following = Jobneed.objects.exclude(pk=visit.pk).get(job=plan, parent_id=NONE)
    assert (following.plandatetime, following.expirydatetime, following.jobstatus) == (None, None, "ASSIGNED")
    assert following.other_info == {"isdynamic": True}
    stops = Jobneed.objects.filter(parent=following).order_by("seqno")
    assert [(stop.seqno, stop.plandatetime, stop.job_id) for stop in stops] == [
        (nth, None, plan.pk) for nth in range(3)
    ]
    assert JobneedDetails.objects.filter(jobneed__in=stops).count() == 3
    assert JobneedDetails.objects.filter(jobneed=following, question_id=NONE).count() == 1


def test_a_tour_goes_on_once_however_often_it_is_reported(acme, site, device):
    plan, visit = dynamic_tour(acme, site, device)
    device.send("updateTaskTour", device.done(visit))
    Jobneed.objects.filter(pk=visit.pk).update(jobstatus="INPROGRESS")

    device.send("updateTaskTour", device.done(visit, remarks="again"))

    assert Jobneed.objects.filter(job=plan, parent_id=NONE).count() == 2


@pytest.mark.parametrize("change", [{"enable": False}, {"uptodate": START - timedelta(days=1)}])
def test_a_tour_whose_plan_has_ended_does_not_go_on(acme, site, device, change):
    plan, visit = dynamic_tour(acme, site, device, **change)

    device.send("updateTaskTour", device.done(visit))

    assert Jobneed.objects.filter(job=plan, parent_id=NONE).count() == 1


def test_d47_the_number_of_statements_does_not_grow_with_the_records(acme, site, device):
    def cost(count: int) -> int:
        visits = [acme.work(site) for _ in range(count)]
        for visit in visits:
            device.asked(visit, 4)
        records = [device.done(visit, alert=True) for visit in visits]
        with CaptureQueriesContext(connection) as captured:
            device.send("updateTaskTour", *records)
        return len(captured)

    assert cost(2) == cost(40)


def test_d47_permits_and_tickets_cost_the_same_however_many(acme, device):
    code = acme.person("verifier").peoplecode

    def cost(name: str, records: list[dict[str, Any]]) -> int:
        with CaptureQueriesContext(connection) as captured:
            device.send(name, *records)
        return len(captured)

    permits = [[permit(device, verifier=code) for _ in range(count)] for count in (2, 9)]
    assert cost("uploadReport", permits[0]) == cost("uploadReport", permits[1])
    tickets = [[device.ticket() for _ in range(count)] for count in (2, 9)]
    assert cost("insertRecord", tickets[0]) == cost("insertRecord", tickets[1])
