"""What the volume benchmarks share: rows made by the thousand, a task run and measured in a process of its own."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from youtility_tasks.standalone.server import Server

SETTINGS = "tests.benchmarks.volume_settings"
ROOT = Path(__file__).parents[2]
NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
_DURABLE = ["-c", "fsync=on", "-c", "max_wal_size=4GB", "-c", "shared_buffers=512MB"]


class StandingClock:
    """It is noon of the catalogue's Monday, or the instant in VOLUME_NOW."""

    def now(self) -> datetime:
        given = os.environ.get("VOLUME_NOW")
        return datetime.fromisoformat(given) if given else NOON


@dataclass(frozen=True)
class Measured:
    """One run: seconds, processor seconds (its own and its session's in the database), statements sent, peak memory of the
    process in MB, and what the task said."""

    seconds: float
    cpu_s: float
    statements: int
    peak_mb: float
    said: dict[str, Any]


def exponent(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """The power of the size that the cost grows with: the slope of a line through the logarithms."""
    xs, ys = [math.log(size) for size in sizes], [math.log(cost) for cost in costs]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return round(
        sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs), 3
    )


@contextlib.contextmanager
def server() -> Iterator[Callable[[], str]]:
    """A durable PostgreSQL of the benchmark's own; call what it gives for the address of a new, migrated database."""
    folder = Path(tempfile.mkdtemp(prefix="yt-volume-"))
    folder.chmod(0o755)
    own = Server(folder, options=_DURABLE)
    count = 0

    def database() -> str:
        nonlocal count
        count += 1
        with psycopg.connect(own.conninfo("postgres"), autocommit=True) as connection:
            if count == 1:
                connection.execute("CREATE DATABASE volume_template")
                in_process(own.url("volume_template"), "django", "migrate", "--verbosity", "0")
            connection.execute(f"CREATE DATABASE volume_{count} TEMPLATE volume_template")
        return own.url(f"volume_{count}")

    try:
        with own.in_use():
            yield database
    finally:
        shutil.rmtree(folder)


@contextlib.contextmanager
def mail_sink() -> Iterator[tuple[int, Path]]:
    """A mail server that takes everything, as a process: its port, and the file it writes a line a message to."""
    with tempfile.TemporaryDirectory(prefix="yt-volume-") as folder:
        file = Path(folder, "mails")
        command = [sys.executable, "-m", "task_catalog.company_day.sink", str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdin is not None and process.stdout is not None
            yield int(process.stdout.readline().split()[-1]), file
            process.stdin.close()


def in_process(url: str, module: str, *words: str, env: Mapping[str, str] | None = None) -> str:
    """Run a module with the benchmarks' settings and this database, to its end; what it printed."""
    with start(url, module, *words, env=env) as process:
        said, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module} {' '.join(words)} ended with {process.returncode}: {errors[-4000:]}")
    return said


def start(url: str, module: str, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """As `in_process`, without waiting for the end."""
    around = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": SETTINGS,
        "DATABASE_URL": url,
        "LOG_LEVEL": "ERROR",
        **(env or {}),
    }
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", module, *words], env=around, cwd=ROOT, **pipes)


def measure(url: str, module: str, *words: str, env: Mapping[str, str] | None = None) -> Measured:
    """Have a benchmark's module run its task in a process of its own (`tell` prints there what is read here)."""
    return Measured(**json.loads(in_process(url, module, *words, env=env).splitlines()[-1]))


def tell(do: Callable[[], dict[str, Any]]) -> None:
    """In that process: do it, and print what it cost."""
    from django.db import connection

    statements = 0

    def count(execute: Any, *given: Any) -> Any:
        nonlocal statements
        statements += 1
        return execute(*given)

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        session = int(cursor.fetchone()[0])
    before, began = _cpu_s(os.getpid()) + _cpu_s(session), time.perf_counter()
    with connection.execute_wrapper(count):
        said = do()
    cost = {
        "seconds": round(time.perf_counter() - began, 3),
        "cpu_s": round(_cpu_s(os.getpid()) + _cpu_s(session) - before, 2),
        "statements": statements,
        "peak_mb": peak_mb(),
    }
    sys.stdout.write(json.dumps({**cost, "said": said}, default=str) + "\n")


def peak_mb() -> float:
    """The most memory that this process has had. Not `ru_maxrss`, which counts what its parent had when it forked."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return round(int(found[1]) / 1024, 1)


def _cpu_s(pid: int) -> float:
    """Processor seconds of a process of this machine so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def multiply(model: Any, pk: int, count: int, **columns: str) -> list[int]:
    """Copy a row so many times; each column named gets an SQL expression in which `n` is the copy's number.

    Columns that are unique must be named; a uuid and the id are made anew. The ids of the copies, in their order.
    """
    return _copy(model, "original.id = %s", [pk], f"generate_series(1, {int(count)}) AS n", columns)


def copy_below(model: Any, parent: int, parents: Sequence[int]) -> int:
    """Copy the children of a row below each of these others; how many."""
    below = "original.parent_id = %s"
    return len(_copy(model, below, [list(parents), parent], "unnest(%s::bigint[]) AS n", {"parent_id": "n"}))


def _copy(model: Any, which: str, parameters: list[Any], source: str, columns: Mapping[str, str]) -> list[int]:
    from django.db import connection

    values = {
        str(field.column): "gen_random_uuid()"
        if field.name == "uuid"
        else columns.get(str(field.column), f'original."{field.column}"')
        for field in model._meta.local_concrete_fields
        if not field.primary_key
    }
    names = ", ".join(f'"{name}"' for name in values)
    table = model._meta.db_table
    statement = (
        f'INSERT INTO "{table}" ({names}) SELECT {", ".join(values.values())} FROM {source}, "{table}" original'
        f" WHERE {which} ORDER BY n RETURNING id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [pk for (pk,) in cursor.fetchall()]
