"""W2: a permit is verified, approved and returned, and whoever it concerns is told; it may be refused or cancelled before.

Three gates, one behind the other, at which people decide; what they decided is in the permit's row, which each task asks again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from task_catalog.email.work_permits import (
    send_email_notification_for_vendor_and_security_after_approval,
    send_email_notification_for_vendor_and_security_for_rwp,
    send_email_notification_for_vendor_and_security_of_wp_cancellation,
    send_email_notification_for_workpermit_approval,
    send_email_notification_for_wp_from_mobile_for_verifier,
    send_email_notification_for_wp_verifier,
)
from youtility_tasks import Run, Task, Workflow, current_tenant
from youtility_tasks.models import WorkflowStep

NAME = "work permit"
_FACTS = ("sitename", "workpermit_status", "permit_name", "vendor_name")
"""Hints that the pages pass along; the tasks believe the database."""


class Gate(StrEnum):
    """Where people decide, in this order."""

    VERIFICATION = "verification"
    APPROVAL = "approval"
    RETURN = "return"


class Outcome(StrEnum):
    """What they decide."""

    ACCEPTED = "accepted"
    """Verified, approved or returned: the next ones are told, and the next gate opens."""
    REJECTED = "rejected"
    """Nobody is told, and the run ends."""
    CANCELLED = "cancelled"
    """Vendor and security are told, and the run ends."""


def begin(uuid: UUID | str, *, from_mobile: bool, **arguments: Any) -> Run:
    """Ask the verifiers of a permit, in the caller's transaction; a second call finds the same run.

    `arguments` are those of the verifier's mail: womid, verifiers, client_id and the hints.
    """
    return begin_many({uuid: arguments}, from_mobile=from_mobile)[0]


def begin_many(permits: Mapping[UUID | str, Mapping[str, Any]], *, from_mobile: bool) -> list[Run]:
    """`begin` for several permits, by uuid, with one statement."""
    return Workflow.start_many(
        [(_flow(arguments, from_mobile), None, str(uuid)) for uuid, arguments in permits.items()]
    )


def _flow(arguments: Mapping[str, Any], from_mobile: bool) -> Workflow:
    ask = (
        send_email_notification_for_wp_from_mobile_for_verifier
        if from_mobile
        else send_email_notification_for_wp_verifier
    )
    flow = Workflow(NAME)
    flow.step(ask, args=arguments)
    told: dict[Gate, tuple[Task, tuple[str, ...]]] = {
        Gate.VERIFICATION: (send_email_notification_for_workpermit_approval, ("womid", "approvers_code", "client_id")),
        Gate.APPROVAL: (
            send_email_notification_for_vendor_and_security_after_approval,
            ("wom_id", "pdf_path", "permit_no"),
        ),
        Gate.RETURN: (send_email_notification_for_vendor_and_security_for_rwp, ("wom_id", "pdf_path", "permit_no")),
    }
    before = None
    for gate, (task, names) in told.items():
        # Not behind the mails: whoever decides on a page need not have had one.
        if before is None:
            decided = flow.signal(gate)
        else:
            decided = flow.signal(gate, after=before, when=before.result["outcome"].equals(Outcome.ACCEPTED))
        facts = {name: decided.result["facts"][name] for name in (*names, *_FACTS)}
        flow.step(
            task,
            name=f"{gate} accepted",
            after=decided,
            when=decided.result["outcome"].equals(Outcome.ACCEPTED),
            args=facts,
        )
        facts = {name: decided.result["facts"][name] for name in ("wom_id", "permit_no", *_FACTS)}
        flow.step(
            send_email_notification_for_vendor_and_security_of_wp_cancellation,
            name=f"{gate} cancelled",
            after=decided,
            when=decided.result["outcome"].equals(Outcome.CANCELLED),
            args=facts,
        )
        before = decided
    return flow


def decide(uuid: UUID | str, gate: Gate, outcome: Outcome, facts: Mapping[str, Any]) -> None:
    """Say what was decided at a gate, in the transaction that stores it. `facts`: the arguments of the mail that follows.

    Raises WorkflowNotFound for a permit that began without a run, SignalRefused for a gate that is decided already.
    """
    Run.by_key(NAME, str(uuid)).signal(gate, {"outcome": outcome, "facts": dict(facts)})


def cancel(uuid: UUID | str, facts: Mapping[str, Any]) -> None:
    """Say that a permit was cancelled, at whichever gate it stands; raises as `decide`."""
    run = Run.by_key(NAME, str(uuid))
    statuses = run.statuses()
    gate = next((each for each in Gate if statuses[each] in ("blocked", "todo")), Gate.RETURN)
    decide(uuid, gate, Outcome.CANCELLED, facts)


def awaiting(uuids: Iterable[UUID | str], gate: Gate) -> set[str]:
    """Of these permits of the current client those whose run waits at this gate. One that began before there were runs has none, and one
    whose earlier gates nobody told of has not come to it."""
    steps = WorkflowStep.objects.filter(name=gate, status="todo", workflow__name=NAME)
    keys = [str(uuid) for uuid in uuids]
    found = steps.filter(tenant_id=current_tenant() or 0, workflow__key__in=keys).values_list(
        "workflow__key", flat=True
    )
    return {str(key) for key in found}
