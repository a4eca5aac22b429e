"""Makes a page of a template, with an engine of its own: whatever the application's settings say about templates."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.template.backends.django import DjangoTemplates

from .table import tabs
from .visit import Shown, Visit

_TEMPLATES = Path(__file__).parent.parent / "templates"
_ROOM = "youtility_tasks/console"


@functools.cache
def _engine() -> DjangoTemplates:
    return DjangoTemplates(
        {
            "NAME": "youtility_tasks_console",
            "DIRS": [_TEMPLATES],
            "APP_DIRS": False,
            "OPTIONS": {
                "builtins": ["youtility_tasks.console.tags", "django.templatetags.static"],
                "context_processors": ["django.template.context_processors.csrf"],
            },
        }
    )


def rendered(request: HttpRequest, shown: Shown, visit: Visit | None, *, tab: str = "") -> HttpResponse:
    """The answer to a request. Without a visit (nobody is signed in, or the database is away) the page has no tabs."""
    context: dict[str, Any] = {
        **shown.context,
        "title": shown.title,
        "visit": visit,
        "tab": tab,
        "only_looks": request.method in ("GET", "HEAD"),
        "tabs": tabs(visit.is_ops) if visit is not None else [],
        "messages": list(get_messages(request)),
    }
    page = _engine().get_template(f"{_ROOM}/{shown.template}").render(context, request)
    return HttpResponse(page, status=shown.status)
