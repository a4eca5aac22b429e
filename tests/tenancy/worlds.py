"""Two worlds in lock-step: in the one tenants A and B are at work, in the other A is alone; A must not be able to tell which.

What A is answered is compared after its ids were numbered anew in the order in which A met them: a sequence that B draws from too
is known to tell how many there were (youtility_tasks/tenancy/README.md lists what is accepted).
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg
from django.db import connections
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.tenancy import grammar
from tests.tenancy.ground import A, B, Connection, House, become
from youtility_tasks import acts, enqueue, history, listing
from youtility_tasks.declaration import Task
from youtility_tasks.errors import YoutilityTaskError
from youtility_tasks.models import Job, TaskEffect
from youtility_tasks.tasks_api import TaskResultDoesNotExist
from youtility_tasks.tenants import tenant

NAMES = {A: "Acme", B: "Bolt"}
Answer = tuple[Any, ...]
_numbers = itertools.count()

_FURNISH = """
DELETE FROM procrastinate_jobs; DELETE FROM youtility_tasks_history; DELETE FROM youtility_tasks_taskeffect;
DELETE FROM youtility_tasks_uniquekey; DELETE FROM youtility_tasks_tenantmembership; DELETE FROM youtility_tasks_tenant;
"""
_OF_ONE = """
INSERT INTO youtility_tasks_tenant (id, name, is_active, weight, created_at) VALUES ({t}, '{name}', true, 1, now());
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, tenant_id, lock, unique_key, noted)
     SELECT 'email', 't', '{{"secret": "of {name}"}}', s::procrastinate_job_status, {t}, '{t}:k' || s, 'k1' || s, false
       FROM unnest(ARRAY['todo', 'failed', 'doing']) s;
INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at,
       finished_at, status, outcome, is_final, args, error_message)
     VALUES (1000000000 + {t}, 't', 'email', {t}, 5, 1, 1, now(), now(), 'failed', 'failed', true, '{{"secret": "of {name}"}}', 'of {name}');
INSERT INTO youtility_tasks_taskeffect (tenant_id, key, status, task_name, note) VALUES ({t}, 'same key', 'pending', 't', 'of {name}'), ({t}, 'k' || 9 - {t}, 'pending', 't', 'of {name}');
INSERT INTO youtility_tasks_uniquekey (tenant_id, task_name, key, job_id, held_until) VALUES ({t}, 't', 'k1', 987654, now() + interval '1 day');
INSERT INTO youtility_tasks_tenantmembership (tenant_id, user_id, role, created_at) SELECT {t}, min(id), 'viewer', now() FROM auth_user;
"""
_ROWS_OF = {
    table: f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')), count(*) FROM {table} t WHERE {column} = %s"
    for table, column in grammar.TENANT_OF.items()
}


@dataclass
class World:
    """One database behind its pooler. `has_b`: whether B is there at all."""

    house: House
    way: str
    has_b: bool
    eye: Connection
    """The superuser's, around the pooler."""
    web: Any
    """Django's connection as the web."""
    sessions: dict[tuple[str, int], Connection] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)

    def begin_anew(self) -> None:
        self.hang_up()
        self.numbers.clear()
        self.eye.execute(_FURNISH + "".join(_OF_ONE.format(t=t, name=NAMES[t]) for t in (A, B)[: 1 + self.has_b]))

    def hang_up(self) -> None:
        for session in self.sessions.values():
            session.close()
        self.sessions.clear()

    def session(self, part: str, of: int) -> Connection:
        """One that is kept: the pooler gives each of its transactions any of the server's sessions."""
        if (part, of) not in self.sessions:
            self.sessions[part, of] = psycopg.connect(self.house.conninfo(part, url=self.way), prepare_threshold=None)
        return self.sessions[part, of]

    @contextlib.contextmanager
    def django(self) -> Iterator[None]:
        before = connections["default"]
        connections["default"] = self.web
        try:
            yield
        finally:
            connections["default"] = before

    def foreign(self, column: str = "id", table: str = grammar.JOBS) -> int:
        """The id of a row of B's; where there is no B, one that nobody has."""
        found = self.eye.execute(f"SELECT min({column}) FROM {table} WHERE tenant_id = %s", [B]).fetchone()
        return (found and found[0]) or 987_654

    def numbered(self, value: Any, foreign: int | None = None) -> Any:
        if value is None or value == foreign:
            return value and "another's"
        return self.numbers.setdefault(value, len(self.numbers))

    def answered(self, cursor: psycopg.Cursor[Any]) -> Answer:
        if cursor.description is None:
            return ("done", cursor.statusmessage)
        names = [column.name for column in cursor.description]
        rows = cursor.fetchall()
        of_ids = [n for n, name in enumerate(names) if name in {"id", "job_id"}]
        for job_id in sorted(row[n] for row in rows for n in of_ids if row[n] is not None):
            self.numbered(job_id)
        seen = [
            tuple(self.numbered(value) if n in of_ids else _plain(value) for n, value in enumerate(row)) for row in rows
        ]
        return ("rows", cursor.rowcount, sorted(map(repr, seen)))

    def rows_of(self, who: int) -> list[Any]:
        return [self.eye.execute(query, [who]).fetchall() for query in _ROWS_OF.values()]

    def all_of_a(self) -> list[Answer]:
        return [
            self.answered(
                self.eye.execute(f"SELECT {grammar.COLUMNS[table]} FROM {table} WHERE {column} = %s", [A])  # type: ignore[arg-type]
            )
            for table, column in grammar.TENANT_OF.items()
        ]


def _plain(value: Any) -> Any:
    return "an instant" if isinstance(value, datetime) else value


class Worlds(RuleBasedStateMachine):
    """What A and B may do; `worlds` and `task` are set by the test."""

    worlds: tuple[World, World]
    task: Task

    def __init__(self) -> None:
        super().__init__()
        self.part: dict[int, str | None] = {A: None, B: None}
        """As whom each has a transaction open, if one is."""
        self.savepoints = 0

    @initialize()
    def begin_anew(self) -> None:
        for world in self.worlds:
            world.begin_anew()
        self.of_b = self.worlds[0].rows_of(B)

    def teardown(self) -> None:
        for world in self.worlds:
            for session in world.sessions.values():
                session.rollback()
        if hasattr(self, "of_b"):
            full, alone = (world.all_of_a() for world in self.worlds)
            assert full == alone, "A's rows are not the same in both worlds"
            assert self.worlds[0].rows_of(B) == self.of_b or self.part[B], "B's rows were changed by somebody else"
        for world in self.worlds:
            world.hang_up()

    # -- what compares

    def asked_by_a(self, ask: Callable[[World], Answer]) -> None:
        full, alone = (ask(world) for world in self.worlds)
        assert full == alone, f"with B at work A is answered {full}, alone {alone}"
        assert "Bolt" not in repr(full), full
        if self.part[B] is None:
            assert self.worlds[0].rows_of(B) == self.of_b, "A has changed rows of B"

    def done_by_b(self, do: Callable[[World], Answer]) -> None:
        full = self.worlds[0]
        of_a, numbers, full.numbers = full.rows_of(A), full.numbers, {}
        try:
            answer = do(full)
        finally:
            full.numbers = numbers
        assert "Acme" not in repr(answer), answer
        assert self.worlds[0].rows_of(A) == of_a, "B has changed rows of A"
        self.of_b = self.worlds[0].rows_of(B)

    def by(self, who: int, ask: Callable[[World], Answer]) -> None:
        (self.asked_by_a if who == A else self.done_by_b)(ask)

    # -- SQL

    def say(self, world: World, who: int, part: str, run: Callable[[World, Connection], Answer]) -> Answer:
        """In the transaction that is open, else in one of its own."""
        session = world.session(part, who)
        is_open = self.part[who] is not None
        try:
            if not is_open:
                become(session, world.house.token(who))
            answer = run(world, session)
            if not is_open:
                session.commit()
        except psycopg.Error as error:
            if not is_open:
                session.rollback()
            return ("error", error.sqlstate, "Bolt" in str(error) or ("Acme" in str(error) and who == B))
        return answer

    @rule(
        who=st.sampled_from([A, A, B]),
        part=st.sampled_from(["web", "task"]),
        text=grammar.statements,
        prepared=st.booleans(),
    )
    def sql(self, who: int, part: str, text: str, prepared: bool) -> None:
        name = f"p{next(_numbers)}"  # what a transaction has prepared stays in the server's session

        def run(world: World, session: Connection) -> Answer:
            foreign = world.foreign() if who == A else A
            member = world.foreign(table=grammar.MEMBERS) if who == A else 0
            filled = text.format(me=who, other=A + B - who, foreign=foreign, member=member)
            if prepared and filled.split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"}:
                session.execute(f"PREPARE {name} AS {filled}")  # type: ignore[arg-type]
                first = world.answered(session.execute(f"EXECUTE {name}"))  # type: ignore[arg-type]
                return (first, world.answered(session.execute(f"EXECUTE {name}")))  # type: ignore[arg-type]
            return world.answered(session.execute(filled))  # type: ignore[arg-type]

        self.by(who, lambda world: self.say(world, who, self.part[who] or part, run))

    @rule(part=st.sampled_from(["web", "task"]), text=grammar.oracles)
    def a_tries(self, part: str, text: str) -> None:
        """And looks what came of it, in the same transaction."""

        def run(world: World, session: Connection) -> Answer:
            filled = text.format(me=A, other=B, foreign=world.foreign(), member=world.foreign(table=grammar.MEMBERS))
            first = world.answered(session.execute(filled))  # type: ignore[arg-type]
            look = f"SELECT tenant_id, status, count(*) FROM {grammar.JOBS} GROUP BY 1, 2"
            return (first if "token" not in text else (), world.answered(session.execute(look)))

        self.asked_by_a(lambda world: self.say(world, A, self.part[A] or part, run))

    @rule(part=st.sampled_from(["web", "task"]), text=grammar.selects())
    def nobody_asks(self, part: str, text: str) -> None:
        """Without a token, on whatever session of the server the pooler hands out."""
        if self.part[A] is None:

            def ask(world: World) -> Answer:
                session = world.session(part, A)
                try:
                    return world.answered(session.execute(text.format(me=A, other=B)))  # type: ignore[arg-type]
                except psycopg.Error as error:
                    return ("error", error.sqlstate)
                finally:
                    session.rollback()

            self.asked_by_a(ask)

    @rule(who=st.sampled_from([A, B]), part=st.sampled_from(["web", "task"]), text=grammar.copies_out)
    def copies_out(self, who: int, part: str, text: str) -> None:
        def run(world: World, session: Connection) -> Answer:
            with session.cursor().copy(text) as copy:  # type: ignore[arg-type]
                return ("copied", sorted(bytes(each) for each in copy))

        self.by(who, lambda world: self.say(world, who, self.part[who] or part, run))

    @rule(who=st.sampled_from([A, B]), into=st.sampled_from([A, B]), key=grammar.keys)
    def copies_in(self, who: int, into: int, key: str) -> None:
        def run(world: World, session: Connection) -> Answer:
            cursor = session.cursor()
            with cursor.copy(f"COPY {grammar.EFFECTS} (tenant_id, key, status, task_name, note) FROM STDIN") as copy:
                copy.write_row((into, key, "pending", "", "copied"))
            return ("done", cursor.statusmessage)

        self.by(who, lambda world: self.say(world, who, self.part[who] or "web", run))

    @rule(who=st.sampled_from([A, A, B]), part=st.sampled_from(["web", "task"]))
    def begins(self, who: int, part: str) -> None:
        if self.part[who] is None:
            for world in self.worlds[: 2 if who == A else 1]:
                become(world.session(part, who), world.house.token(who))
            self.part[who] = part

    @rule(who=st.sampled_from([A, B]), how=st.sampled_from(["COMMIT", "COMMIT", "ROLLBACK"]))
    def ends(self, who: int, how: str) -> None:
        part, self.part[who] = self.part[who], None
        if part is not None:

            def end(world: World) -> Answer:
                session = world.session(part, who)
                try:
                    answer = world.answered(session.execute(how))
                except psycopg.Error as error:
                    return ("error", error.sqlstate)
                finally:
                    session.rollback()
                return answer

            self.savepoints = 0 if who == A else self.savepoints
            self.by(who, end)

    @precondition(lambda self: self.part[A] is not None)
    @rule(back=st.booleans())
    def a_savepoint(self, back: bool) -> None:
        part = self.part[A] or ""
        text = "ROLLBACK TO SAVEPOINT s" if back and self.savepoints else "SAVEPOINT s"
        self.savepoints += 1
        self.asked_by_a(
            lambda world: self.say(world, A, part, lambda w, session: w.answered(session.execute(text)))  # type: ignore[arg-type]
        )

    @rule(who=st.sampled_from([A, B]), status=st.sampled_from(["failed", "doing", "todo"]))
    def a_worker_comes_by(self, who: int, status: str) -> None:
        """What befalls the first job of somebody, by a hand that may."""

        def befall(world: World) -> Answer:
            world.eye.execute(
                "UPDATE procrastinate_jobs SET status = %s::text::procrastinate_job_status WHERE id = (SELECT min(id) FROM procrastinate_jobs"
                " WHERE tenant_id = %s AND status IN ('todo', 'failed') AND lock IS NULL AND queueing_lock IS NULL AND unique_key IS NULL)",
                [status, who],
            )
            return ()

        self.by(who, befall)

    # -- the house's own ways

    @rule(
        who=st.sampled_from([A, A, B]),
        count=st.integers(1, 3),
        unique=st.sampled_from([None, None, "k1", "k2"]),
        lock=st.sampled_from([None, "k1"]),
        queueing_lock=st.sampled_from([None, None, "k1", "8:k1"]),
    )
    def enqueues(self, who: int, count: int, unique: str | None, lock: str | None, queueing_lock: str | None) -> None:
        if self.part[who] is None:
            declared = self.task.using(unique=unique, lock=lock, queueing_lock=queueing_lock)

            def ask(world: World) -> Answer:
                results = enqueue.enqueue_many(declared, [{"secret": f"of {NAMES[who]}"} for _ in range(count)])
                return tuple((world.numbered(int(each.id)), each.status, each.kwargs) for each in results)

            self.by(who, lambda world: self.python(world, who, ask))

    @rule(
        who=st.sampled_from([A, A, B]),
        act=st.sampled_from([acts.cancel_many, acts.retry_many, acts.discard_many]),
        picks=st.lists(st.integers(0, 6), max_size=4),
        also_foreign=st.booleans(),
    )
    def acts_on_jobs(self, who: int, act: Callable[..., acts.Acts], picks: list[int], also_foreign: bool) -> None:
        if self.part[who] is None:

            def ask(world: World) -> Answer:
                ids = list(Job.objects.order_by("pk").values_list("pk", flat=True))
                foreign = world.foreign() if who == A else None
                wanted = [ids[n] for n in picks if n < len(ids)] + ([foreign] if also_foreign and foreign else [])
                done = act(wanted)
                return (
                    [(world.numbered(each.job_id), each.becomes) for each in done.done],
                    [(world.numbered(n, foreign), type(each).__name__) for n, each in done.refused.items()],
                )

            self.by(who, lambda world: self.python(world, who, ask))

    @rule(pick=st.integers(0, 6))
    def a_looks(self, pick: int) -> None:
        if self.part[A] is None:

            def ask(world: World) -> Answer:
                lines = listing.jobs(listing.JobFilter(), limit=100)
                for job_id in sorted(line.job_id for line in lines):
                    world.numbered(job_id)
                told = [
                    replace(
                        line, job_id=world.numbered(line.job_id), enqueued_at=None, started_at=None, finished_at=None
                    )  # type: ignore[arg-type]
                    for line in lines
                ]
                stories: list[Any] = []
                for job_id in [*(line.job_id for line in lines[pick : pick + 1]), world.foreign()]:
                    try:
                        stories.append(history.result(str(job_id)).status)
                    except TaskResultDoesNotExist:
                        stories.append("none")
                return ([replace(each, scheduled_at=None) for each in told], stories, TaskEffect.objects.count())

            self.asked_by_a(lambda world: self.python(world, A, ask))

    def python(self, world: World, who: int, ask: Callable[[World], Answer]) -> Answer:
        with world.django(), tenant(who):
            try:
                return ask(world)
            except YoutilityTaskError as error:
                return ("error", type(error).__name__)
