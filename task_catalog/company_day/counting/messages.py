"""Messages in the sink's file: which, to whom, how often."""

from __future__ import annotations

from collections import Counter, defaultdict

from task_catalog.company_day.company import Company, domain
from task_catalog.company_day.definitions import DAY_TASKS
from task_catalog.company_day.expected import Totals
from task_catalog.company_day.processes import ADMIN
from task_catalog.company_day.sink import Delivered

from .letters import by_client

_NOTICE = "admin_notice"


def count_messages(company: Company, mails: list[Delivered]) -> Totals:
    """Each message counts once, by its Message-ID: after a crash it may have been sent again under the same one."""
    once = {mail.message_id: mail for mail in mails}.values()
    found: Totals = {}
    for task in DAY_TASKS:
        of_task = (_tenant(mail) for mail in once if mail.task == task)
        found[f"messages of {task}"] = by_client(company, of_task)
    # The effect key of a ticket's mail is ticket-mail:<id>:<event>:<ref>.
    events = Counter(mail.effect.split(":")[2] for mail in once if mail.task == "send_ticket_email")
    found["messages of send_ticket_email"] = {"created": 0, "escalated": 0, **events, "all": events.total()}
    notices = sum(mail.task == _NOTICE for mail in once)
    found["messages"] = len(once) - notices
    found["messages to the administrators"] = notices
    found["messages with one effect key and different Message-IDs"] = _ambiguous(mails)
    found["messages to people of two clients"] = sum(_strays(company, mail) for mail in mails)
    found["messages that tell of another client"] = sum(_tells_of_others(company, mail) for mail in mails)
    return found


def _tenant(mail: Delivered) -> int:
    return int(mail.tenant) if mail.tenant.isdecimal() else 0


def _ambiguous(mails: list[Delivered]) -> int:
    ids = defaultdict(set)
    for mail in mails:
        ids[mail.tenant, mail.effect].add(mail.message_id)
    return sum(len(found) > 1 for found in ids.values())


def _strays(company: Company, mail: Delivered) -> bool:
    """Whether somebody got it who is not of the client whose news it carries; notices are the administrators'."""
    if mail.task == _NOTICE:
        return set(mail.recipients) != {ADMIN}
    rows = company.clients.get(company.letter_of(_tenant(mail)))
    if rows is None:
        return True
    return any(address.rpartition("@")[2] != domain(rows.client) for address in mail.recipients)


def _tells_of_others(company: Company, mail: Delivered) -> bool:
    """Whether its text, or an attachment that can be read, names a site of another client."""
    if mail.task == _NOTICE:
        return False
    letter = company.letter_of(_tenant(mail))
    return any(name.partition("-")[0] != letter for name in mail.sites)
