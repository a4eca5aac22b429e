"""The verbs of `manage_task_queue`, one a module: its words, one call to the house, and how the answer is shown."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Protocol

from django.core.management.base import CommandParser

from . import (
    audit,
    cancel,
    cleanup,
    dead_letters,
    discard,
    doctor,
    jobs,
    limits,
    monitor,
    operations,
    pause,
    rekey,
    resume,
    retry,
    schedule,
    show,
    stats,
    submit,
    tasks,
    tenants,
    tokens,
    why,
    workers,
    workflow,
)
from .answer import Answer
from .scope import Scope


class Verb(Protocol):
    """What each module here offers."""

    NAME: str
    SCOPE: Scope
    HELP: str

    @property
    def EXAMPLES(self) -> Sequence[str]:
        """Lines to type, without the command's name."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the verb's words; a value that cannot be meant is refused here, with exit status 2."""

    def run(self, options: Namespace) -> Answer:
        """Do it. Raises BadUsage for words that make no sense together (2), YoutilityTaskError for a refusal (1)."""


VERBS: tuple[Verb, ...] = (
    stats,
    workers,
    tasks,
    jobs,
    show,
    submit,
    retry,
    cancel,
    discard,
    dead_letters,
    operations,
    pause,
    resume,
    limits,
    schedule,
    why,
    cleanup,
    doctor,
    tenants,
    tokens,
    workflow,
    rekey,
    audit,
    monitor,
)
