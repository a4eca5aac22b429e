"""The table of pages: what each is called, where it lies, for whom it is. Routes and navigation are made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpResponse

from youtility_tasks.visits import For

from .visit import Shown

Run = Callable[..., Shown | HttpResponse]


@dataclass(frozen=True, slots=True)
class Page:
    """One address."""

    path: str
    """As Django writes routes: "jobs/<id:job_id>/"."""
    run: Run
    """Is given the visit, and the parts of the path by name."""
    scope: For
    takes: tuple[str, ...]
    """Words behind the question mark that it knows."""
    tab: str
    """The name of the page in the bar at the top that it belongs to."""

    @property
    def name(self) -> str:
        """Of its route."""
        return str(self.run.__name__)


PAGES: list[Page] = []


def page(
    path: str, *, scope: For = For.TENANT_OR_OPS, takes: tuple[str, ...] = (), tab: str | None = None
) -> Callable[[Run], Run]:
    """Put a function into the table; its name is its route's, and its tab's unless that is given."""

    def put(run: Run) -> Run:
        PAGES.append(Page(path, run, scope, takes, tab if tab is not None else run.__name__))
        return run

    return put


@dataclass(frozen=True, slots=True)
class Tab:
    """One word in the bar at the top."""

    name: str
    label: str
    key: str
    """Pressed after g."""
    for_tenants: bool = True
    """Whether a tenant's people have it, too."""


TABS = (
    Tab("overview", "Overview", "o"),
    Tab("jobs", "Jobs", "j"),
    Tab("failures", "Failures", "f"),
    Tab("queues", "Queues", "q"),
    Tab("schedules", "Schedules", "s"),
    Tab("workflows", "Workflows", "w"),
    Tab("workers", "Workers", "p", for_tenants=False),
    Tab("tenants", "Tenants", "t", for_tenants=False),
    Tab("move", "Move", "m", for_tenants=False),
    Tab("catalog", "Catalog", "c"),
    Tab("audit", "Audit", "a"),
)


def tabs(is_ops: bool) -> list[Tab]:
    """Those that there are for such a visitor."""
    known: set[str] = {each.name for each in PAGES}
    return [each for each in TABS if each.name in known and (is_ops or each.for_tenants)]


__all__ = ["PAGES", "TABS", "For", "Page", "Tab", "page", "tabs"]
