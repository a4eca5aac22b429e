"""Permits, scores and photos as workflows: who decided what releases which task."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from task_catalog.flows import photo_to_control_room, vendor_score, work_permit
from task_catalog.flows.work_permit import Gate, Outcome
from tests.integration.desk import Claimed, Desk
from tests.workflows.test_spreading import commit
from youtility_tasks import Run, errors, tenant
from youtility_tasks.models import Tenant

pytestmark = pytest.mark.django_db

FACTS = {"sitename": "s", "workpermit_status": "APPROVED", "permit_name": "p", "vendor_name": "v"}
NEWS = {**FACTS, "wom_id": 5, "pdf_path": None, "permit_no": 3}
ASKING = {**FACTS, "womid": 5, "approvers_code": ["A1"], "client_id": 7}
_OF = "send_email_notification_for_"


@pytest.fixture(autouse=True)
def client() -> Any:
    Tenant.objects.create(id=7, name="Acme")
    with tenant(7):
        yield


class Clerk:
    """Takes whatever is released and says that it is done."""

    def __init__(self, queue_name: str) -> None:
        self.desk = Desk(queue_name)

    def released(self) -> list[str]:
        commit()
        jobs: list[Claimed] = self.desk.claim()
        for job in jobs:
            self.desk.finish(job, "succeeded")
        return sorted(job.task_name.removeprefix(_OF) for job in jobs)


def permit(from_mobile: bool = False) -> str:
    known_as = str(uuid.uuid4())
    run = work_permit.begin(known_as, from_mobile=from_mobile, womid=5, verifiers=["V1"], client_id=7, **FACTS)
    assert run == work_permit.begin(known_as, from_mobile=from_mobile, womid=5, verifiers=["V1"], client_id=7, **FACTS)
    return known_as


@pytest.mark.parametrize(("from_mobile", "asked"), [(False, "wp_verifier"), (True, "wp_from_mobile_for_verifier")])
def test_a_permit_goes_from_gate_to_gate(from_mobile: bool, asked: str) -> None:
    clerk, known_as = Clerk("email"), permit(from_mobile)
    assert clerk.released() == [asked]

    work_permit.decide(known_as, Gate.VERIFICATION, Outcome.ACCEPTED, ASKING)
    assert clerk.released() == ["workpermit_approval"]
    work_permit.decide(known_as, Gate.APPROVAL, Outcome.ACCEPTED, NEWS)
    assert clerk.released() == ["vendor_and_security_after_approval"]
    work_permit.decide(known_as, Gate.RETURN, Outcome.ACCEPTED, NEWS)
    assert clerk.released() == ["vendor_and_security_for_rwp"]

    assert Run.by_key(work_permit.NAME, known_as).status == "succeeded"
    with pytest.raises(errors.SignalRefused):
        work_permit.decide(known_as, Gate.RETURN, Outcome.ACCEPTED, NEWS)


def test_a_permit_that_is_rejected_is_over_and_nobody_is_told() -> None:
    clerk, known_as = Clerk("email"), permit()
    clerk.released()

    work_permit.decide(known_as, Gate.VERIFICATION, Outcome.REJECTED, {})

    assert clerk.released() == []
    assert Run.by_key(work_permit.NAME, known_as).status == "succeeded"


@pytest.mark.parametrize("passed", [0, 1, 2])
def test_a_permit_can_be_cancelled_at_every_gate(passed: int) -> None:
    clerk, known_as = Clerk("email"), permit()
    for gate, facts in list(zip(Gate, (ASKING, NEWS), strict=False))[:passed]:
        work_permit.decide(known_as, gate, Outcome.ACCEPTED, facts)
        commit()
    clerk.released()

    work_permit.cancel(known_as, NEWS)

    assert clerk.released() == ["vendor_and_security_of_wp_cancellation"]
    assert Run.by_key(work_permit.NAME, known_as).status == "succeeded"


@pytest.mark.parametrize(("is_accepted", "told"), [(True, ["sla_vendor"]), (False, [])])
def test_a_vendor_is_told_of_a_score_that_was_accepted(is_accepted: bool, told: list[str]) -> None:
    clerk, known_as = Clerk("email"), str(uuid.uuid4())
    vendor_score.begin(form_id=3, uuid=known_as, site_name="s")
    assert clerk.released() == ["sla_report"]

    vendor_score.decide(known_as, is_accepted=is_accepted)

    assert clerk.released() == told
    assert Run.by_key(vendor_score.NAME, known_as).status == "succeeded"


def test_a_score_that_nobody_began_cannot_be_decided() -> None:
    with pytest.raises(errors.WorkflowNotFound, match="vendor score: nobody"):
        vendor_score.decide("nobody", is_accepted=True)


@pytest.mark.parametrize("is_mismatch", [True, False])
def test_only_a_photo_that_shows_somebody_else_goes_on_to_the_control_room(is_mismatch: bool) -> None:
    run = photo_to_control_room.begin(pel_uuid=str(uuid.uuid4()), peopleid=4, attachment_uuid=str(uuid.uuid4()))
    faces, upkeep = Desk("high_priority"), Desk("maintenance")
    faces.finish(
        faces.take(),
        "succeeded",
        result={"is_mismatch": True, "mismatch": {"side": "in"}} if is_mismatch else {"status": "ok"},
    )

    for result in ({"topic": "noc", "message": "{}"}, {}):
        for job in upkeep.claim():
            upkeep.finish(job, "succeeded", result=result)

    word = "succeeded" if is_mismatch else "skipped"
    assert run.statuses() == {
        "perform_facerecognition_bgt": "succeeded",
        "send_mismatch_notification": word,
        "publish_mqtt": word,
    }
    assert run.status == "succeeded"
