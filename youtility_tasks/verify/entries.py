"""What a run leaves behind: the ledger's entries and a dump of the queue's tables. Plain values, no database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """What an entry of the ledger says."""

    INTENT = "intent"
    """A job is about to be enqueued."""
    ACK = "ack"
    """The enqueue returned, and its transaction with it."""
    AMBIGUOUS = "ambiguous"
    """The enqueue failed after it may have committed."""
    ROLLED_BACK = "rolled_back"
    """The transaction around the enqueue was rolled back: there must be no job."""
    CANCEL = "cancel"
    """Somebody cancelled the job; `becomes` says what the queue answered."""
    REOPEN = "reopen"
    """A dead letter got new attempts."""
    BEGIN = "begin"
    """First line of the task."""
    EFFECT = "effect"
    """The task's effect outside the database."""
    END = "end"
    """Last line of the task; `outcome` is ok or the error's name."""
    REJECTED = "rejected"
    """A worker's ending came too late to be written, as its own log says."""
    NEMESIS = "nemesis"
    """A fault: its name, from and to in `at`'s nanoseconds, and the pids that it may have cost work ("*": all)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger. `at` is CLOCK_MONOTONIC in nanoseconds, the same for all processes of a host."""

    id: str
    kind: Kind
    at: int
    key: str = ""
    job_id: int | None = None
    claim: int | None = None
    pid: int = 0
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A row of the live table."""

    id: int
    key: str
    task: str
    status: str
    attempts: int
    claim: int
    crashes: int = 0
    rescues: int = 0
    worker_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """A row of the history."""

    job_id: int
    key: str
    task: str
    attempt: int
    claim: int
    status: str
    outcome: str
    is_final: bool
    pid: int | None = None
    worker_id: int | None = None
    result: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dump:
    """The queue's tables at rest; `effects` counts the rows of exactly-once effects by key."""

    jobs: list[JobRow]
    history: list[AttemptRow]
    effects: dict[str, int] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds that the run's settings promise."""

    max_crashes: int = 3
    max_rescues: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a verdict is made from."""

    seed: int
    ledger: list[Entry]
    dump: Dump
    limits: Limits = field(default_factory=Limits)

    def save(self, path: Path) -> None:
        """Write it as one JSON document, for `load`."""
        path.write_text(json.dumps(asdict(self), separators=(",", ":")), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Evidence:
        """Read what `save` wrote."""
        told = json.loads(path.read_text(encoding="utf-8"))
        dump = told["dump"]
        return cls(
            seed=told["seed"],
            ledger=entries(told["ledger"]),
            dump=Dump(
                jobs=[JobRow(**row) for row in dump["jobs"]],
                history=[AttemptRow(**row) for row in dump["history"]],
                effects=dump["effects"],
                counters=dump["counters"],
            ),
            limits=Limits(**told["limits"]),
        )


def entries(rows: Iterable[dict[str, Any]]) -> list[Entry]:
    """Entries from their JSON form, each once however often it was written, in the order of time."""
    found = {row["id"]: Entry(**{**row, "kind": Kind(row["kind"])}) for row in rows}
    return sorted(found.values(), key=lambda entry: (entry.at, entry.id))
