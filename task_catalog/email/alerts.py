"""alert_sendmail (T08): tells of readings out of range and of routes that were not kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from task_catalog import entities
from task_catalog.alerts import Observation, attached, observe
from task_catalog.arguments import task
from task_catalog.audience import SiteAudience, name_of
from task_catalog.conf import catalog
from task_catalog.offsets import Offsets
from task_catalog.ports import mail
from task_catalog.rules.local_time import in_numbers, shown
from task_catalog.rules.recipients import is_true
from youtility_tasks import BadInput, NotReady, Retry, TaskContext, current_tenant, effects, queues

if TYPE_CHECKING:
    from task_catalog.facility.models import Jobneed, People

EVENTS = ("observation", "deviation")
RUNS_TO_WAIT = 2
"""An unknown visit is waited for that many runs: whoever enqueued the mail may not have committed yet."""


@task(
    name="alert_sendmail",
    queue_name=queues.EMAIL,
    priority=2,
    retry=Retry(6, base=120, factor=2, cap=900),
    timeout_s=90,
    takes_context=True,
    seed_class="email",
)
def alert_sendmail(context: TaskContext, *, id: int, event: str, atts: bool = False) -> dict[str, Any]:
    """Tell a site's in-charge and the client's admins what a visit found (R-ALERT).

    `id` is the occurrence, `event` is "observation" (an answer in alert) or "deviation" (a route not kept); `atts`
    attaches the visit's files, 15 MB in all. Of a tour, the stops in alert are told of with it.

    Second attempt: same effect key and Message-ID (occurrence, event), so nobody gets two mails.
    """
    if isinstance(id, bool) or not isinstance(id, int) or id < 1:
        raise BadInput(f"alert_sendmail: id is {id!r}; right is the id of an occurrence.")
    if event not in EVENTS:
        raise BadInput(f"alert_sendmail: event is {event!r}; right is one of {', '.join(EVENTS)}.")
    client_id = current_tenant()
    visit = _visit(client_id, id)
    if client_id is None or visit is None:
        told = f"alert_sendmail: client {client_id} has no occurrence {id}"
        if context.attempt <= RUNS_TO_WAIT:
            raise NotReady(f"{told} yet.")
        raise BadInput(f"{told}. Was it deleted, or is the id of another client?")
    alert = _Alert(client_id, visit, event)
    return alert.observation(attach=atts is True) if event == "observation" else alert.deviation()


class _Alert:
    """One alert about one visit."""

    def __init__(self, client_id: int, visit: Jobneed, event: str) -> None:
        self._client_id = client_id
        self._visit = visit
        self._event = event
        self._key = f"alert:{visit.pk}:{event}"
        self._offsets = Offsets()
        self._warnings: list[str] = []

    def observation(self, *, attach: bool) -> dict[str, Any]:
        visit = self._visit
        if visit.ismailsent:
            return self._result("duplicate", reason="already_sent")
        seen = observe(self._client_id, visit)
        if not visit.alerts and not seen.stops:
            return self._result("skipped", reason="nothing_in_alert")
        if seen.told_before and not seen.answers:
            _mark(self._client_id, seen)
            return self._result("skipped", reason="told_at_its_stops")
        files = attached(self._client_id, seen) if attach else None
        if files is not None:
            self._warnings.extend(files.warnings)
        offset = self._offsets.of(visit.ctzoffset, client_id=self._client_id, bu_id=visit.bu_id)
        message = self._message(
            "observation",
            {
                "checkpoint": seen.checkpoint,
                "checklist": seen.checklist,
                "facts": [
                    ("When", in_numbers(visit.endtime or visit.mdtz, offset)),
                    ("Performed by", name_of(visit.performedby)),
                    ("Description", visit.jobdesc),
                ],
                "answers": seen.answers,
                "left_out": [] if files is None else files.left_out,
            },
            () if files is None else files.attachments,
        )
        return self._send(message, seen)

    def deviation(self) -> dict[str, Any]:
        visit = self._visit
        info = visit.other_info if isinstance(visit.other_info, dict) else {}
        if not visit.deviation and not is_true(info.get("deviation")):
            return self._result("skipped", reason="no_deviation")
        offset = self._offsets.of(visit.ctzoffset, client_id=self._client_id, bu_id=visit.bu_id)
        asset = None if entities.is_none(visit.asset_id) else visit.asset
        message = self._message(
            "deviation",
            {
                "description": visit.jobdesc,
                "facts": [
                    ("Description", visit.jobdesc),
                    ("Planned", shown(visit.plandatetime, offset)),
                    ("Started", shown(visit.starttime, offset)),
                    ("Asset", "-" if asset is None else asset.assetname),
                    ("Performed by", _performer(visit.performedby)),
                ],
            },
        )
        return self._send(message, None)

    def _message(
        self, template: str, facts: dict[str, Any], attachments: Sequence[mail.Attachment] = ()
    ) -> mail.Message | None:
        people = SiteAudience(self._client_id).of(self._visit.bu_id)
        self._warnings.extend([*people.warnings, *self._offsets.warnings])
        if not people.addresses:
            return None
        site = self._visit.bu
        return mail.Message(
            task="alert_sendmail",
            key=self._key,
            to=people.addresses,
            template=template,
            context={**facts, "site": "-" if site is None else site.buname, "company_name": catalog().company_name},
            attachments=attachments,
        )

    def _send(self, message: mail.Message | None, seen: Observation | None) -> dict[str, Any]:
        if message is None:
            return self._result("skipped", reason="no_recipients")

        def deliver(message_id: str) -> None:
            self._warnings.extend(mail.deliver(message, message_id).warnings)

        then = None if seen is None else lambda: _mark(self._client_id, seen)
        sent = effects.perform(self._key, deliver, bu_id=self._visit.bu_id, then=then)
        attachments = len(message.attachments) if sent else 0
        reason = None if sent else "already_sent"
        return self._result("ok" if sent else "duplicate", sent=sent, reason=reason, attachments=attachments)

    def _result(
        self, status: str, *, sent: bool = False, reason: str | None = None, attachments: int = 0
    ) -> dict[str, Any]:
        return {
            "status": status,
            "warnings": self._warnings,
            "event": self._event,
            "sent": sent,
            "reason": reason,
            "attachments": attachments,
        }


def _visit(client_id: int | None, id: int) -> Jobneed | None:
    if client_id is None or entities.is_none(id):
        return None
    return (
        entities.Occurrence.objects.filter(pk=id, client_id=client_id)
        .select_related("bu", "qset", "asset", "performedby")
        .first()
    )


def _mark(client_id: int, seen: Observation) -> None:
    """The visit and its stops have been told of; together with the mark in the ledger, or not at all."""
    entities.Occurrence.objects.filter(client_id=client_id, pk__in=seen.visit_ids).update(ismailsent=True)


def _performer(person: People | None) -> str:
    if person is None or entities.is_none(person.pk):
        return "-"
    return f"{person.peoplename} ({person.peoplecode}), {person.mobno or 'no phone number'}"
