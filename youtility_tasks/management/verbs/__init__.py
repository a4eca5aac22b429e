"""The verbs of `manage_task_queue`, one a module: its words, one call to the house, and how the answer is shown."""

from __future__ import annotations

import importlib
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from django.core.management.base import CommandParser

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


@dataclass(frozen=True, slots=True)
class Verbs:
    """Of one command, in the order of its help; each is loaded when it is asked for, since nobody types two at once."""

    package: str
    names: tuple[str, ...]

    def __getitem__(self, name: str) -> Verb:
        return cast(Verb, importlib.import_module(f"{self.package}.{name.replace('-', '_')}"))

    def __iter__(self) -> Iterator[Verb]:
        return map(self.__getitem__, self.names)


VERBS = Verbs(
    __name__,
    (
        "stats", "workers", "tasks", "jobs", "show", "submit", "retry", "cancel", "discard", "dead-letters", "operations", "pause",
        "resume", "limits", "schedule", "why", "cleanup", "doctor", "tenants", "tokens", "workflow", "rekey", "audit", "monitor",
    ),
)  # fmt: skip
