"""Tells the administrators, once and without getting in anybody's way.

`promise` goes into the caller's transaction, so a notice exists if and only if its cause was stored. `send_pending` is
called after the commit by the task that promised it, and by every later run, so a mail server that is down delays a
notice and never loses it. Both work for the current tenant.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from task_catalog.conf import catalog
from task_catalog.ports import mail
from task_catalog.rules.recipients import valid_addresses
from youtility_tasks import BadInput, NotReady, Transient, effects, errors

logger = logging.getLogger(__name__)

PREFIX = "notice:"
TASK_HEADER = "admin_notice"


def promise(key: str, subject: str, lines: Sequence[str]) -> bool:
    """Note down, in the caller's transaction, that the administrators shall hear of this; True the first time.

    `key` says what the notice is about and how often it may be sent: `bad-cron:17:2025-03-03` is one a day.
    """
    return effects.promise(PREFIX + key, payload={"subject": subject, "lines": list(lines)})


def send_pending() -> int:
    """Mail what is promised, outside a transaction; returns how many notices left.

    Best effort: a notice that cannot be sent now stays promised, and the caller's own work is never failed by it.
    """
    waiting = effects.pending(PREFIX)
    if not waiting:
        return 0
    to = valid_addresses(catalog().admin_emails).addresses
    sent = 0
    with mail.session():
        for notice in waiting:
            if not to:
                logger.warning("admin notice dropped, TASK_CATALOG['admin_emails'] is empty key=%s", notice.key)
                effects.skip(notice.key, "no_recipients")
                continue
            try:
                sent += _send(notice, to)
            except BadInput as error:
                logger.warning("admin notice refused key=%s error=%s", notice.key, error)
                effects.skip(notice.key, str(error))
            except NotReady:
                continue
            except errors.SoftTimeLimit:
                raise
            except Transient as error:
                logger.warning("admin notices wait for the mail server key=%s error=%s", notice.key, error)
                break
    return sent


def _send(notice: effects.Pending, to: Sequence[str]) -> bool:
    message = mail.Message(
        task=TASK_HEADER,
        key=notice.key,
        to=to,
        template="admin_notice",
        context={
            "notice": notice.payload["subject"],
            "lines": notice.payload["lines"],
            "company_name": catalog().company_name,
        },
    )

    def deliver(message_id: str) -> None:
        mail.deliver(message, message_id)

    return effects.perform(notice.key, deliver)
