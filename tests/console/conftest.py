"""People in every role before the pages, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import acme, add_task, fail_task, other_tenant, person
from tests.api.speaking import ACME, OTHER
from youtility_tasks import Task, tenant
from youtility_tasks.testing import run_jobs

__all__ = ["acme", "add_task", "fail_task", "other_tenant", "person"]


@pytest.fixture
def visitor(person: Callable[[str], User]) -> Callable[[str], Client]:
    """`visitor("viewer")`: their browser, with a session that lasts; "anonymous" is nobody's."""

    def open_(kind: str) -> Client:
        client = Client()
        if kind != "anonymous":
            client.force_login(person(kind))
        return client

    return open_


@pytest.fixture
def visit(visitor: Callable[[str], Client]) -> Callable[..., Any]:
    """`visit("viewer", "queues/")`: the answer that this person gets; with `post={...}` to a form that was sent."""

    def look(kind: str, path: str = "", *, post: dict[str, Any] | None = None) -> Any:
        browser = visitor(kind)
        return browser.get(f"/tasks/{path}") if post is None else browser.post(f"/tasks/{path}", post)

    return look


@pytest.fixture
def work(acme: int, other_tenant: int, add_task: Task, fail_task: Task) -> dict[str, Any]:
    """An ended, a failed and a waiting job of Acme ("mine"), and the same of the other tenant ("theirs")."""
    made: dict[str, Any] = {}
    for whose, tenant_id in (("mine", ACME), ("theirs", OTHER)):
        with tenant(tenant_id):
            ended, failed = add_task.enqueue(number=41), fail_task.enqueue(number=tenant_id)
            made[whose] = {"ended": int(ended.id), "failed": int(failed.id)}
    run_jobs()
    for whose, tenant_id in (("mine", ACME), ("theirs", OTHER)):
        with tenant(tenant_id):
            made[whose]["waiting"] = int(add_task.enqueue(number=40 + tenant_id).id)
    return made


MOST = 14
"""Statements of a page: twelve, and the two that stand here for its transaction."""


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
