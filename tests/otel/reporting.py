"""The example of youtility_tasks/tracing/README.md, with a transport that writes events to a file."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.logging import ignore_logger
from sentry_sdk.transport import Transport

from youtility_tasks.workers.watched import Attempt


class ToFile(Transport):
    """One line an event."""

    def capture_envelope(self, envelope: Any) -> None:
        event = envelope.get_event()
        if event is not None:
            with Path(os.environ["TEST_EVENTS"]).open("a") as file:
                file.write(json.dumps(event, default=str) + "\n")


def begin() -> None:
    sentry_sdk.init(
        dsn="http://key@localhost/1",
        transport=ToFile,
        include_local_variables=False,  # a frame's are the arguments
        send_default_pii=False,
    )
    for name in ("youtility_tasks.workers.ended", "django.tasks", "django_tasks"):
        ignore_logger(name)  # they tell of the same failures, without the traceback or a second time


_begun = threading.Lock()
_pid = 0


@contextlib.contextmanager
def watch(attempt: Attempt) -> Iterator[None]:
    """One event for each attempt that fails."""
    global _pid
    with _begun:
        if os.getpid() != _pid:
            begin()
            _pid = os.getpid()
    with sentry_sdk.isolation_scope() as scope:
        tags = {
            "job": attempt.job_id,
            "task": attempt.task_name,
            "tenant": attempt.tenant_id,
            "attempt": attempt.number,
        }
        scope.set_tags({key: str(value) for key, value in tags.items()})
        yield
        if attempt.error is not None:
            scope.set_tag("outcome", attempt.outcome)
            sentry_sdk.capture_exception(attempt.error)
