"""Celery's task signals, sent around tasks that run here: `from youtility_tasks.celery_bridge.signals import task_prerun`.

Where Celery is installed a receiver is connected to its signal of the same name, so that it is called on either side, and whoever
has connected to Celery's own is called here, too.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from youtility_tasks.errors import NotOfCelery

logger = logging.getLogger(__name__)

Receiver = Callable[..., Any]


class Signal:
    """One signal: `@task_success.connect`, or `@task_success.connect(sender=add)`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._receivers: list[tuple[Any, Receiver, Any]] = []
        self._by_task: dict[tuple[Receiver, Any], Receiver] = {}

    def connect(
        self, *receivers: Receiver, sender: Any = None, weak: bool = False, dispatch_uid: Any = None, **_: Any
    ) -> Any:
        """Call it with `sender=` and the signal's own words; a receiver that raises is logged, and the others are called."""

        def enter(receiver: Receiver) -> Receiver:
            theirs = self._of_celery() if find_spec("celery") is not None else None
            if theirs is not None:
                heard, whose = self._heard(receiver, sender)
                theirs.connect(heard, sender=whose, weak=False, dispatch_uid=dispatch_uid)
                return receiver
            key = receiver if dispatch_uid is None else dispatch_uid
            if not any(each[2] == key and each[0] is sender for each in self._receivers):
                self._receivers.append((sender, receiver, key))
            return receiver

        return enter(receivers[0]) if receivers else enter

    def disconnect(self, receiver: Receiver | None = None, sender: Any = None, dispatch_uid: Any = None) -> None:
        """Call it no more."""
        if "celery.signals" in sys.modules:
            heard, whose = (None, sender) if receiver is None else self._heard(receiver, sender)
            self._of_celery().disconnect(heard, sender=whose, dispatch_uid=dispatch_uid)
        key = receiver if dispatch_uid is None else dispatch_uid
        self._receivers = [each for each in self._receivers if not (each[2] == key and each[0] is sender)]

    def send(self, sender: Any, **named: Any) -> list[tuple[Receiver, Any]]:
        """Call all receivers of this sender, and those of any."""
        said: list[tuple[Receiver, Any]] = []
        if "celery.signals" in sys.modules:
            said += self._of_celery().send(sender=sender, **named)
        for wanted, receiver, _ in list(self._receivers):
            if wanted is not None and wanted is not sender and wanted != getattr(sender, "name", sender):
                continue
            try:
                said.append((receiver, receiver(signal=self, sender=sender, **named)))
            except Exception as error:
                logger.exception("a receiver failed signal=%s", self.name)
                said.append((receiver, error))
        return said

    def _heard(self, receiver: Receiver, sender: Any) -> tuple[Receiver, Any]:
        """What is connected to Celery's signal, and for whom. A task is known by its name: in Celery's workers another object has it."""
        if not any(each.__module__.startswith(__package__) for each in type(sender).__mro__):
            return receiver, sender
        whose = sender  # its name is asked for when there is one: it may be declared later

        def heard(sender: Any = None, **named: Any) -> Any:
            return receiver(sender=sender, **named) if getattr(sender, "name", sender) == whose.name else None

        return self._by_task.setdefault((receiver, whose), heard), None

    def _of_celery(self) -> Any:
        return getattr(importlib.import_module("celery.signals"), self.name)

    def __repr__(self) -> str:
        return f"<Signal: {self.name}>"


before_task_publish = Signal("before_task_publish")
after_task_publish = Signal("after_task_publish")
task_prerun = Signal("task_prerun")
task_postrun = Signal("task_postrun")
task_success = Signal("task_success")
task_failure = Signal("task_failure")
task_retry = Signal("task_retry")
task_revoked = Signal("task_revoked")

_WORKERS = "follow a worker by its log, `manage_task_queue workers`, or the metrics; what a child needs is set up when it imports Django"
_ABSENT = {
    "task_received": "`task_prerun` is sent as an attempt begins",
    "task_rejected": "`task_failure` is sent, and the job is a dead letter",
    "task_unknown": "a job of an unknown task is a dead letter: `manage_task_queue dead-letters`",
    "task_internal_error": "the worker's log has it",
    "task_sent": "`after_task_publish`",
    "beat_init": "there is no Beat: workers fire schedules; `manage_task_queue schedule list` shows them",
    "beat_embedded_init": "there is no Beat: workers fire schedules",
    "eventlet_pool_started": _WORKERS,
    "setup_logging": "set Django's LOGGING, which workers use as it is",
    "after_setup_logger": "set Django's LOGGING, which workers use as it is",
    "after_setup_task_logger": "set Django's LOGGING, which workers use as it is",
    "celeryd_init": _WORKERS,
    "celeryd_after_setup": _WORKERS,
    "heartbeat_sent": _WORKERS,
    "import_modules": "do it in an AppConfig's `ready`",
    "user_preload_options": "write a management command",
    "worker_before_create_process": _WORKERS,
    "worker_init": "do it in an AppConfig's `ready`",
    "worker_process_init": "do it in an AppConfig's `ready`: children import Django anew",
    "worker_process_shutdown": _WORKERS,
    "worker_ready": _WORKERS,
    "worker_shutdown": _WORKERS,
    "worker_shutting_down": _WORKERS,
}


class NotSent:
    """A signal of Celery's that is not sent here: whoever connects to it is told what to use instead."""

    def __init__(self, name: str, instead: str) -> None:
        self.name, self.instead = name, instead

    def connect(self, *args: Any, **options: Any) -> Any:
        """Raises NotOfCelery."""
        raise NotOfCelery(f"The signal {self.name!r} of Celery is not sent here; instead, {self.instead}.")


def __getattr__(name: str) -> Any:
    # Not raised here: Python would turn it into an ImportError without a word of it.
    if name in _ABSENT:
        return NotSent(name, _ABSENT[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
