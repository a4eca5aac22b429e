"""Mails of a vendor's monthly score (R-SLA): to those who approve it, then to the vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from task_catalog import deciding, letters, notices, permits, scores
from task_catalog.arguments import task
from task_catalog.conf import catalog
from task_catalog.forms import Form
from task_catalog.letters import Letter
from task_catalog.offsets import Offsets
from task_catalog.ports import mail
from task_catalog.rules import permits as permit_rules
from task_catalog.rules import scores as rules
from task_catalog.rules.recipients import valid_addresses
from task_catalog.sweeps import shortened
from youtility_tasks import BadInput, NotReady, Retry, TaskContext, queues

if TYPE_CHECKING:
    from task_catalog.facility.models import People

RUNS_TO_WAIT = 2
_RETRY = Retry(6, base=120, factor=2, cap=1800)


@task(
    name="send_email_notification_for_sla_report",
    queue_name=queues.EMAIL,
    priority=4,
    retry=_RETRY,
    timeout_s=180,
    isolated=True,
    takes_context=True,
    seed_class="sla",
)
def send_email_notification_for_sla_report(context: TaskContext, *, slaid: int, sitename: str | None) -> dict[str, Any]:
    """Work out a vendor's score, store it once and ask each approver who has not decided yet; the PDF goes along.

    `slaid` is the work order that holds the score form, `sitename` a hint.

    Second attempt: stores the same score; same effect key and Message-ID (form, person), so nobody is asked twice.
    """
    name = context.task_name
    if isinstance(slaid, bool) or not isinstance(slaid, int) or slaid < 1:
        raise BadInput(f"{name}: slaid is {slaid!r}; right is the id of a vendor score.")
    form = scores.load(name, pk=slaid)
    _concerns(context, form)
    warnings = [*form.warnings, *permit_rules.hints_that_differ({"sitename": (sitename, form.site)})]
    state = permits.state_of(form)
    if state.workpermit != permit_rules.PENDING or state.workstatus == permit_rules.CANCELLED:
        reason = f"the score is decided: {state.workpermit}, {state.workstatus}"
        return _skipped(form, scores.stored_score(form), {"messages": 0}, reason, warnings)
    if not form.sections:
        raise NotReady(f"{name}: form {slaid} has no sections yet.")
    listed = permits.approvers(form)
    pending, _ = permit_rules.to_be_asked(listed, None)
    if not pending and permit_rules.have_all_decided(listed, None):
        return _skipped(form, scores.stored_score(form), {"messages": 0}, "every approver has decided", warnings)
    people = deciding.find(pending, form).with_address()
    warnings.extend(people.warnings)
    if not people.people:
        why = "; ".join(people.warnings) or "it names nobody"
        raise BadInput(f"{name}: there is nobody to ask on form {slaid}: {why}. Correct it, then retry the job.")
    score = rules.score_of(form.sections)
    overall = scores.store(form, score)
    warnings.extend(score.warnings)
    if overall != score.overall:
        warnings.append(f"the stored score is {overall}; the answers would now give {score.overall}")
    offsets = Offsets()
    month = scores.month_of(form, offsets)
    document = scores.document(form, overall, month, context, offsets)

    def letter(person: People) -> Letter:
        key = f"sla-report:{form.row.pk}:{person.pk}"

        def make() -> mail.Message:
            return mail.Message(
                task=name,
                key=key,
                to=[person.email],
                template="score_decision",
                context={
                    **_mail_context(form, scores.head_of(form, month)),
                    "person": person.peoplename,
                    "score": str(overall),
                    "links": deciding.links("sla", form.row.uuid, person, path=catalog().sla_reply_path),
                    "valid_days": catalog().reply_valid_days,
                },
                attachments=[document.attachment()],
            )

        return Letter(key, make)

    sent = letters.send_each([letter(person) for person in people.people], bu_id=form.row.bu_id)
    warnings += [*offsets.warnings, *sent.warnings]
    return {
        "status": sent.status,
        "report_no": form.number,
        "score": float(overall),
        "messages": sent.now,
        "recipients": len(people.people),
        "warnings": shortened(warnings),
    }


@task(
    name="send_email_notification_for_sla_vendor",
    queue_name=queues.EMAIL,
    priority=5,
    retry=_RETRY,
    timeout_s=120,
    isolated=True,
    takes_context=True,
    seed_class="email",
)
def send_email_notification_for_sla_vendor(
    context: TaskContext, *, wom_id: str, report_attachment: str | None, sitename: str | None
) -> dict[str, Any]:
    """Send a vendor his approved score, approvers in copy; the PDF goes along, made anew from the form.

    `wom_id` is the work order's uuid, unlike elsewhere; `sitename` is a hint, and `report_attachment` is not read: a
    path says nothing about what lies there by now.

    Second attempt: same effect key and Message-ID (form), so the vendor gets one mail.
    """
    name = context.task_name
    form = scores.load(name, uuid=scores.checked_uuid(name, wom_id))
    _concerns(context, form)
    warnings = [*form.warnings, *permit_rules.hints_that_differ({"sitename": (sitename, form.site)})]
    overall = scores.stored_score(form)
    if form.row.workpermit != permit_rules.APPROVED:
        reason = f"the score is {form.row.workpermit}, not APPROVED"
        if context.attempt <= RUNS_TO_WAIT:
            raise NotReady(f"{name}: form {form.row.pk}: {reason}.")
        return _skipped(form, overall, {"sent": False}, reason, warnings)
    to = valid_addresses([form.vendor.email if form.vendor else None])
    if not to.addresses:
        raise BadInput(
            f"{name}: the vendor of form {form.row.pk} has no valid address: {'; '.join(to.warnings)}. "
            "Correct it, then retry the job."
        )
    if overall is None:
        overall = rules.score_of(form.sections).overall
        warnings.append("the form has no stored score; it was worked out again from the answers")
    approvers = deciding.find(permits.approvers(form), form).with_address()
    warnings.extend(approvers.warnings)
    offsets = Offsets()
    month = scores.month_of(form, offsets)
    document = scores.document(form, overall, month, context, offsets)
    key = f"sla-vendor:{form.row.uuid}"

    def make() -> mail.Message:
        return mail.Message(
            task=name,
            key=key,
            to=to.addresses,
            cc=[person.email for person in approvers.people],
            template="score_news",
            context={**_mail_context(form, scores.head_of(form, month)), "score": str(overall)},
            attachments=[document.attachment()],
        )

    sent = letters.send_each([Letter(key, make)], bu_id=form.row.bu_id)
    warnings += [*offsets.warnings, *sent.warnings]
    return {
        "status": sent.status,
        "report_no": form.number,
        "score": float(overall),
        "sent": bool(sent.now),
        "warnings": shortened(warnings),
    }


def _mail_context(form: Form, head: dict[str, Any]) -> dict[str, Any]:
    facts = [
        ("Report", head["report"]),
        ("Number", head["number"]),
        ("Site", head["site"]),
        ("Vendor", head["vendor"]),
        ("Service month", f"{head['month']} {head['year']}"),
        ("Status", form.row.workpermit),
        ("Approvers", head["approvers"]),
    ]
    return {**head, "facts": facts, "company_name": catalog().company_name}


def _concerns(context: TaskContext, form: Form) -> None:
    words = f"{scores.name_of(form)} {permits.number_of(form)} of {form.vendor_name}, {form.site}"
    notices.concerns(context.job_id, f"score:{form.row.pk}", words)


def _skipped(form: Form, score: object, more: dict[str, Any], reason: str, warnings: list[str]) -> dict[str, Any]:
    return {
        "status": "skipped",
        "reason": reason,
        "report_no": form.number,
        "score": None if score is None else float(str(score)),
        **more,
        "warnings": shortened(warnings),
    }
