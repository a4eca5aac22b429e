"""Lets a person in, page by page, and sends the page out with its headers."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import global_settings
from django.conf import settings as settings_of_django
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import resolve_url
from django.templatetags.static import static
from django.urls import reverse
from django.utils.decorators import decorator_from_middleware
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt

from youtility_tasks import membership, problems, queries, tenants, visits
from youtility_tasks.addresses import LARGEST_TENANT
from youtility_tasks.conf import settings
from youtility_tasks.errors import NotAllowed
from youtility_tasks.middleware import CHOSEN, FINDS_OUT_ITSELF
from youtility_tasks.models import Role
from youtility_tasks.problems import Problem
from youtility_tasks.visits import EVERYBODY, For, Place

from .rendering import rendered
from .table import Page
from .visit import URLS, Shown, Visit
from .words import Words

NOWHERE = Place(None, Role.VIEWER)
"""Of a page that shows nothing of a tenant."""
_LOOKED = "youtility_tasks_looked"
_LOOK_S = 900
"""An operator's look over others' metadata is entered once in so many seconds of a session, for each place."""


def view_of(page: Page) -> Callable[..., HttpResponse]:
    """The view of one page."""

    def answer(request: HttpRequest, visit: Visit, **path: Any) -> HttpResponse:
        visit.words.only(page.takes)
        with reading(visit, page.scope):
            enter_look(visit)
            shown = page.run(visit, **path)
            return rendered(request, shown, visit, tab=page.tab) if isinstance(shown, Shown) else shown

    return guarded(page.scope, answer, methods=("GET", "HEAD"))


class _Check(CsrfViewMiddleware):
    def _reject(self, request: HttpRequest, reason: str) -> HttpResponse:
        return headed(_told(request, _OLD_FORM, None))


def from_our_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view, for forms of our own pages only. Django's check, made here: the application's own refuses with a page that says
    nothing of what to do, and somebody who signed in anew in another tab meets it."""
    checked: Callable[..., HttpResponse] = csrf_exempt(decorator_from_middleware(_Check)(view))  # type: ignore[assignment]
    return checked


def for_anybody(answer: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A view for who is not signed in, too, which tells as the pages do what goes wrong: the database may be away."""

    @transaction.non_atomic_requests
    @from_our_page
    def view(request: HttpRequest) -> HttpResponse:
        try:
            with tenants.nobody():
                response = answer(request)
        except Exception as error:
            response = _told(request, error, None)
        return headed(response)

    setattr(view, FINDS_OUT_ITSELF, True)
    return view


_OLD_FORM = Problem(
    403, "old-form", "This form is too old",
    "Nothing was done. The form was made before somebody signed in or out in this browser, or it is of no page of ours. Go back, load "
    "the page again, and send it once more.",
)  # fmt: skip


def guarded(
    scope: For, answer: Callable[..., HttpResponse], *, methods: tuple[str, ...]
) -> Callable[..., HttpResponse]:
    """A view that knows its visitor, answers what goes wrong with a page, and sets the headers of every page."""

    # Not in the transaction of ATOMIC_REQUESTS: an operator has a connection of their own, and what is refused is entered after.
    @transaction.non_atomic_requests
    @from_our_page
    def view(request: HttpRequest, **path: Any) -> HttpResponse:
        visit: Visit | None = None
        try:
            if request.method not in methods:
                raise Problem(
                    405, "wrong-method", "Wrong method", f"Here it is {' or '.join(methods)}.", {"Allow": ", ".join(methods)}
                )  # fmt: skip
            with tenants.nobody():
                if not _is_signed_in(request):
                    return headed(to_sign_in(request))
                visit = _visit(request, scope)
                response = answer(request, visit, **path)
        except Exception as error:
            response = _told(request, error, visit)
        return headed(response)

    setattr(view, FINDS_OUT_ITSELF, True)
    return view


def _is_signed_in(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return bool(getattr(user, "is_authenticated", False) and getattr(user, "is_active", False))


def _visit(request: HttpRequest, scope: For) -> Visit:
    words = Words(request.GET)
    wanted = words.number("tenant", most=LARGEST_TENANT)
    given = request.session.get(CHOSEN)
    chosen = given if isinstance(given, int) else None
    user: Any = request.user
    part = words.text("part")
    place = visits.admit(user, chosen, wanted, scope, is_whole_page=not part)
    if place is not None and place.passes_over_role and chosen != EVERYBODY:
        request.session[CHOSEN] = EVERYBODY
    return Visit(request=request, user=user, place=place or NOWHERE, words=words, wanted_tenant=wanted, part=part)


@contextlib.contextmanager
def reading(visit: Visit, scope: For) -> Iterator[None]:
    """One transaction in the visitor's place, whose statements have a limit of time."""
    with (
        visits.entered(None if scope is For.ANYBODY else visit.place, visit.user),
        transaction.atomic(using=settings().database),
    ):
        queries.fetch("bound_transaction", {"deadline_ms": int(settings().api_statement_s * 1_000)})
        yield


def enter_look(visit: Visit) -> None:
    """Enter an operator's look, unless this session has had it entered lately."""
    if not visit.place.is_ops or settings().roles is None:
        return
    whose, now = str(visit.tenant_id or "all"), time.time()
    looked: dict[str, float] = visit.request.session.get(_LOOKED, {})
    if now - looked.get(whose, 0) > _LOOK_S:
        visits.enter_look(visit.place, "the console", {"page": visit.request.path})
        recent = {key: at for key, at in looked.items() if now - at <= _LOOK_S}
        visit.request.session[_LOOKED] = {**recent, whose: now}


# -- what goes wrong


def _told(request: HttpRequest, error: Exception, visit: Visit | None) -> HttpResponse:
    problem = spoken(problems.of(error))
    if problem.kind == "which-tenant" and request.method == "GET":
        return HttpResponseRedirect(f"{reverse(f'{URLS}:choose')}?{urlencode({'next': request.get_full_path()})}")
    if isinstance(error, NotAllowed) and request.method == "POST" and visit is not None:
        with visits.entered(visit.place, visit.user):
            membership.enter_refusal(error)
    part = request.GET.get("part", "")
    shown = Shown("problem_part.html" if part else "problem.html", problem.title, {"problem": problem}, problem.status)
    response = rendered(request, shown, visit)
    for name, value in problem.headers.items():
        response[name] = value
    return response


def spoken(problem: Problem) -> Problem:
    """The problem without the sentences that send somebody to a command: who looks at pages may have no terminal."""
    return dataclasses.replace(
        problem, detail=_COMMAND.sub(lambda found: "." if found[0][0] == ":" else "", problem.detail)
    )


_COMMAND = re.compile(r":? `[^`]+` [^.`]*\.(?=\s|$)")


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Where somebody signs in: where the application says (LOGIN_URL), or on our own page."""
    own = settings_of_django.LOGIN_URL == global_settings.LOGIN_URL
    address = reverse(f"{URLS}:sign_in") if own else resolve_url(settings_of_django.LOGIN_URL)
    if request.GET.get("part"):  # a part of a page that outlived its session: the whole page goes there
        words = request.GET.copy()
        words.pop("part")
        page = came_from(request) or request.path + (f"?{words.urlencode()}" if words else "")
        return HttpResponse(status=401, headers={"HX-Redirect": f"{address}?{urlencode({REDIRECT_FIELD_NAME: page})}"})
    back = request.get_full_path()
    if request.method != "GET":
        messages.warning(request, "You were signed out in the meantime, so nothing was done.", fail_silently=True)
        back = came_from(request) or reverse(f"{URLS}:overview")
    return HttpResponseRedirect(f"{address}?{urlencode({REDIRECT_FIELD_NAME: back})}")


def came_from(request: HttpRequest) -> str:
    """The page of ours that a form says it was opened on; empty if it says none."""
    given = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = given.startswith(reverse(f"{URLS}:overview")) and url_has_allowed_host_and_scheme(given, None)
    return given if is_ours else ""


def headed(response: HttpResponse) -> HttpResponse:
    """The answer with the headers of every page: nothing but our own files, kept by no cache, shown in no frame."""
    response.headers.setdefault("Content-Security-Policy", _policy())
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response


def _policy() -> str:
    """Nothing but our own files, wherever the application serves its static files from."""
    address = urlsplit(static("youtility_tasks/console.css"))
    own = f"'self' {address.scheme}://{address.netloc}" if address.netloc else "'self'"
    return (
        f"default-src 'none'; script-src {own}; style-src {own}; img-src {own} data:; font-src {own}; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
