"""The whole life of each key, put together from what the ledger and the queue say of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from .entries import AttemptRow, Entry, Evidence, JobRow, Kind
from .shapes import SHAPES, Shape


@dataclass(slots=True)
class Attempt:
    """One run of a task as the task itself saw it."""

    begin: Entry
    claim: int | None
    effects: list[Entry] = field(default_factory=list)
    end: Entry | None = None

    @property
    def pids(self) -> set[int]:
        """Its process and those above it."""
        return {self.begin.pid, *self.begin.data.get("line", ())}

    @property
    def outcome(self) -> str:
        """ok, an error's name, or empty when it never came to its end."""
        return str(self.end.data.get("outcome", "")) if self.end is not None else ""


@dataclass(slots=True)
class Life:
    """All that is known of one key."""

    key: str
    shape: Shape | None
    entries: list[Entry] = field(default_factory=list)
    job_ids: set[int] = field(default_factory=set)
    jobs: list[JobRow] = field(default_factory=list)
    history: list[AttemptRow] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    rows: int = 0
    """Of its exactly-once effect."""

    def has(self, kind: Kind) -> bool:
        return any(entry.kind is kind for entry in self.entries)

    def of(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind is kind]

    @property
    def finals(self) -> list[AttemptRow]:
        return [row for row in self.history if row.is_final]

    @property
    def accepted(self) -> bool:
        return self.has(Kind.ACK)

    def told(self) -> list[str]:
        """The life as lines, oldest first."""
        lines = [
            f"{entry.at / 1e9:.6f} {entry.kind} job={entry.job_id} claim={entry.claim} pid={entry.pid} {entry.data or ''}".rstrip()
            for entry in self.entries
        ]
        lines += [
            f"history job={row.job_id} claim={row.claim} attempt={row.attempt} {row.outcome}"
            f"{' final' if row.is_final else ''} worker={row.worker_id} pid={row.pid}"
            for row in self.history
        ]
        lines += [
            f"queue job={row.id} claim={row.claim} {row.status} attempts={row.attempts} crashes={row.crashes} "
            f"rescues={row.rescues} worker={row.worker_id}"
            for row in self.jobs
        ]
        return lines


def lives(evidence: Evidence) -> dict[str, Life]:
    """Every key's life. A job whose key nobody intended is a life too."""
    found: dict[str, Life] = {}

    def life(key: str) -> Life:
        if key not in found:
            found[key] = Life(key, SHAPES.get(shape_name(key)), rows=evidence.dump.effects.get(key, 0))
        return found[key]

    keys: dict[int, str] = {}
    for entry in evidence.ledger:
        if entry.kind is Kind.NEMESIS or not entry.key:
            continue
        life(entry.key).entries.append(entry)
        if entry.job_id is not None:
            keys[entry.job_id] = entry.key
            life(entry.key).job_ids.add(entry.job_id)
    keys |= {row.id: row.key for row in evidence.dump.jobs if row.key}
    keys |= {row.job_id: row.key for row in evidence.dump.history if row.key}
    for row in evidence.dump.jobs:
        one = life(keys.get(row.id, f"unknown-{row.id}"))
        one.jobs.append(row)
        one.job_ids.add(row.id)
    for past in sorted(evidence.dump.history, key=lambda row: (row.claim, row.is_final)):
        one = life(keys.get(past.job_id, f"unknown-{past.job_id}"))
        one.history.append(past)
        one.job_ids.add(past.job_id)
    for key in evidence.dump.effects:
        life(key)
    for one in found.values():
        one.attempts = _attempts(one)
    return found


def shape_name(key: str) -> str:
    """The shape is the first word of a key: `locked-0017`."""
    return key.rsplit("/", 1)[-1].split("-", 1)[0]


def _attempts(life: Life) -> list[Attempt]:
    """Begins with the effects and the end that the same process wrote under the same claim, or else after it."""
    by_pid: dict[int, list[Attempt]] = defaultdict(list)
    for entry in life.entries:
        if entry.kind is Kind.BEGIN:
            by_pid[entry.pid].append(Attempt(entry, entry.claim))
        elif by_pid[entry.pid]:
            made_there = by_pid[entry.pid]
            current = next((each for each in reversed(made_there) if each.claim == entry.claim), made_there[-1])
            if entry.kind is Kind.EFFECT:
                current.effects.append(entry)
            elif entry.kind is Kind.END:
                current.end = entry
    for pid, made in by_pid.items():
        # Without a claim number of its own (the database was away) the history knows it, if it was the only one there.
        claims = {row.claim for row in life.history if row.pid == pid}
        if len(made) == 1 and made[0].claim is None and len(claims) == 1:
            made[0].claim = claims.pop()
    return sorted((each for made in by_pid.values() for each in made), key=lambda each: each.begin.at)
