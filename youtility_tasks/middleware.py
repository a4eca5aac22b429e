"""Runs each web request in the tenant of the person who sent it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseForbidden
from django.urls import Resolver404, resolve

from . import membership, tenants
from .errors import NotAllowed
from .models import Role

FINDS_OUT_ITSELF = "youtility_tasks_finds_out_itself"
"""Attribute of a view that asks itself who sent the request and for which tenant; the middleware then asks nobody."""
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
        with _entered(request):
            response: HttpResponseBase = self.get_response(request)
            return _streamed_here(response)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        if not _finds_out_itself(request):
            await sync_to_async(_ask)(request)
        with _entered(request):
            response: HttpResponseBase = await self.get_response(request)
            return _streamed_here(response)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The answer to a person who may not do what they asked for; a request that is one transaction is rolled back by now."""
        if not isinstance(exception, NotAllowed):
            return None
        membership.enter_refusal(exception)
        return HttpResponseForbidden(f"{exception}\n", content_type="text/plain; charset=utf-8")


def _streamed_here(response: Any) -> HttpResponseBase:
    """The response; what is made while it is sent is made in this context, which has ended by then."""
    if response.streaming and not isinstance(response, FileResponse):
        here = contextvars.copy_context()
        content = response.streaming_content
        response.streaming_content = _anext_in(here, content) if response.is_async else _next_in(here, iter(content))
    made: HttpResponseBase = response
    return made


def _next_in(here: contextvars.Context, content: Iterator[bytes]) -> Iterator[bytes]:
    while (chunk := here.run(next, content, None)) is not None:
        yield chunk


async def _anext_in(here: contextvars.Context, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async def one() -> bytes | None:
        return await anext(content, None)

    while (chunk := await asyncio.create_task(one(), context=here)) is not None:
        yield chunk


def choose(request: HttpRequest, tenant_id: int | None) -> None:
    """Work for this tenant from the next request on, with None for none. Raises NotAllowed if the user does not belong to it."""
    if tenant_id is None:
        request.session.pop(CHOSEN, None)
        return
    membership.require(request.user, tenant_id, Role.VIEWER)
    request.session[CHOSEN] = tenant_id


def _finds_out_itself(request: HttpRequest) -> bool:
    try:
        return bool(getattr(resolve(request.path_info).func, FINDS_OUT_ITSELF, False))
    except Resolver404:
        return False


def _ask(request: Any) -> None:
    if hasattr(request, "tenant_roles"):
        return
    request.tenant_roles = membership.memberships_of(_user_of(request))
    if len(request.tenant_roles) == 1:
        (request.tenant_id,) = request.tenant_roles
    else:
        session = getattr(request, "session", None)
        chosen = session.get(CHOSEN) if session is not None and request.tenant_roles else None
        request.tenant_id = chosen if chosen in request.tenant_roles else None


@contextlib.contextmanager
def _entered(request: Any) -> Iterator[None]:
    if _finds_out_itself(request):
        with tenants.nobody(), membership.acting(None):
            yield
        return
    _ask(request)
    place = tenants.nobody() if request.tenant_id is None else tenants.tenant(request.tenant_id)
    with place, membership.acting(_user_of(request)):
        yield


def _user_of(request: Any) -> Any:
    return getattr(request, "user", None)
