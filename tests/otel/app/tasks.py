"""Tasks whose way is followed by traces, logs and error reports. Their arguments are to be seen nowhere."""

from __future__ import annotations

import logging
import os
import signal
import time

from django.core.mail import send_mail
from django.db import connection

from youtility_tasks import Retry, TaskContext, Transient, queues, task

logger = logging.getLogger("people")


@task(queue_name=queues.EMAIL, takes_context=True, retry=Retry(3, base=1))
def welcomes(context: TaskContext, *, person: str) -> str:
    """Fails at first; then asks the database and writes a mail."""
    logger.warning("somebody is welcomed")
    if context.attempt == 1:
        raise Transient("the mail server is asleep")
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text", [person])
        found = cursor.fetchone()[0]
    send_mail("Welcome", f"Dear {found}", "us@example.com", ["them@example.com"])
    return "sent"


@task(queue_name=queues.EMAIL, retry=Retry(2, base=1))
def breaks(*, person: str) -> None:
    """A bug, in each of its two attempts, with the argument in a local variable."""
    greeting = f"Dear {person}"
    raise RuntimeError(f"no greeting of {len(greeting)} characters")


@task(queue_name=queues.EMAIL)
async def counts_letters(*, person: str) -> int:
    return len(person)


@task(queue_name=queues.EMAIL, retry=Retry(1))
def is_killed(*, person: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@task(queue_name=queues.EMAIL, retry=Retry(1))
def mails(*, n: int) -> None:
    send_mail(f"Mail {n}", "As promised", "us@example.com", ["them@example.com"])


@task(queue_name=queues.HIGH_PRIORITY, tenant="all")
def takes(*, seconds: float) -> None:
    time.sleep(seconds)
