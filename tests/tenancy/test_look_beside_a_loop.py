"""A thread in which a loop runs (an async view, a browser's driver) has another connection for each context."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.db import connection

from tests.tenancy.ground import House
from youtility_tasks.tenancy import guard, roles

pytestmark = pytest.mark.usefixtures("django_db_setup")


def test_the_first_connection_beside_a_loop_is_looked_at_once(
    house: House, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    monkeypatch.setattr(guard, "_looked_at", looked := set())

    async def who() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            (name,) = cursor.fetchone()
        connection.close()
        return str(name)

    with django_db_blocker.unblock(), house.settled(allow_unsafe_database=True):
        roles.act_as("web")
        assert asyncio.run(who()) == house.login("web")

    assert len(looked) == 1
