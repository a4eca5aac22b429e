"""Signing in and out, where the application has no page of its own for it (LOGIN_URL)."""

from __future__ import annotations

from django.contrib.auth import REDIRECT_FIELD_NAME, login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from . import door
from .rendering import rendered
from .visit import URLS, Shown


@door.for_anybody
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Name and password, asked of the application's own authentication."""
    form = AuthenticationForm(request, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        login(request, form.get_user())
        return HttpResponseRedirect(_back(request))
    shown = Shown(
        "sign_in.html", "Sign in", {"form": form, "next": _back(request), "next_name": REDIRECT_FIELD_NAME},
        status=403 if form.errors else 200,
    )  # fmt: skip
    return rendered(request, shown, None)


@door.for_anybody
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return HttpResponseRedirect(reverse(f"{URLS}:sign_in"))


def _back(request: HttpRequest) -> str:
    given = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    is_ours = url_has_allowed_host_and_scheme(given, {request.get_host()}, require_https=request.is_secure())
    return given if given and is_ours else reverse(f"{URLS}:overview")
