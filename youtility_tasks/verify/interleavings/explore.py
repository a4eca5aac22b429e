"""Walks every order of a program on a real database: a savepoint at each fork, the checker at the end of each road."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

from youtility_tasks.verify.case import Check, Violation
from youtility_tasks.verify.checker import check
from youtility_tasks.verify.ground import Place

from . import overlaps
from .programs import PROGRAMS, Program, choices
from .world import Connection, World

Tell = Callable[[str], None]
_ENOUGH = 5
"""Broken schedules that are told of each program; the rest are counted."""


@dataclass(slots=True)
class Found:
    """What the schedules of one program have shown."""

    schedules: int = 0
    statements: int = 0
    broken: int = 0
    disagreements: list[Violation] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)


def everything(place: Place, tell: Tell) -> list[Check]:
    """All programs, then statements that overlap on real locks."""
    checks = []
    with psycopg.connect(place.direct) as connection:
        for name, program in PROGRAMS.items():
            found = explore(connection, program)
            checks += _checks(name, found)
            tell(f"{name}: {found.schedules} schedules, {found.statements} statements, {found.broken} broken")
    return [*checks, overlaps.every_pair(place)]


def explore(connection: Connection, program: Program) -> Found:
    """Try every order of the program; the database is left as it was."""
    found = Found()
    with connection.transaction(force_rollback=True):
        world = World(connection)
        world.prepare(*(session for session in program if session != "u"))
        _walk(world, program, dict.fromkeys(program, 0), (), found)
    return found


def _walk(world: World, program: Program, at: dict[str, int], road: tuple[str, ...], found: Found) -> None:
    ended = True
    for session, action in choices(program, at):
        ended = False
        before = world.fork()
        with world.connection.transaction(force_rollback=True):
            world.act(session, action)
            found.statements += 1
            so_far = (*road, f"{session}.{action}")
            wrong = world.disagreements()
            if wrong and len(found.disagreements) < _ENOUGH:
                found.disagreements.append(Violation(" ".join(so_far), "; ".join(wrong)))
            _walk(world, program, {**at, session: at[session] + 1}, so_far, found)
        world.state = before
    if ended:
        _judge(world, road, found)


def _judge(world: World, road: tuple[str, ...], found: Found) -> None:
    """The end of a road: drain, dump, check."""
    found.schedules += 1
    with world.connection.transaction(force_rollback=True):
        try:
            world.drain()
            checks = check(world.evidence())
        except psycopg.Error as error:
            checks = [Check("it can be drained", "", "", [Violation("*", str(error).splitlines()[0])])]
    bad = [each for each in checks if not each.ok]
    found.broken += bool(bad)
    for each in bad:
        found.checks.append(each)
        if len(found.violations) < _ENOUGH:
            what = "; ".join(f"{violation.key} {violation.what}" for violation in each.violations)
            found.violations.append(Violation(" ".join(road), f"{each.name}: {what}"))


def _checks(name: str, found: Found) -> list[Check]:
    got = f"{found.schedules} schedules"
    return [
        Check(f"{name}: model", "tables as the model says", f"{found.statements} statements", found.disagreements),
        Check(f"{name}: invariants", "L T F E X S N B A", f"{got}, {found.broken} broken", found.violations),
    ]
