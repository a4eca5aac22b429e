"""Lets whoever migrates see one tenant's rows, in a transaction that says so: for what no part may do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import transaction

from youtility_tasks import queries
from youtility_tasks.conf import settings

from . import token


@contextlib.contextmanager
def acting(tenant_id: int | None) -> Iterator[None]:
    """A transaction in which the owner's policies show this tenant's rows (0: those of no tenant), or with None everybody's.

    The policies go by the search_path of functions that run with their owner's rights; this sets it, and the tenant's token
    beside it. Connect as `roles.MIGRATOR` first. Without the setting `roles` it is a transaction and nothing more.
    """
    with transaction.atomic(using=settings().database):
        if settings().roles is not None:
            text = "" if tenant_id is None else token.current(tenant_id).text
            queries.fetch_bound("tenancy_as_owner", {"token": text})
        yield
