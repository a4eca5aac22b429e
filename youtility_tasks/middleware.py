"""Runs each web request in the tenant of the person who sent it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseForbidden

from . import membership, tenants
from .errors import NotAllowed
from .models import Role

CHOSEN = "youtility_tasks_tenant"
"""Key of the session that holds the tenant which somebody with several has chosen."""


class TenantMiddleware:
    """Put it after the authentication: `with tenant(id)` around the view of everybody who belongs to one tenant.

    Who belongs to several works for the one in the session (`choose`), and without a tenant until one is chosen; who
    belongs to none works without. `request.tenant_id` says which; `request.tenant_roles` what may be chosen.

    What a view does to jobs and limits is done by that person (`membership.acting`). A NotAllowed that no view catches is
    answered 403, and is in the log and in the tenant's audit log.
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
        with _tenant_of(request), membership.acting(_user_of(request)):
            response: HttpResponseBase = self.get_response(request)
        return response

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        await sync_to_async(_resolve)(request)
        with _tenant_of(request), membership.acting(_user_of(request)):
            response: HttpResponseBase = await self.get_response(request)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answer to a person who may not do what they asked for; a request that is one transaction is rolled back by now."""
        if not isinstance(exception, NotAllowed):
            return None
        membership.enter_refusal(exception)
        return HttpResponseForbidden(f"{exception}\n", content_type="text/plain; charset=utf-8")


def choose(request: HttpRequest, tenant_id: int | None) -> None:
    """Work for this tenant from the next request on, with None for none. Raises NotAllowed if the user does not belong to it."""
    if tenant_id is None:
        request.session.pop(CHOSEN, None)
        return
    membership.require(request.user, tenant_id, Role.VIEWER)
    request.session[CHOSEN] = tenant_id


def _resolve(request: Any) -> None:
    if hasattr(request, "tenant_roles"):
        return
    request.tenant_roles = membership.memberships_of(_user_of(request))
    if len(request.tenant_roles) == 1:
        (request.tenant_id,) = request.tenant_roles
    else:
        session = getattr(request, "session", None)
        chosen = session.get(CHOSEN) if session is not None and request.tenant_roles else None
        request.tenant_id = chosen if chosen in request.tenant_roles else None


def _tenant_of(request: Any) -> contextlib.AbstractContextManager[object]:
    _resolve(request)
    return tenants.nobody() if request.tenant_id is None else tenants.tenant(request.tenant_id)


def _user_of(request: Any) -> Any:
    return getattr(request, "user", None)
