"""Two tenants, people in every role, and their requests to pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import acme, add_task, fail_task, other_tenant, person

MOST = 14
"""Statements of a page: twelve, and the two that stand here for its transaction."""

__all__ = ["MOST", "acme", "add_task", "fail_task", "other_tenant", "person"]


class Pages:
    """One person's requests to the console."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, **words: Any) -> Any:
        return self.client.get(f"/tasks/{path}", words)

    def post(self, path: str, **words: Any) -> Any:
        return self.client.post(f"/tasks/{path}", words)


@pytest.fixture
def pages(person: Callable[[str], User]) -> Callable[[str], Pages]:
    """`pages("operator").get("schedules/")`."""

    def of(kind: str) -> Pages:
        client = Client()
        if kind != "anonymous":
            client.force_login(person(kind))
        return Pages(client)

    return of
