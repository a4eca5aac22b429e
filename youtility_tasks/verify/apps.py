"""The run's tasks as a Django application; only the run's own processes install it."""

from __future__ import annotations

import logging
import os

from django.apps import AppConfig

from .entries import Kind
from .ledger import ADDRESS, Ledger

REJECTED = "write rejected"
"""How the line begins with which a worker says that an ending came too late."""


WORKERS = "youtility_tasks.workers"
"""The logger above those of all their rooms."""


class Rejections(logging.Handler):
    """Writes each rejected ending into the ledger: what the queue's own counter must agree with."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg.startswith(REJECTED):
            Ledger.from_environment().write(Kind.REJECTED, job_id=record.args[0])  # type: ignore[index]


class VerifyConfig(AppConfig):
    name = "youtility_tasks.verify"
    label = "youtility_verify"

    def ready(self) -> None:
        """Listen to what this process's worker says, if it is of a run."""
        if os.environ.get(ADDRESS):
            logging.getLogger(WORKERS).addHandler(Rejections())
