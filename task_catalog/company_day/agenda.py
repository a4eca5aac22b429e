"""Who does what and when on the day: people, devices, machines, each in the name of its client."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from youtility_tasks import tenant


@dataclass(order=True, slots=True)
class Act:
    """Something that happens once, in one transaction; acts of one instant happen in the order they were noted."""

    at: datetime
    number: int
    client_id: int = field(compare=False)
    do: Callable[..., object] = field(compare=False)
    arguments: tuple[Any, ...] = field(compare=False)


class Agenda:
    """Acts in the order of their instants; more may be noted while the day goes on."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._waiting: list[Act] = []

    def note(self, at: datetime, client_id: int, do: Callable[..., object], *arguments: Any) -> None:
        """`do(*arguments)` shall happen at an instant, in the scope of a client."""
        heapq.heappush(self._waiting, Act(at, next(self._numbers), client_id, do, arguments))

    @property
    def waiting(self) -> list[Act]:
        """What has not happened yet, in order."""
        return sorted(self._waiting)

    def act_until(self, instant: datetime) -> int:
        """Let everything happen up to an instant that has not happened yet; how much there was."""
        count = 0
        while self._waiting and self._waiting[0].at <= instant:
            act = heapq.heappop(self._waiting)
            with tenant(act.client_id), transaction.atomic():
                act.do(*act.arguments)
            count += 1
        return count
