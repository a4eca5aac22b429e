"""The mails of a work permit's way (R-WP): one implementation of "please decide", one of "for your information"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from task_catalog import deciding, letters, notices, permits
from task_catalog.conf import catalog
from task_catalog.deciding import Found
from task_catalog.forms import Form
from task_catalog.keys import digest
from task_catalog.letters import Letter
from task_catalog.offsets import Offsets
from task_catalog.ports import mail
from task_catalog.rules import permits as rules
from task_catalog.rules.permits import Decider, News, Step
from task_catalog.sweeps import shortened
from youtility_tasks import BadInput, NotReady, TaskContext

if TYPE_CHECKING:
    from task_catalog.facility.models import People

RUNS_TO_WAIT = 2
"""News that are not true yet are waited for that many runs: whoever enqueued the mail may not have committed yet."""


def ask(
    context: TaskContext,
    step: Step,
    womid: int,
    codes: Sequence[str] | None,
    hints: Mapping[str, object],
    *,
    client_id: int | None,
    bu_id: int | None = None,
) -> dict[str, Any]:
    """Ask each person who has still to decide on a permit; the result that the four tasks give.

    `codes` narrows who is asked; `hints` are the call site's "sitename", "vendor_name", "permit_name" and "status".
    Raises BadInput when there is no such permit or nobody who could be asked, and NotReady before its time.
    """
    name = context.task_name
    wanted = _checked_codes(name, codes)
    permit = permits.load(name, womid, client_id=client_id, bu_id=bu_id)
    _concerns(context, permit)
    warnings = [*permit.warnings, *_differences(permit, hints, status=_asked_status(step, permit))]
    state = permits.state_of(permit)
    reason = rules.why_not_to_ask(step, state)
    if reason is not None:
        return _skipped(permit, reason, warnings)
    missing = rules.what_is_missing_to_ask(step, state)
    if missing is not None:
        raise NotReady(f"{name}: permit {womid} is not ready: {missing}.")
    listed = permits.verifiers(permit) if step is Step.VERIFY else permits.approvers(permit)
    pending, words = rules.to_be_asked(listed, wanted)
    warnings.extend(words)
    if not pending and rules.have_all_decided(listed, wanted):
        return _skipped(permit, "everyone who was to be asked has decided", warnings)
    people = _people(name, permit, pending)
    warnings.extend(people.warnings)
    offsets = Offsets()
    document = None if step is Step.LEGACY else permits.document(permit, context, offsets)

    def letter(person: People) -> Letter:
        key = f"wp:{permit.row.pk}:{step.value}:{person.pk}"

        def make() -> mail.Message:
            return mail.Message(
                task=name,
                key=key,
                to=[person.email],
                template="permit_decision",
                context=_question(permit, step, person),
                attachments=() if document is None else (document.attachment(),),
            )

        return Letter(key, make)

    sent = letters.send_each([letter(person) for person in people.people], bu_id=permit.row.bu_id)
    warnings += [*offsets.warnings, *sent.warnings]
    return _result(permit, sent.status, sent.now, len(people.people), warnings)


def tell(
    context: TaskContext, news: News, wom_id: int, hints: Mapping[str, object], *, with_document: bool
) -> dict[str, Any]:
    """Tell vendor and security what became of a permit; the result that the three tasks give.

    Raises BadInput when there is no such permit or nobody to tell, and NotReady for two runs while the news is not true.
    """
    name = context.task_name
    permit = permits.load(name, wom_id)
    _concerns(context, permit)
    status = permit.row.workpermit if news is News.APPROVED else permit.row.workstatus
    warnings = [*permit.warnings, *_differences(permit, hints, status=status)]
    missing = rules.what_is_missing_to_tell(news, permits.state_of(permit))
    if missing is not None:
        if context.attempt <= RUNS_TO_WAIT:
            raise NotReady(f"{name}: permit {wom_id} is not so far: {missing}.")
        return _skipped(permit, missing, warnings)
    to = rules.addresses_to_tell(permit.sections, permit.vendor.email if permit.vendor else None)
    warnings.extend(to.warnings)
    if not to.addresses:
        raise BadInput(
            f"{name}: permit {wom_id} names nobody to tell, and its vendor has no valid address. "
            "Add an address to its EMAIL section or to the vendor, then retry the job."
        )
    offsets = Offsets()
    document = permits.document(permit, context, offsets) if with_document else None
    facts = permits.facts_of(permit, status=status)
    if news is News.CANCELLED:
        facts += _cancelled_by(permit, warnings)

    def letter(address: str) -> Letter:
        key = f"wp:{permit.row.pk}:{news.value}:{digest(address.casefold())}"

        def make() -> mail.Message:
            return mail.Message(
                task=name,
                key=key,
                to=[address],
                template="permit_news",
                context={
                    **_head(permit),
                    "news": news.value,
                    "status": status,
                    "facts": facts,
                    "has_document": document is not None,
                },
                attachments=() if document is None else (document.attachment(),),
            )

        return Letter(key, make)

    sent = letters.send_each([letter(address) for address in to.addresses], bu_id=permit.row.bu_id)
    warnings += [*offsets.warnings, *sent.warnings]
    return _result(permit, sent.status, sent.now, len(to.addresses), warnings)


def _people(name: str, permit: Form, pending: Sequence[Decider]) -> Found:
    """Those who can be asked. Raises BadInput when that is nobody: the permit would wait for ever."""
    people = deciding.find(pending, permit).with_address()
    if not people.people:
        why = "; ".join(people.warnings) or "it names nobody"
        raise BadInput(
            f"{name}: there is nobody to ask on permit {permit.row.pk}: {why}. Correct it, then retry the job."
        )
    return people


def _question(permit: Form, step: Step, person: People) -> dict[str, Any]:
    kind = rules.GENERIC_NAME if step is Step.LEGACY else permits.name_of(permit)
    return {
        **_head(permit),
        "permit": kind,
        "step": step.value,
        "person": person.peoplename,
        "facts": permits.facts_of(permit, status=_asked_status(step, permit), name=kind),
        "links": deciding.links(step.value, permit.row.pk, person, path=catalog().permit_reply_path),
        "has_document": step is not Step.LEGACY,
        "valid_days": catalog().reply_valid_days,
    }


def _head(permit: Form) -> dict[str, Any]:
    return {
        "permit": permits.name_of(permit),
        "number": permits.number_of(permit),
        "site": permit.site,
        "company_name": catalog().company_name,
    }


def _cancelled_by(permit: Form, warnings: list[str]) -> list[tuple[str, object]]:
    code, reason = rules.last_remark(permit.row.remarks)
    if not code and not reason:
        warnings.append("the permit was cancelled without a remark")
    found = deciding.find([Decider(code, "", "")] if code else [], permit, also_disabled=True)
    name = found.people[0].peoplename if found.people else code
    return [("Cancelled by", name or "-"), ("Reason", reason or "-")]


def _asked_status(step: Step, permit: Form) -> str:
    return permit.row.verifiers_status if step is Step.VERIFY else permit.row.workpermit


def _checked_codes(name: str, codes: object) -> list[str] | None:
    if codes is None:
        return None
    if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
        raise BadInput(f"{name}: the people codes are {codes!r:.200}; right is a list of text.")
    return codes or None


def _differences(permit: Form, hints: Mapping[str, object], *, status: str) -> list[str]:
    stored = {
        "sitename": permit.site,
        "vendor_name": permit.vendor_name,
        "permit_name": permits.name_of(permit),
        "permit_no": permits.number_of(permit),
        "workpermit_status": status,
    }
    return rules.hints_that_differ({name: (given, stored[name]) for name, given in hints.items()})


def _concerns(context: TaskContext, permit: Form) -> None:
    words = f"{permits.name_of(permit)} {permits.number_of(permit)}, {permit.site}"
    notices.concerns(context.job_id, f"permit:{permit.row.pk}", words)


def _skipped(permit: Form, reason: str, warnings: list[str]) -> dict[str, Any]:
    return {**_result(permit, "skipped", 0, 0, warnings), "reason": reason}


def _result(permit: Form, status: str, messages: int, recipients: int, warnings: list[str]) -> dict[str, Any]:
    return {
        "status": status,
        "permit_no": permit.number,
        "messages": messages,
        "recipients": recipients,
        "warnings": shortened(warnings),
    }
