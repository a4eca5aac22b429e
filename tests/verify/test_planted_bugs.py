"""The checker is tested too: every bug that is planted must turn it red."""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial, prod

import psycopg
import pytest

from tests.verify.planting import BUGS, Bug, plant
from youtility_tasks.verify import planted
from youtility_tasks.verify.checker import check
from youtility_tasks.verify.ground import Ground, Place
from youtility_tasks.verify.interleavings.explore import Found, explore
from youtility_tasks.verify.interleavings.programs import PROGRAMS
from youtility_tasks.verify.run import Script, play


@pytest.fixture(scope="module")
def place(servers: Ground) -> Place:
    return servers.new_run("planted")


@pytest.fixture
def connection(place: Place) -> Iterator[psycopg.Connection[object]]:
    """A transaction in which bugs may be planted; it is taken back."""
    with psycopg.connect(place.direct) as connection, connection.transaction(force_rollback=True):
        yield connection


def red(found: Found) -> set[str]:
    """The letters of the invariants that were found broken in any schedule."""
    return {each.name[0] for each in found.checks}


@pytest.mark.parametrize("program", sorted({bug.program for bug in BUGS}))
def test_without_a_bug_nothing_is_broken_in_any_order(connection: psycopg.Connection[object], program: str) -> None:
    found = explore(connection, PROGRAMS[program])

    assert (found.violations, found.disagreements) == ([], [])
    lengths = [len(actions) for actions in PROGRAMS[program].values()]
    assert found.schedules == factorial(sum(lengths)) // prod(map(factorial, lengths))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_in_the_statements_is_found(connection: psycopg.Connection[object], bug: Bug) -> None:
    plant(connection, bug)

    found = explore(connection, PROGRAMS[bug.program])

    assert bug.red in red(found)
    assert found.disagreements, "the model did not notice"


def test_bugs_around_the_statements_are_found(servers: Ground) -> None:
    bugs = (planted.ACK_BEFORE_COMMIT, planted.EFFECT_OUTSIDE, planted.READ_THEN_INSERT)

    evidence = play(servers, Script(name="planted", seed=3, jobs=24, rate=40.0, planted=";".join(bugs)))

    broken = {(each.name[0], violation.key.split("-")[0]) for each in check(evidence) for violation in each.violations}
    assert {("L", "rolled_back"), ("E", "once"), ("L", "single")} <= broken
    assert {shape for _, shape in broken} == {"rolled_back", "once", "single"}, "nothing else is blamed"
