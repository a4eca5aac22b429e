"""Whatever A does, it is answered the same with B at work beside it as without B (non-interference), and touches nothing of B's.

TWO_WORLDS_EXAMPLES=400 runs longer, HYPOTHESIS's `--hypothesis-seed=n` with other dice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from django.db import connections
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.poolers.bouncer import bouncer
from tests.tenancy.ground import House, build
from tests.tenancy.worlds import World, Worlds
from youtility_tasks import registry, task
from youtility_tasks.tenancy import apply, check, plan, roles

EXAMPLES = int(os.environ.get("TWO_WORLDS_EXAMPLES", "30"))
SERVER_SESSIONS = 4


def remember(secret: str) -> None: ...


@pytest.fixture(scope="module")
def worlds(cluster: Any, template: str, django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[World, World]]:
    """Twins with the same roles and key, each behind a pgbouncer of its own in transaction mode; Django is the web."""
    with ExitStack() as stack, django_db_blocker.unblock():
        full = build(cluster, template)
        stack.callback(full.pull_down)
        alone = House(cluster, cluster.copy(template), full.prefix, full.tenant_key)
        stack.callback(cluster.drop, alone.name)  # before the roles that have rights in it
        with alone.settled():
            assert not [each for each in apply.make_true().left if "closed" not in each]
        users = [full.login(part) for part in ("web", "task")]
        for user in users:
            full.rows(f"ALTER ROLE \"{user}\" SET lock_timeout = '1s'")
        made = []
        for house in (full, alone):
            way = stack.enter_context(bouncer(house.url, "transaction", users=users, default_pool_size=SERVER_SESSIONS))
            eye = stack.enter_context(psycopg.connect(house.url, autocommit=True))
            eye.execute("INSERT INTO auth_user (username, password, is_superuser, first_name, last_name, email, is_staff,"
                        " is_active, date_joined) VALUES ('u', '', false, '', '', '', false, true, now())")  # fmt: skip
            stack.enter_context(house.settled(by=way))
            roles.act_as("web")
            own = dict(connections.databases["default"])
            web = type(connections["default"])(own, "default")
            stack.callback(web.close)
            made.append(World(house, way, house is full, eye, web))
        Worlds.worlds = (made[0], made[1])
        Worlds.task = task(remember)
        stack.callback(registry.forget, "remember")
        yield Worlds.worlds


def play(examples: int, steps: int, *, shrink: bool = True) -> None:
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if shrink else [])]
    run_state_machine_as_test(
        Worlds,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(EXAMPLES * 10 + 120)
def test_a_cannot_tell_whether_b_is_there(worlds: tuple[World, World]) -> None:
    play(EXAMPLES, 40, shrink=False)
