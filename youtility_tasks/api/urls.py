"""The routes below `api/`, made from the table of endpoints."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from django.urls import path, re_path, register_converter, reverse
from pydantic import ConfigDict

from youtility_tasks import addresses
from youtility_tasks.visits import For

from . import (
    audit,
    dead_letters,
    holidays,
    installation,
    jobs,
    metrics,
    moving,
    operations,
    queues,
    schedules,
    tenants,
    workers,
    workflows,
)
from .door import not_found, view_of
from .endpoints import ENDPOINTS, Endpoint, endpoint
from .schema import document
from .words import Given

_ROOMS = (
    jobs,
    operations,
    queues,
    schedules,
    holidays,
    workflows,
    workers,
    tenants,
    audit,
    dead_letters,
    installation,
    metrics,
    moving,
)
"""Which put themselves into the table."""


class _Day:
    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return value.isoformat()


app_name = "youtility_tasks_api"

register_converter(addresses.Id, "id")
register_converter(addresses.Name, "name")
register_converter(_Day, "day")


class OpenApi(Given):
    """This document."""

    model_config = ConfigDict(extra="allow")
    openapi: str


@endpoint("GET", "schema/", gives=OpenApi, scope=For.ANYBODY)
def get_schema(query: object) -> dict[str, object]:
    """This document, OpenAPI 3.1."""
    return {**document(), "servers": [{"url": reverse(f"{app_name}:get_schema").removesuffix("/schema/")}]}


def _by_path() -> dict[str, dict[str, Endpoint]]:
    found: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for each in ENDPOINTS:
        found[each.path][each.method] = each
    return found


urlpatterns = [
    *(path(route, view_of(methods), name=next(iter(methods.values())).name) for route, methods in _by_path().items()),
    re_path(r"^", not_found),
]
