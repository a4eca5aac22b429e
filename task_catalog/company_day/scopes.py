"""In whose name the day looks and acts, where the database keeps tenants apart.

People and sweeps act as they do in real life: the web's user, one client at a time. Whoever makes the company, takes it away
and counts it afterwards is none of the clients, and connects as the one who migrates.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from django.db import connection

from youtility_tasks import tenant, tenants_in_scope
from youtility_tasks.conf import settings
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import no_tenant

from .errors import BoundDirector

Answer = TypeVar("Answer")


@contextlib.contextmanager
def director() -> Iterator[None]:
    """Inside the block this process sees the rows of all clients. Raises BoundDirector where it could not."""
    with roles.acting(roles.MIGRATOR):
        if settings().roles is not None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
                name, is_free = cursor.fetchone()
            if not is_free:
                raise BoundDirector(name)
        yield


def of_each(ask: Callable[[int], Answer]) -> list[Answer]:
    """What `ask` answers in the scope of the sweeps (0), then in that of each client."""
    answers = []
    for tenant_id in [0, *tenants_in_scope()]:
        with tenant(tenant_id) if tenant_id else no_tenant():
            answers.append(ask(tenant_id))
    return answers
