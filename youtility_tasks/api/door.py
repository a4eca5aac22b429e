"""Lets a request in, step by step, and sends the answer out."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from youtility_tasks import membership, queries, tenants, tokens, visits
from youtility_tasks.conf import settings
from youtility_tasks.errors import NotAllowed
from youtility_tasks.middleware import FINDS_OUT_ITSELF
from youtility_tasks.problems import Problem, of

from . import callers, reading
from .endpoints import Endpoint

logger = logging.getLogger(__name__)


def view_of(methods: Mapping[str, Endpoint]) -> Callable[..., HttpResponse]:
    """The view of one path."""

    # Not in the transaction of ATOMIC_REQUESTS: an operator has a connection of their own, and what is refused is entered after.
    @transaction.non_atomic_requests
    @csrf_exempt  # asked of sessions, in `callers`
    def view(request: HttpRequest, **path: Any) -> HttpResponse:
        try:
            found = methods.get("GET" if request.method == "HEAD" else str(request.method))
            if found is None:
                raise _no_such_method(str(request.method), methods)
            response: HttpResponse = _answer(request, found, path)
        except Exception as error:
            response = of(error).response()
        # Nothing here is for a cache to keep, or for a browser to guess what it is.
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    setattr(view, FINDS_OUT_ITSELF, True)
    return view


def _answer(request: HttpRequest, endpoint: Endpoint, path: Mapping[str, Any]) -> HttpResponse:
    with tenants.nobody():  # a middleware may have entered the tenant of a session
        caller = callers.authenticate(request)
        _count(caller)
        query = reading.query(request, endpoint.query)
        given = {"query": query, **path}
        if endpoint.body is not None:
            given["body"] = reading.body(request, endpoint.body)
        if endpoint.takes_key:
            given["key"] = reading.key(request)
        where = visits.admit(caller.user, caller.chosen, getattr(query, "tenant", None), endpoint.scope)
        with visits.entered(where, caller.user):
            try:
                with _transaction(endpoint):
                    if where is not None:
                        visits.enter_look(
                            where, f"{request.method} {endpoint.path}"[:300], query.model_dump(mode="json")
                        )
                        given["place"] = where
                    document = endpoint.run(**given)
            except NotAllowed as refused:
                if endpoint.method != "GET":
                    membership.enter_refusal(refused)
                raise
    return JsonResponse(document, status=endpoint.status, json_dumps_params={"allow_nan": False})


def _count(caller: callers.Caller) -> None:
    wait_s = tokens.take(caller.counted_as)
    if wait_s > 0:
        limits = settings()
        seconds = max(1, math.ceil(wait_s))
        raise Problem(
            429, "too-many-requests", "Too many requests",
            f"More than {limits.api_rate_per_s:g} requests a second, after {limits.api_burst} at once. Try again in {seconds} s.",
            {"Retry-After": str(seconds)},
        )  # fmt: skip


@contextlib.contextmanager
def _transaction(endpoint: Endpoint) -> Any:
    if not endpoint.one_transaction:
        yield
        return
    with transaction.atomic(using=settings().database):
        queries.fetch("bound_transaction", {"deadline_ms": int(settings().api_statement_s * 1_000)})
        yield


def _no_such_method(method: str, methods: Mapping[str, Endpoint]) -> Problem:
    allowed = ", ".join(sorted({*methods, *({"HEAD"} if "GET" in methods else ())}))
    return Problem(
        405, "wrong-method", "Wrong method", f"{method[:20]} is not known here; right is {allowed}.", {"Allow": allowed}
    )


def not_found(request: HttpRequest, **_: Any) -> HttpResponse:
    """The answer to a path that is none."""
    return Problem(
        404, "no-such-path", "No such path", "Nothing is here; GET /tasks/api/schema/ lists what there is."
    ).response()


not_found = transaction.non_atomic_requests(csrf_exempt(not_found))
