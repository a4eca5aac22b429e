"""A run that never took place: a ledger and a dump, made by hand, one job at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from youtility_tasks.verify.case import Check
from youtility_tasks.verify.checker import check
from youtility_tasks.verify.entries import AttemptRow, Dump, Entry, Evidence, JobRow, Kind


class Story:
    """Tells a run; `broken()` are the letters of the invariants that the checker finds broken."""

    def __init__(self) -> None:
        self.ledger: list[Entry] = []
        self.dump = Dump(jobs=[], history=[])
        self.clock = 0

    def tell(self, kind: Kind, key: str = "", **fields: Any) -> Entry:
        self.clock += 10
        at = fields.pop("at", self.clock)
        known = {name: fields.pop(name) for name in ("job_id", "claim", "pid") if name in fields}
        entry = Entry(id=str(len(self.ledger)), kind=kind, key=key, at=at, data=fields, **known)
        self.ledger.append(entry)
        return entry

    def enqueued(self, key: str, job_id: int) -> None:
        self.tell(Kind.INTENT, key, tenant=1)
        self.tell(Kind.ACK, key, job_id=job_id)

    def ran(self, key: str, job_id: int, claim: int = 1, *, pid: int = 100, ends: str = "ok", **more: Any) -> None:
        """A whole attempt, with its effect."""
        about: dict[str, Any] = {"job_id": job_id, "claim": claim, "pid": pid}
        self.tell(Kind.BEGIN, key, **about, tenant=1, **more)
        self.tell(Kind.EFFECT, key, **about)
        if ends:
            self.tell(Kind.END, key, **about, outcome=ends)

    def recorded(self, key: str, job_id: int, claim: int = 1, outcome: str = "succeeded", **fields: Any) -> None:
        """A row of the history; a final one unless it says otherwise."""
        status = outcome if outcome in ("succeeded", "aborted", "cancelled") else "failed"
        row = AttemptRow(
            job_id=job_id,
            key=key,
            task="verify_" + key.split("-")[0],
            attempt=fields.pop("attempt", 1),
            claim=claim,
            status=status,
            outcome=outcome,
            is_final=fields.pop("is_final", outcome not in ("lost", "crashed", "retry")),
            **fields,
        )
        self.dump.history.append(row)

    def queued(self, key: str, job_id: int, status: str, **fields: Any) -> None:
        """A row of the live table."""
        task = "verify_" + key.split("-")[0]
        row = JobRow(
            id=job_id, key=key, task=task, status=status, attempts=fields.pop("attempts", 0), claim=1, **fields
        )
        self.dump.jobs.append(row)

    def fault(self, *pids: int, start: int = 0, end: int = 10_000) -> None:
        told: Any = list(pids) or "*"
        self.tell(Kind.NEMESIS, fault="a fault", pids=told, **{"from": start, "to": end})

    def well(self, key: str = "instant-1", job_id: int = 1, **more: Any) -> Story:
        """A job that was enqueued, ran and succeeded."""
        self.enqueued(key, job_id)
        self.ran(key, job_id, **more)
        self.recorded(key, job_id)
        return self

    def counted(self, **counters: int) -> None:
        self.dump = replace(self.dump, counters=counters)

    def effects(self, **rows: int) -> None:
        self.dump = replace(self.dump, effects={key.replace("_", "-"): n for key, n in rows.items()})

    def evidence(self) -> Evidence:
        return Evidence(seed=0, ledger=self.ledger, dump=self.dump)

    def checks(self) -> dict[str, Check]:
        return {each.name[0]: each for each in check(self.evidence())}

    def broken(self) -> set[str]:
        return {letter for letter, each in self.checks().items() if not each.ok}
