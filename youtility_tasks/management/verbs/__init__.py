"""The verbs of `manage_task_queue`, one a module: its words, one call to the house, and how the answer is shown."""

from __future__ import annotations

from argparse import Namespace
from typing import Protocol

from django.core.management.base import CommandParser

from . import (
    cancel,
    cleanup,
    dead_letters,
    discard,
    doctor,
    jobs,
    retry,
    show,
    stats,
    submit,
    tasks,
    tenants,
    workers,
)
from .answer import Answer


class Verb(Protocol):
    """What each module here offers."""

    NAME: str
    HELP: str

    def add_arguments(self, parser: CommandParser) -> None: ...

    def run(self, options: Namespace) -> Answer: ...


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
    cleanup,
    doctor,
    tenants,
)
