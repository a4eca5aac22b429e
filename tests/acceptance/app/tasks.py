"""Tasks by what they do to the process that runs them."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import gc
import logging
import math
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from django.db import Error, connection, transaction

from youtility_tasks import BadInput, Retry, TaskContext, current_tenant, effects, task, tenant
from youtility_tasks.models import Job, Tenant

from . import diary, hidden, rough, theirs

__all__ = ["hidden", "rough", "theirs"]  # imported for what they declare

TICK_S = 0.01

# -- as it should be


@task(tenant="all")
def adds(*, a: int, b: int) -> int:
    diary.write("ran", task="adds", sum=a + b)
    return a + b


@task(tenant="all")
def does_nothing() -> None:
    """As fast as a job can be."""


@task(tenant="all")
def tells_loaded(*, names: list[str]) -> dict[str, Any]:
    """Which of these modules this process has, and what its garbage collector does and has done."""
    return {
        "loaded": [name for name in names if name in sys.modules],
        "is_collecting": gc.isenabled(),
        "frozen_count": gc.get_freeze_count(),
        "collections": [each["collections"] for each in gc.get_stats()],
    }


@task(tenant="all")
async def adds_async(*, a: int, b: int) -> int:
    await asyncio.sleep(0)
    diary.write("ran", task="adds_async", sum=a + b)
    return a + b


@task(tenant="all", takes_context=True, timeout_s=60, retry=Retry(3))
def tells_context(context: TaskContext, *, fail_until: int = 1) -> dict[str, Any]:
    if context.attempt < fail_until:
        raise RuntimeError(f"attempt {context.attempt} fails")
    return {
        "attempt": context.attempt,
        "max_attempts": context.max_attempts,
        "job_id": context.job_id,
        "task_name": context.task_name,
        "tenant_id": context.tenant_id,
        "queue_name": context.queue_name,
        "time_left": 0 < context.time_left_s() <= 60,
        "should_abort": context.should_abort(),
    }


@task(tenant="all", isolated=True)
def tells_pid() -> int:
    return os.getpid()


@task(tenant="all")
def forks_and_comes_back_twice() -> str:
    if copy := os.fork():
        os.waitpid(copy, 0)
    return "task" if copy else "copy"


@task()
def tells_tenant(*, child: bool = True) -> int | None:
    diary.write("tenant", tenant=current_tenant())
    if child:
        tells_tenant.enqueue(child=False)
    return current_tenant()


@task(tenant="all")
async def reads_async() -> str:
    """The async ORM, whose connection lives in a thread of its own."""
    return (await Tenant.objects.aget(pk=7)).name


@task(tenant="all")
def reads() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


@task(tenant="all", retry=Retry(10, base=1))
def reads_slowly(*, n: int) -> int:
    """Some milliseconds, with a statement of its own."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.01)")
    diary.write("ran", task="reads_slowly", n=n)
    return n


@task(tenant="all")
def leaves_a_broken_transaction() -> None:
    """Its connection is left inside a failed transaction, which must not meet the next job."""
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


# -- long


def wait_for(path: str) -> None:
    while not Path(path).exists():
        time.sleep(TICK_S)


@task(tenant="all", retry=Retry(3))
def waits(*, until: str = "/nowhere", name: str = "", key: str = "") -> str:
    diary.write("begin", task="waits", name=name)
    wait_for(until)
    diary.write("end", task="waits", name=name)
    return name


@task(tenant="all")
def takes(*, s: float = 0.0, name: str = "") -> None:
    """So many seconds."""
    diary.write("begin", task="takes", name=name)
    time.sleep(s)
    diary.write("end", task="takes", name=name)


@task()
def takes_for_a_tenant(*, s: float = 0.0, name: str = "", until: str = "/") -> None:
    """So many seconds, for one tenant."""
    diary.write("begin", task="takes_for_a_tenant", name=name, tenant=current_tenant())
    wait_for(until)
    time.sleep(s)
    diary.write("end", task="takes_for_a_tenant", name=name, tenant=current_tenant())


@task(tenant="all", retry=Retry(3))
async def waits_async(*, until: str = "/nowhere", name: str = "") -> str:
    diary.write("begin", task="waits_async", name=name)
    while not Path(until).exists():
        await asyncio.sleep(TICK_S)
    diary.write("end", task="waits_async", name=name)
    return name


@task(tenant="all", takes_context=True)
def asks_whether_to_stop(context: TaskContext) -> str:
    diary.write("begin", task="asks_whether_to_stop")
    while not context.should_abort():
        time.sleep(TICK_S)
    diary.write("end", task="asks_whether_to_stop")
    return "stopped when asked"


@task(tenant="all", takes_context=True, retry=Retry(1))
def goes_a_long_way(context: TaskContext, *, until: str = "/", fails: bool = False, times: int = 2) -> str:
    """Says how far it is, waits, and says it many times more."""
    context.progress(40, 100, "pages")
    diary.write("begin", task="goes_a_long_way")
    wait_for(until)
    for n in range(times):
        context.progress(n, times - 1, "the end")
    if fails:
        raise BadInput("on purpose")
    return "there"


@task(tenant="all", takes_context=True, retry=Retry(2))
def keeps_its_place(context: TaskContext, *, dies: bool = False, until: str = "/nowhere") -> Any:
    """Its first life ends when its checkpoint is kept, or goes on until somebody ends it; the second gives it back."""
    before = context.last_checkpoint
    if before is None:
        context.checkpoint({"page": 40, "of": "the first"})
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        diary.write("begin", task="keeps_its_place")
        wait_for(until)
    return before


@task(tenant="all", takes_context=True)
async def keeps_its_place_async(context: TaskContext) -> Any:
    context.progress(1, 2)
    await context.acheckpoint(["async"])
    return await context.alast_checkpoint()


@task(tenant="all", timeout_s=0.5, retry=Retry(2))
def runs_past_its_limit(*, until: str = "/nowhere") -> None:
    diary.write("begin", task="runs_past_its_limit")
    wait_for(until)


@task(tenant="all", timeout_s=0.5)
async def runs_past_its_limit_async() -> None:
    diary.write("begin", task="runs_past_its_limit_async")
    await asyncio.sleep(3_600)


@task(tenant="all", timeout_s=0.5)
def swallows_its_limit() -> None:
    diary.write("begin", task="swallows_its_limit")
    while True:
        try:
            wait_for("/nowhere")
        except BaseException:
            diary.write("swallowed", task="swallows_its_limit")


@task(tenant="all")
def swallows_the_abort() -> None:
    diary.write("begin", task="swallows_the_abort")
    while True:
        try:
            wait_for("/nowhere")
        except BaseException:
            diary.write("swallowed", task="swallows_the_abort")


@task(tenant="all", timeout_s=0.5)
def is_deaf_in_c() -> None:
    diary.write("begin", task="is_deaf_in_c")
    time.sleep(3_600)


@task(tenant="all", timeout_s=0.5)
def waits_for_a_file_lock(*, path: str) -> None:
    diary.write("begin", task="waits_for_a_file_lock")
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


@task(tenant="all", timeout_s=60)
def holds_the_interpreter(*, seconds: int) -> str:
    """A C call that keeps the interpreter's lock, as a regular expression gone wild does."""
    diary.write("begin", task="holds_the_interpreter")
    ctypes.PyDLL(None).sleep(seconds)
    diary.write("end", task="holds_the_interpreter")
    return "let go"


# -- as it should not be


@task(tenant="all", retry=Retry(1))
def dies(*, how: str, until: str = "/") -> None:
    diary.write("begin", task="dies", how=how)
    wait_for(until)
    match how:
        case "exit":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "parent":
            os.kill(os.getppid(), signal.SIGKILL)
            wait_for("/nowhere")
        case "grandparent":
            its_state = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
            os.kill(int(its_state[1]), signal.SIGKILL)
            wait_for("/nowhere")


@task(tenant="all")
def exits_politely(*, how: str) -> None:
    if how == "sys.exit":
        sys.exit(3)
    if how == "interrupt":
        raise KeyboardInterrupt
    raise GeneratorExit


@task(tenant="all")
async def exits_politely_async() -> None:
    sys.exit(3)


@task(tenant="all")
def eats(*, mib: int) -> int:
    """Memory, and all of it is touched."""
    diary.write("begin", task="eats")
    return len(bytearray(b"x") * (mib * 1024 * 1024))


class Unprintable(Exception):
    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


Misnamed = type("Misnamed", (Exception,), {"__module__": "no\0where\ud800"})


class Endless(Exception):
    def __str__(self) -> str:
        return "x" * 10_000_000


def deeper(n: int) -> int:
    return deeper(n + 1) + 1


@task(tenant="all")
def raises_oddly(*, kind: str) -> None:
    match kind:
        case "unprintable":
            raise Unprintable
        case "misnamed":
            raise Misnamed("a\0b\ud800")
        case "endless":
            raise Endless
        case "recursion":
            deeper(0)
        case "group":
            raise ExceptionGroup("two", [Unprintable(), ValueError("a\0")])


@task(tenant="all")
def returns_oddly(*, kind: str) -> Any:
    return {
        "nan": {"n": math.nan, "i": [math.inf]},
        "nul": "a\0b",
        "half": "\ud800",
        "object": object,
        "set": {3},
        "huge": "x" * 10_000_000,
        "large": "x" * 200_000,
        "bytes": b"\xff",
    }[kind]


@task(tenant="all", retry=Retry(3))
def refuses() -> None:
    raise BadInput("no such row")


@task(tenant="all", retry=Retry(3))
def always_fails() -> None:
    diary.write("ran", task="always_fails")
    raise ValueError("a bug")


@task(tenant="all", isolated=True)
def has_a_daemon(*, until: str) -> None:
    """A grandchild that goes on alone unless its whole group is killed."""
    diary.write("begin", task="has_a_daemon")
    if os.fork() == 0:
        diary.write("grandchild")
        time.sleep(3_600)
        os._exit(0)
    wait_for(until)


@task(tenant="all")
def tells_its_fork(*, until: str) -> dict[str, Any]:
    diary.write("begin", task="tells_its_fork")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        session = cursor.fetchone()[0]
    wait_for(until)
    return {"pid": os.getpid(), "session": session, "random": random.random()}  # noqa: S311 - the one that forks share


@task(tenant="all")
def counts(*, n: int) -> None:
    diary.write("counted", n=n)


@task(tenant="all", record_at_once=True)
def counts_at_once(*, n: int) -> None:
    diary.write("counted", n=n)


@task(tenant="all")
def carries(*, load: str) -> int:
    return len(load)


@task(tenant="all")
def talks(*, words: str, times: int) -> None:
    for _ in range(times):
        sys.stdout.write(words)
    logging.getLogger(__name__).warning("said it %s times", times)


@task(tenant="all", retry=Retry(1))
def spoils_its_output(*, how: str) -> None:
    match how:
        case "closed":
            sys.stdout.close()
            sys.stderr.close()
        case "gone":
            sys.stdout = sys.stderr = None  # type: ignore[assignment]
        case "bytes":
            sys.stdout.write(b"no text")  # type: ignore[arg-type]


# -- effects


@task(retry=Retry(3))
def mails_and_dies(*, key: str, die_before_mark: bool) -> bool:
    """An outside effect whose process dies, the first time, between doing it and marking it done."""

    def do(message_id: str) -> None:
        diary.write("sent", message_id=message_id)
        marker = Path(os.environ["TEST_DIARY"] + ".died")
        if die_before_mark and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return effects.perform(key, do)


# -- what a table remembers


@task(tenant="all", takes_context=True, retry=Retry(10))
def leaves_a_row(context: TaskContext, *, lock: str = "", fail_once: bool = False, until: str = "/") -> None:
    """One row of table `ran` an attempt, with its beginning and its end by the database's clock."""
    worker = "stock" if "procrastinate" in sys.argv else "ours"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ran (job_id, attempt, lock, worker, pid) VALUES (%s, %s, %s, %s, %s) RETURNING id",
            [context.job_id, context.attempt, lock, worker, os.getpid()],
        )
        row_id = cursor.fetchone()[0]
        wait_for(until)
        time.sleep(random.uniform(0, 0.004))  # noqa: S311 - so that runs overlap where they may
        cursor.execute("UPDATE ran SET ended_at = clock_timestamp() WHERE id = %s", [row_id])
    if fail_once and context.attempt == 1:
        raise RuntimeError("the first attempt fails")


# -- what a task can reach


@task(tenant="all")
def looks_around() -> dict[str, Any]:
    """What the database shows to a task of this tenant, and which of the attacker's statements it refuses."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        (user,) = cursor.fetchone()
    with transaction.atomic():  # before anybody can run it
        enqueued_for = Job.objects.get(pk=does_nothing.enqueue().id).tenant_id
    return {
        "user": user,
        "tenants": _tenants_seen("youtility_tasks_tenant", "id"),
        "jobs_of": _tenants_seen("procrastinate_jobs", "tenant_id"),
        "entered": {str(each): _entered(each) for each in (7, 8)} if current_tenant() is None else {},
        "refused": [name for name, statement in _ATTACKS.items() if _is_refused(statement)],
        "enqueued_for": enqueued_for,
    }


_ATTACKS = {
    "claim": "SELECT * FROM youtility_tasks_claim_v2('maintenance', 1, 1)",
    "keys": "SELECT * FROM youtility_tasks_keys",
    "update": "UPDATE procrastinate_jobs SET tenant_id = 7",
    "other token": "SET LOCAL youtility_tasks.token = 'v1.x.8.99999999999.00'; SELECT * FROM procrastinate_jobs",
    "set role": "SET ROLE tq_owner",
}


@task()
def runs_sql(*, statements: list[str]) -> list[Any]:
    """Statements of somebody with SQL in this task: what the last part of each is answered, or the code of its refusal."""
    said: list[Any] = []
    for statement in statements:
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                while cursor.nextset():
                    pass
                said.append(cursor.fetchall() if cursor.description else None)
        except Error as error:
            said.append(getattr(error.__cause__, "sqlstate", None))
        if connection.connection.info.transaction_status:
            connection.connection.rollback()
    return said


def _tenants_seen(table: str, column: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1")
        return [tenant_id for (tenant_id,) in cursor.fetchall()]


def _entered(tenant_id: int) -> list[int]:
    with tenant(tenant_id):
        return _tenants_seen("procrastinate_jobs", "tenant_id")


def _is_refused(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except Error:
        return True
    return False
