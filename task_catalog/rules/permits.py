"""R-WP: who decides on a work permit, who is told, and what its state allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from .recipients import Recipients, split_addresses, valid_addresses

PENDING, APPROVED, REJECTED = "PENDING", "APPROVED", "REJECTED"
CANCELLED, COMPLETED = "CANCELLED", "COMPLETED"
EMAIL_SECTION = "email"
RETURN_SET = "RETURN_WORK_PERMIT"
GENERIC_NAME = "General Work Permit"
"""How a permit is called whose kind nobody recorded, and every permit of the way of before verifiers."""

_EMAIL_ANSWERS = {"EMAIL", "EMAILID", "EMAILADDRESS"}


class Step(Enum):
    """A "please decide" on a permit; the value is the middle of its effect keys, `wp:{id}:{step}:{person}`."""

    VERIFY = "verify"
    APPROVAL = "approval"
    LEGACY = "legacy"


class News(Enum):
    """A "for your information" on a permit; the value is the middle of its effect keys, `wp:{id}:{news}:{address}`."""

    CANCELLED = "cancel"
    RETURNED = "rwp"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Decider:
    """One entry of a permit's or a score's list of those who decide."""

    code: str
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One question of a section and what was answered."""

    question: str
    answer: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the form, in its order."""

    name: str
    answers: tuple[Answer, ...] = ()
    set_type: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What is decided about a permit so far."""

    workpermit: str
    verifiers_status: str
    workstatus: str
    is_answered: bool


def deciders(other_data: object, key: str, codes: Iterable[str] = ()) -> list[Decider]:
    """The entries of `other_data[key]`; without a list there, the codes, all of them pending.

    Entries that are no objects or have no people code are passed over: an application wrote this JSON by hand.
    """
    listed = other_data.get(key) if isinstance(other_data, Mapping) else None
    found = [
        Decider(code, str(item.get("name") or "").strip(), str(item.get("status") or PENDING).strip().upper())
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, Mapping) and (code := str(item.get("peoplecode") or "").strip())
    ]
    return found or [Decider(code, "", PENDING) for each in codes if (code := str(each).strip())]


def to_be_asked(listed: Sequence[Decider], wanted: Sequence[str] | None) -> tuple[list[Decider], list[str]]:
    """Those who have still to decide, each once, and a warning on each code of `wanted` that is not among them.

    `wanted` narrows the list; it cannot add to it, unless the permit has none.
    """
    pending = {each.code: each for each in listed if each.status == PENDING}
    if wanted is None:
        return list(pending.values()), []
    codes = list(dict.fromkeys(code.strip() for code in wanted if code.strip()))
    if not listed:
        return [Decider(code, "", PENDING) for code in codes], []
    decided = {each.code for each in listed}
    warnings = [
        f"{code!r} has decided already" if code in decided else f"{code!r} is not asked to decide on this"
        for code in codes
        if code not in pending
    ]
    return [pending[code] for code in codes if code in pending], warnings


def have_all_decided(listed: Sequence[Decider], wanted: Sequence[str] | None) -> bool:
    """Whether everyone who was to be asked is on the list and has decided."""
    decided = {each.code for each in listed if each.status != PENDING}
    asked = {each.code for each in listed} if wanted is None else {code.strip() for code in wanted if code.strip()}
    return bool(asked) and asked <= decided


def why_not_to_ask(step: Step, state: State) -> str | None:
    """Why nobody is to be asked any more, or None."""
    if state.workstatus == CANCELLED:
        return "the permit is cancelled"
    if REJECTED in (state.workpermit, state.verifiers_status):
        return "the permit is rejected"
    if state.workpermit != PENDING:
        return f"the permit is decided: {state.workpermit}"
    if step is Step.VERIFY and state.verifiers_status != PENDING:
        return f"the permit is verified: {state.verifiers_status}"
    return None


def what_is_missing_to_ask(step: Step, state: State) -> str | None:
    """What must come first before anybody can decide, or None."""
    if not state.is_answered:
        return "the permit has no answers"
    if step is Step.APPROVAL and state.verifiers_status == PENDING:
        return "not every verifier has accepted"
    return None


def what_is_missing_to_tell(news: News, state: State) -> str | None:
    """Why the news is not true (yet), or None. A permit that is cancelled is never announced as approved."""
    if news is News.APPROVED:
        if state.workpermit == APPROVED and state.workstatus != CANCELLED:
            return None
        return f"it is {state.workpermit}, {state.workstatus}, and not approved"
    wanted = CANCELLED if news is News.CANCELLED else COMPLETED
    return None if state.workstatus == wanted else f"it is {state.workstatus}, not {wanted}"


def email_section(sections: Sequence[Section]) -> Section | None:
    """The section with the addresses of vendor and security: by its name, else by the kind of its answers.

    Never by position: a section that is added on return moves all positions (D24).
    """
    for section in sections:
        if section.name.strip().lower() == EMAIL_SECTION:
            return section
    for section in sections:
        if any(_is_email(answer.kind) for answer in section.answers):
            return section
    return None


def addresses_to_tell(sections: Sequence[Section], vendor_email: str | None) -> Recipients:
    """The valid addresses of the EMAIL section; if it has none, the vendor's own."""
    section = email_section(sections)
    by_name = section is not None and section.name.strip().lower() == EMAIL_SECTION
    typed = [
        address
        for answer in (section.answers if section is not None else ())
        if by_name or _is_email(answer.kind)
        for address in split_addresses(answer.answer)
    ]
    found = valid_addresses(typed)
    if found.addresses:
        return found
    fallback = valid_addresses([vendor_email] if vendor_email and vendor_email.strip() else [])
    word = ("the permit names no address to tell; the vendor's own is used",) if fallback.addresses else ()
    return Recipients(fallback.addresses, (*found.warnings, *fallback.warnings, *word))


def return_section(sections: Sequence[Section]) -> Section | None:
    """What was filled in when the permit was returned."""
    for section in sections:
        if section.set_type == RETURN_SET:
            return section
    return next((section for section in reversed(sections) if "return" in section.name.lower().split()), None)


def body_sections(sections: Sequence[Section]) -> list[Section]:
    """The sections of the form as it was asked for: without the addresses and without the return."""
    left_out = (email_section(sections), return_section(sections))
    return [section for section in sections if not any(section is each for each in left_out)]


def last_remark(remarks: object) -> tuple[str, str]:
    """People code and words of the last remark; empty text where there is none (D24: the last, not the first)."""
    listed = [each for each in remarks if isinstance(each, Mapping)] if isinstance(remarks, list) else []
    if not listed:
        return "", ""
    return str(listed[-1].get("people") or "").strip(), str(listed[-1].get("remarks") or "").strip()


def hints_that_differ(hints: Mapping[str, tuple[object, object]]) -> list[str]:
    """A warning for each hint of the call site, `name: (given, stored)`, that the database knows better."""
    return [
        f"{name} was given as {str(given)[:100]!r}; the database says {str(stored)[:100]!r}"
        for name, (given, stored) in hints.items()
        if given is not None
        and str(given).strip().casefold() != str(stored if stored is not None else "").strip().casefold()
    ]


def _is_email(kind: str) -> bool:
    return re.sub(r"[^A-Z]", "", kind.upper()) in _EMAIL_ANSWERS
