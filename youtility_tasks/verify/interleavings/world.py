"""Workers without processes: each action is one statement of the product, told to the ledger and to the model."""

from __future__ import annotations

import copy
import json
from typing import Any

import psycopg

from youtility_tasks import queries, queues
from youtility_tasks.verify.dumping import dump
from youtility_tasks.verify.entries import Entry, Evidence, Kind
from youtility_tasks.verify.shapes import PREFIX

from .desks import Desk, Held, State
from .model import Job

QUEUE = queues.MAINTENANCE
LEASE_S = 1_800.0
"""Longer than all orders of a program take on the slowest machine, as they branch off one registration; who is frozen has been
silent for an hour."""
KEYS = (("locked-1", "lock"), ("locked-2", "lock"), ("instant-3", None), ("cancelled-4", None))
"""Two jobs of one lock, one that is nobody's business, and one that may be cancelled."""

Connection = psycopg.Connection[Any]


class World:
    """The actions, on one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.state = State()

    def prepare(self, *names: str) -> None:
        """Four waiting jobs, and a registered worker for each name."""
        for key, lock in KEYS:
            task = PREFIX + key.split("-")[0]
            self.tell(Kind.INTENT, key=key)
            ((job_id,),) = self.rows(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, tenant_id)"
                " VALUES (%s, %s, %s, %s, 1) RETURNING id",
                [QUEUE, task, lock, json.dumps({"key": key})],
            )
            self.tell(Kind.ACK, key=key, job_id=job_id)
            self.state.model.jobs[job_id] = Job(job_id, lock)
            self.state.keys[key] = job_id
        for name in names:
            self.register(name)

    def register(self, name: str) -> Desk:
        me = {"host": "world", "pid": 1, "supervisor_pid": None, "queue_name": QUEUE, "slots": 4}
        its = {"token": "", "dead": [], "lease_s": LEASE_S, "max_rescues": 10}
        ((worker_id, *_),) = self.ask("register_worker", {**me, **its})
        known = self.state.desks.get(name)
        desk = Desk(known.number if known else len(self.state.desks) + 1, worker_id)
        self.state.desks[name] = desk
        self.state.model.silent[worker_id] = False
        return desk

    def act(self, session: str, action: str) -> None:
        """One action of a session."""
        getattr(self, action)(session)

    # -- what sessions do

    def claim(self, session: str, *, is_lost: bool = False) -> None:
        desk = self.state.desks[session]
        rows = self._pump(desk, [], 2)[:-1]
        self.state.model.claim(desk.worker_id, 2)
        keys = {job_id: key for key, job_id in self.state.keys.items()}
        for row in rows:
            job_id, claim = row[3], row[8]
            if not is_lost:
                held = Held(job_id, keys[job_id], claim)
                desk.held[job_id] = held
                lock = {"lock": "lock"} if held.key.startswith("locked") else {}
                self.tell(Kind.BEGIN, desk, held, tenant=1, **lock)

    def claim_lost(self, session: str) -> None:
        """The reply never arrives: the queue thinks the jobs are ours, and we know nothing of them."""
        self.fault(session, "claim reply lost")
        self.claim(session, is_lost=True)

    def finish(self, session: str) -> None:
        """All that is held ends well."""
        self._finish(self.state.desks[session], "succeeded")

    def finish_lost(self, session: str) -> None:
        """As finish, and the reply never arrives."""
        self._finish(self.state.desks[session], "succeeded", is_lost=True)

    def retry(self, session: str) -> None:
        self._finish(self.state.desks[session], "retry")

    def crash(self, session: str) -> None:
        """The child dies with all that it holds."""
        self.fault(session, "child died")
        self._finish(self.state.desks[session], "crashed")

    def forget(self, session: str) -> None:
        """The process loses sight of what it holds, but a child goes on with it."""
        desk = self.state.desks[session]
        self.fault(session, "forgotten")
        desk.forgotten += desk.held.values()
        desk.held.clear()

    def finish_forgotten(self, session: str) -> None:
        """The child's ending arrives, under the claim that it was given."""
        desk = self.state.desks[session]
        mine, desk.forgotten = desk.forgotten, []
        self._end(desk, mine, "succeeded")

    def freeze(self, session: str) -> None:
        """The worker stands still until its lease has run out; whatever it does later, it does as a zombie."""
        desk = self.state.desks[session]
        self.fault(session, "frozen")
        desk.is_frozen = True
        self.rows(
            "UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp() - interval '1 hour' WHERE id = %s",
            [desk.worker_id],
        )
        if desk.worker_id in self.state.model.silent:
            self.state.model.silent[desk.worker_id] = True

    def renew(self, session: str) -> None:
        desk = self.state.desks[session]
        named = [*desk.held.values(), *desk.unsure.values()]
        self.state.model.renew(desk.worker_id, [held.job_id for held in named])
        # A while after its claims: of what was handed to it a moment ago a worker may not have heard.
        self.connection.execute(
            "UPDATE procrastinate_jobs SET claimed_at = claimed_at - interval '1 second' WHERE worker_id = %s",
            [desk.worker_id],
        )
        answers = self.ask(
            "renew",
            {
                "worker_id": desk.worker_id,
                "held": json.dumps([[held.job_id, held.claim] for held in named]),
                "status": "running",
                "children": "[]",
                "memory_bytes": 1,
            },
        )
        desk.is_frozen = False
        for kind, job_id in answers:
            if kind == "unregistered":
                self.register(session).forgotten = desk.forgotten
                return
            if kind == "lost":
                desk.held.pop(job_id, None)
                desk.unsure.pop(job_id, None)

    def rescue(self, session: str) -> None:
        self.state.model.rescue()
        self.ask("rescue", {"lease_s": LEASE_S, "max_rescues": 10})

    def cancel(self, session: str) -> None:
        """Cancel the one that may be cancelled: off the queue if it waits, asked to end if it runs."""
        job_id = self.state.keys["cancelled-4"]
        self.state.model.cancel(job_id)
        about = {"job_ids": [job_id], "tenant_id": None, "from_status": "todo", "reason": ""}
        if not self.ask("cancel_jobs", about):
            self.ask("abort_jobs", about)
        self.tell(Kind.CANCEL, key="cancelled-4", job_id=job_id)

    def drain(self) -> None:
        """Heal: who lives renews and finishes, who is frozen is rescued, and a clean worker takes the rest."""
        for name, desk in list(self.state.desks.items()):
            if not desk.is_frozen:
                self.renew(name)
                self.finish(name)
        self.rescue("clean")
        self.register("clean")
        for _ in range(2 * len(KEYS)):
            self.claim("clean")
            if not self.state.desks["clean"].held:
                return
            self.finish("clean")

    # -- what is looked at

    def evidence(self) -> Evidence:
        return Evidence(seed=0, ledger=list(self.state.ledger), dump=dump(self.connection))

    def disagreements(self) -> list[str]:
        """Where the tables differ from the model."""
        found = {
            row[0]: row[1:]
            for row in self.rows(
                "SELECT j.id, j.status::text, j.worker_id, j.claim_number, j.attempts, j.crash_count::int,"
                " j.rescue_count::int, (SELECT count(*) FROM youtility_tasks_history h WHERE h.job_id = j.id)"
                " FROM procrastinate_jobs j"
            )
        }
        told = []
        for job in self.state.model.jobs.values():
            if job.id in found:
                seen = found[job.id]
            else:
                ((n,),) = self.rows("SELECT count(*) FROM youtility_tasks_history WHERE job_id = %s", [job.id])
                seen = ("gone", n)
            if seen != job.seen():
                told.append(f"job {job.id} is {seen}; the model says {job.seen()}")
        return told

    def fork(self) -> State:
        """A copy of all that is outside the database."""
        return copy.deepcopy(self.state)

    # -- how

    def ask(self, name: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(queries.statement(name), parameters)
        return cursor.fetchall() if cursor.description else []

    def rows(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    def tell(self, kind: Kind, desk: Desk | None = None, held: Held | None = None, **more: Any) -> None:
        self.state.clock += 1
        known = {"key": more.pop("key", ""), "job_id": more.pop("job_id", None)}
        if held is not None:
            known = {"key": held.key, "job_id": held.job_id, "claim": held.claim}
        at = self.state.clock
        pid = desk.number if desk else 0
        self.state.ledger.append(Entry(id=str(at), kind=kind, at=at, pid=pid, data=more, **known))

    def fault(self, session: str, name: str) -> None:
        """From now to the end of the schedule: what a zombie does later is its doing too."""
        desk = self.state.desks[session]
        span: dict[str, Any] = {"from": self.state.clock, "to": 10**9}
        self.tell(Kind.NEMESIS, fault=name, pids=[desk.number], **span)

    def _finish(self, desk: Desk, verdict: str, *, is_lost: bool = False) -> None:
        again, desk.unsure = list(desk.unsure.values()), {}
        mine, desk.held = list(desk.held.values()), {}
        self._end(desk, mine, verdict, again)
        if is_lost:
            desk.unsure = {held.job_id: held for held in mine}

    def _end(self, desk: Desk, mine: list[Held], verdict: str, again: list[Held] | None = None) -> None:
        for held in mine:
            if verdict == "succeeded":
                self.tell(Kind.EFFECT, desk, held)
            if verdict != "crashed":
                self.tell(Kind.END, desk, held, outcome="ok" if verdict == "succeeded" else "Transient")
        sent = {held.job_id: held for held in [*(again or []), *mine]}
        if not sent:
            return
        outcome = {"retry": "retry"}.get(verdict, verdict)
        ended: list[dict[str, Any]] = [
            {
                "id": held.job_id,
                "claim_number": held.claim,
                "verdict": verdict,
                "outcome": outcome,
                "delay_s": 0,
                "result": held.key if verdict == "succeeded" else None,
            }
            for held in sent.values()
        ]
        accepted = set(self._pump(desk, ended, 0)[-1][0])
        self.state.model.finish(desk.worker_id, [(each["id"], each["claim_number"], verdict) for each in ended])
        stale = [held for held in mine if held.job_id not in accepted]
        for held in stale:
            self.tell(Kind.REJECTED, desk, held)
        if stale:
            self.ask("count_event", {"name": "stale_writes_rejected_total", "label": "", "n": len(stale)})

    def _pump(self, desk: Desk, ended: list[dict[str, Any]], n: int) -> list[tuple[Any, ...]]:
        return self.ask(
            "pump",
            {
                "worker_id": desk.worker_id,
                "host": "world",
                "ended": json.dumps(ended) if ended else None,
                "queue_name": QUEUE,
                "n": n,
            },
        )
