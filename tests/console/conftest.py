"""People in every role before the pages, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.api.conftest import acme, add_task, fail_task, other_tenant, person

__all__ = ["acme", "add_task", "fail_task", "other_tenant", "person"]


@pytest.fixture
def visit(person: Callable[[str], User]) -> Callable[..., Any]:
    """`visit("viewer", "queues/")`: the answer that this person gets; with `post={...}` to a form that was sent."""

    def look(kind: str, path: str = "", *, post: dict[str, Any] | None = None) -> Any:
        client = Client(raise_request_exception=True)
        if kind != "anonymous":
            client.force_login(person(kind))
        return client.get(f"/tasks/{path}") if post is None else client.post(f"/tasks/{path}", post)

    return look
