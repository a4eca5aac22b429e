"""Bugs planted in the SQL functions of a throw-away database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True)
class Bug:
    """Text of the newest version of a function, replaced; and what else the bug takes."""

    name: str
    verb: str
    """The function is youtility_tasks_<verb>_v<number>."""
    guard: str
    """A regular expression: the names of tables' aliases may change."""
    instead: str
    program: str
    """The schedules that bring it out."""
    red: str
    """The invariant that must be found broken."""
    also: str = ""


def plant(connection: psycopg.Connection[Any], bug: Bug) -> None:
    """Put the bug into the database of the connection, in its transaction."""
    definition = newest(connection, bug.verb)
    broken, times = re.subn(bug.guard, bug.instead, definition)
    assert times, f"youtility_tasks_{bug.verb} has no {bug.guard!r}"
    connection.execute(broken.encode())
    if bug.also:
        connection.execute(bug.also.encode())


def newest(connection: psycopg.Connection[Any], verb: str) -> str:
    """The definition of the newest version of a function."""
    found = connection.execute(
        "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname ~ %s"
        " ORDER BY substring(proname FROM '[0-9]+$')::integer DESC LIMIT 1",
        [rf"^youtility_tasks_{verb}_v\d+$"],
    ).fetchone()
    assert found is not None, f"no function youtility_tasks_{verb}_v<number>"
    return str(found[0])


BUGS = (
    Bug(
        "the fence is gone from finish",
        "finish",
        r"AND\s+\w+\.worker_id = p_worker_id\s+AND\s+\w+\.claim_number = \w+\.claim_number",
        "",
        "a zombie finishes",
        "F",
    ),
    Bug(
        "finish asks for the id alone",
        "finish",
        r"\w+\.status = 'doing'\s+AND\s+\w+\.worker_id = p_worker_id\s+AND\s+\w+\.claim_number = \w+\.claim_number",
        "true",
        "a zombie finishes",
        "F",
    ),
    Bug(
        "finish asks for the worker, and not for the claim",
        "finish",
        r"AND\s+\w+\.claim_number = \w+\.claim_number",
        "",
        "a job meets its own past",
        "F",
    ),
    Bug(
        "rescue does not ask whether the worker is silent",
        "rescue",
        r"\w+\.last_heartbeat < clock_timestamp\(\) - p_lease_s \* interval '1 second'",
        "true",
        "a claim reply is lost",
        "E",
    ),
    Bug("renewal names the worker alone", "renew", r"IF unknown IS NOT NULL THEN", "IF false THEN", "a claim reply is lost", "L"),
    Bug(
        "rescue overlooks jobs with a lock",
        "rescue",
        r"(\w+)\.worker_id = ANY \(silent\)",
        r"\1.lock IS NULL AND \g<0>",
        "a zombie finishes",
        "L",
    ),
    Bug(
        "finish loses the history of a success",
        "finish",
        r"WHERE (\w+)\.verdict <> 'released'",
        r"WHERE \1.verdict NOT IN ('released', 'succeeded')",
        "a zombie finishes",
        "L",
    ),
    Bug(
        "a claim does not look at locks",
        "claim",
        r"\w+\.lock IS NULL AND (\w+\.queue_name)",
        r"\1",
        "a zombie finishes",
        "X",
        also="DROP INDEX procrastinate_jobs_lock_idx_v1",
    ),
    Bug(
        "a claim draws no new number",
        "claim",
        r"claim_number = (\w+)\.claim_number \+ 1",
        r"claim_number = \1.claim_number",
        "a zombie finishes",
        "F",
    ),
    Bug(
        "finish leaves the row of a success",
        "finish",
        r"(\w+)\.verdict IN \('succeeded', 'aborted'\)",
        r"\1.verdict = 'aborted'",
        "a zombie finishes",
        "L",
    ),
)  # fmt: skip
