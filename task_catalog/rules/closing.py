"""Auto-close: which work is over, what becomes of it and who must hear of it (catalog.md R-ACL)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from task_catalog.rules.recipients import is_true

ASSIGNED, INPROGRESS, COMPLETED = "ASSIGNED", "INPROGRESS", "COMPLETED"
AUTOCLOSED, PARTIALLYCOMPLETED = "AUTOCLOSED", "PARTIALLYCOMPLETED"

CLOSABLE = ("TASK", "INTERNALTOUR", "EXTERNALTOUR", "PPM", "SITEREPORT")
"""Kinds of work that the server closes."""
OPEN = (ASSIGNED, INPROGRESS)
HANDLED_FLAGS = ("autoclosed_by_server", "email_sent", "ticket_generated")
"""Any of them set says that the server has dealt with a row before."""


class Notice(Enum):
    """What happens when work is missed, by the code of its notify category."""

    NOTHING = "AUTOCLOSED"
    MAIL = "AUTOCLOSENOTIFY"
    MAIL_AND_TICKET = "RAISETICKETNOTIFY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the rules need to know of an occurrence."""

    is_root: bool
    identifier: str
    status: str
    expires_at: datetime | None
    other_info: Mapping[str, Any] = field(default_factory=dict)


def is_due(work: Work, *, now: datetime, lookback: timedelta) -> bool:
    """Whether the server must close this work now.

    Expired, but not longer ago than `lookback`; still open, or closed by the device and not yet dealt with. Dynamic
    tours are never due: their next round is made when the last one ends.
    """
    if not work.is_root or work.identifier not in CLOSABLE or is_true(work.other_info.get("isdynamic")):
        return False
    if work.expires_at is None or not now - lookback <= work.expires_at <= now:
        return False
    return work.status in OPEN or (work.status == AUTOCLOSED and not was_handled(work.other_info))


def was_handled(other_info: Mapping[str, Any]) -> bool:
    """Whether the server has dealt with a closed row before; a row closed by the device has none of the flags."""
    return any(is_true(other_info.get(flag)) for flag in HANDLED_FLAGS)


def new_status(status: str, children: Sequence[str]) -> str:
    """What a due row becomes: PARTIALLYCOMPLETED when some but not all of a started tour's stops were done.

    A tour whose stops are all done is closed too: nobody handed it in.
    """
    done = sum(1 for child in children if child == COMPLETED)
    return PARTIALLYCOMPLETED if status == INPROGRESS and 0 < done < len(children) else AUTOCLOSED


def notice_for(category: str | None) -> Notice:
    """What is to be done besides closing; any other or missing category means nothing."""
    try:
        return Notice(category)
    except ValueError:
        return Notice.NOTHING


def closed_flags(notice: Notice) -> dict[str, bool]:
    """What is set in `other_info` of a row that the server has closed; what else is in it stays."""
    return {
        "autoclosed_by_server": True,
        "email_sent": notice is not Notice.NOTHING,
        "ticket_generated": notice is Notice.MAIL_AND_TICKET,
    }


def kind_in_words(identifier: str) -> str:
    """What people call this kind of work."""
    return {
        "TASK": "Task",
        "INTERNALTOUR": "Tour",
        "EXTERNALTOUR": "External tour",
        "PPM": "Maintenance",
        "SITEREPORT": "Site report",
    }.get(identifier, identifier)


def ticket_text(identifier: str, description: str, planned: str) -> str:
    """Description of the ticket that missed work raises; `planned` is its local plan time, as shown to people."""
    return f"{kind_in_words(identifier)} {description!r}, planned for {planned}, was missed: no report came in time."
