"""What a page knows of the person who looks at it: who, for which tenant, and what they may do there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from youtility_tasks import membership
from youtility_tasks.visits import Place

from .words import Words

URLS = "youtility_tasks_console"
"""The namespace of the pages' names."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of one person."""

    request: HttpRequest
    user: Any
    place: Place
    words: Words
    wanted_tenant: int | None = None
    """The tenant that the address names; links lead on with it."""
    part: str = ""
    """The part of the page that is asked for; empty: the whole."""

    @property
    def tenant_id(self) -> int | None:
        """The tenant whose rows are shown; None: everybody's."""
        return self.place.tenant_id

    @property
    def is_ops(self) -> bool:
        """Whether this is an operator's look: metadata alone, and words about workers and hosts."""
        return self.place.is_ops or self.place.is_of_sweeps

    @property
    def sees_contents(self) -> bool:
        """Whether arguments, results, output and error texts may be shown."""
        return not self.place.is_ops

    @property
    def is_operator(self) -> bool:
        """Whether this person operates every tenant's jobs, here or elsewhere."""
        return membership.is_ops(self.user)

    def may(self, act: str) -> bool:
        """Whether this person may do that here (one of `membership.NEEDS`); asks the database nothing."""
        return membership.covers(self.place.role, act) or self.is_operator

    def to(self, name: str, *parts: Any, **words: Any) -> str:
        """The address of a page for the same tenant; words that are None or empty are left out."""
        said = {key: value for key, value in words.items() if value not in (None, "", [], ())}
        if self.wanted_tenant is not None:
            said.setdefault("tenant", self.wanted_tenant)
        query = f"?{urlencode(said, doseq=True)}" if said else ""
        return reverse(f"{URLS}:{name}", args=parts) + query

    def here(self, **words: Any) -> str:
        """This page with other words behind the question mark; None takes one away."""
        said: dict[str, Any] = {key: self.request.GET.getlist(key) for key in self.request.GET}
        said |= words
        kept = {key: value for key, value in said.items() if value not in (None, "", [], ())}
        query = f"?{urlencode(kept, doseq=True)}" if kept else ""
        return self.request.path + query


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows: a template below `templates/youtility_tasks/console/` and what it needs."""

    template: str
    title: str
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
