"""Runs each web request in the tenant of the person who sent it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponseBase

from . import tenants
from .membership import memberships_of, require
from .models import Role

CHOSEN = "youtility_tasks_tenant"
"""Key of the session that holds the tenant which somebody with several has chosen."""


class TenantMiddleware:
    """Put it after the authentication: `with tenant(id)` around the view of everybody who belongs to one tenant.

    Who belongs to several works for the one in the session (`choose`), and without a tenant until one is chosen; who
    belongs to none works without. `request.tenant_id` says which; `request.tenant_roles` what may be chosen.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._acall(request)
        with _tenant_of(request):
            response: HttpResponseBase = self.get_response(request)
        return response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        await sync_to_async(_resolve)(request)
        with _tenant_of(request):
            response: HttpResponseBase = await self.get_response(request)
        return response


def choose(request: HttpRequest, tenant_id: int | None) -> None:
    """Work for this tenant from the next request on, with None for none. Raises NotAllowed if the user does not belong to it."""
    if tenant_id is None:
        request.session.pop(CHOSEN, None)
        return
    require(request.user, tenant_id, Role.VIEWER)
    request.session[CHOSEN] = tenant_id


def _resolve(request: Any) -> None:
    if hasattr(request, "tenant_roles"):
        return
    request.tenant_roles = memberships_of(getattr(request, "user", None))
    if len(request.tenant_roles) == 1:
        (request.tenant_id,) = request.tenant_roles
    else:
        session = getattr(request, "session", None)
        chosen = session.get(CHOSEN) if session is not None and request.tenant_roles else None
        request.tenant_id = chosen if chosen in request.tenant_roles else None


def _tenant_of(request: Any) -> contextlib.AbstractContextManager[object]:
    _resolve(request)
    return tenants.nobody() if request.tenant_id is None else tenants.tenant(request.tenant_id)
