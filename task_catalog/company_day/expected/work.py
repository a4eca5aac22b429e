"""What people do on the day and what the server then has to close (R-ACL)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from task_catalog.company_day.definitions import Plan

from .calendar import sweeps
from .planning import Root

_COMPLETED, _STARTED = (0, 1, 2), 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a root stands at the end of the day, and its stops."""

    root: Root
    status: str
    is_due: bool
    """Its time was over at the last auto-close sweep."""
    in_alert: bool
    is_visited: bool
    """Somebody came by, and finished or only began."""
    stops: tuple[str, ...]

    @property
    def closed_by_server(self) -> bool:
        return self.status in ("AUTOCLOSED", "PARTIALLYCOMPLETED")

    @property
    def is_mailed(self) -> bool:
        return self.closed_by_server and self.root.plan.category in ("AUTOCLOSENOTIFY", "RAISETICKETNOTIFY")

    @property
    def raises_ticket(self) -> bool:
        return self.closed_by_server and self.root.plan.category == "RAISETICKETNOTIFY"


def outcomes(roots: dict[Plan, list[Root]], day: date) -> list[Outcome]:
    """How every root ends, by the position of its plan and its own position in the plan."""
    last_sweep = sweeps("auto_close_jobs", day)[-1]
    return [
        _outcome(root, plan.seq + k, is_due=root.expires_at <= last_sweep)
        for plan, of_plan in roots.items()
        for k, root in enumerate(of_plan)
    ]


def _outcome(root: Root, turn: int, *, is_due: bool) -> Outcome:
    stops = len(root.stops)
    if not is_due:
        return Outcome(root, "ASSIGNED", False, False, False, ("ASSIGNED",) * stops)
    if turn % 5 in _COMPLETED:
        return Outcome(root, "COMPLETED", True, turn % 10 == 0, True, ("COMPLETED",) * stops)
    is_begun = turn % 5 == _STARTED
    reached = stops // 2 if is_begun else 0
    status = "PARTIALLYCOMPLETED" if 0 < reached < stops else "AUTOCLOSED"
    return Outcome(root, status, True, False, is_begun, ("COMPLETED",) * reached + ("AUTOCLOSED",) * (stops - reached))
