"""A schedule that is made, changed and paused over HTTP while a worker runs: the worker, which would look again in ten minutes, knows
at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from tests.acceptance.crew import Crew, until
from tests.api.speaking import Api
from tests.conftest import point_django_at
from youtility_tasks import members, roster, tokens

SOON_S = 60
"""Far below `schedule_poll_s`, and time enough for a machine that is busy."""


@pytest.fixture
def admin(crew: Crew, django_db_setup: None, django_db_blocker: Any) -> Iterator[Api]:
    """An admin of tenant 7 in the crew's database."""
    before = dict(connections.databases["default"])
    with django_db_blocker.unblock():
        point_django_at(crew.queue.url)
        try:
            roster.add(7, "Acme")
            user = User.objects.create_user("ann")
            members.grant(7, "ann", "admin")
            yield Api(Client(), Authorization=f"Bearer {tokens.create(user, 'test')[1]}")
        finally:
            connections["default"].close()
            connections.databases["default"].update(before)


def test_workers_know_of_a_schedule_at_once_and_of_each_change(crew: Crew, admin: Api) -> None:
    crew.env = {**crew.env, "TEST_APPS": "task_catalog task_catalog.facility"}
    crew.start(schedule_poll_s=600.0)

    def occurrences(*, outcome: str, since: int = 0) -> list[Any]:
        return crew.queue.rows(
            "SELECT id, extract(epoch FROM decided_at - tick_at)::float FROM youtility_tasks_scheduledtaskexecution"
            " WHERE outcome = %s AND id > %s ORDER BY id", outcome, since,
        )  # fmt: skip

    made = admin.post("schedules/", name="beat", task="task_every_min", every_s=1)
    assert made.status == 201, made.json
    path = f"schedules/{made['schedule']['id']}/"
    fired = until(lambda: occurrences(outcome="fired"), within_s=SOON_S, why="made, and fires")
    assert fired[0][1] < SOON_S

    assert admin.post(f"{path}pause/").status == 200
    until(lambda: occurrences(outcome="skipped"), within_s=SOON_S, why="paused, and skips")
    assert admin.send("patch", path, {"every_s": 3_600}).status == 200
    assert admin.post(f"{path}resume/").status == 200
    last = crew.queue.rows("SELECT max(id) FROM youtility_tasks_scheduledtaskexecution")[0][0]
    assert admin.send("patch", path, {"every_s": 1}).status == 200
    until(lambda: occurrences(outcome="fired", since=last), within_s=SOON_S, why="changed, and fires again")
