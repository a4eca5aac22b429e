"""How a sweep goes through its rows: page by page, one bad row never stops the others, and it ends in time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from youtility_tasks import BadInput, TaskContext, Transient, errors

logger = logging.getLogger(__name__)

PAGE = 200
"""Rows looked up at once; each is then handled in its own transaction."""
SHARE_OF_LIMIT = 0.8
"""A sweep stops at this share of its time limit and leaves the rest to a job that it enqueues."""

MOST_WARNINGS = 200
"""Lines that a result holds; a result that is too large to be stored would tell nothing at all."""

MOST_IDS = 1_000
"""Ids that a result names; its counts are of all."""

Row = TypeVar("Row")


def shortened(warnings: list[str]) -> list[str]:
    """The first warnings, and how many more there were."""
    more = len(warnings) - MOST_WARNINGS
    return warnings if more <= 0 else [*warnings[:MOST_WARNINGS], f"and {more} more warnings"]


class RowsFailed(Exception):
    """Some rows of a sweep failed for reasons unknown; the others are done and the next attempt tries these again."""


class Sweep:
    """One run over due rows: what failed, what is still to be said, and whether time is up."""

    def __init__(self, context: TaskContext) -> None:
        self._context = context
        self._errors: list[Exception] = []
        self.failed: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.stopped = False

    def time_is_up(self, share: float = SHARE_OF_LIMIT) -> bool:
        """Whether this share of the time limit has passed, or somebody wants the job to end."""
        limit = self._context.timeout_s
        used_up = limit is not None and self._context.time_left_s() <= (1 - share) * limit
        return used_up or self._context.should_abort()

    def rows(self, fetch: Callable[[Row | None], list[Row]], *, size: int | None = None) -> Iterator[Row]:
        """Every row, in pages of `size` (PAGE): `fetch(last)` gives the page that follows `last`, the first for None.

        Ends early, with `stopped` set, when time is up. Each page begins after the last row of the one before, so a
        row that failed, or that somebody else has locked, is not met again in this run.
        """
        last: Row | None = None
        while True:
            page = fetch(last)
            for row in page:
                if self.time_is_up():
                    self.stopped = True
                    return
                yield row
            if len(page) < (size or PAGE):
                return
            last = page[-1]

    @contextlib.contextmanager
    def one(self, row_id: int) -> Iterator[None]:
        """Around one row: an error is noted and the sweep goes on; the end of the time limit is not swallowed."""
        try:
            yield
        except errors.SoftTimeLimit:
            raise
        except Exception as error:
            logger.warning(
                "row failed, the sweep goes on task=%s id=%s", self._context.task_name, row_id, exc_info=True
            )
            self.note_failure(row_id, error)

    def note_failure(self, what: int | str, error: Exception) -> None:
        """Remember what failed; `raise_failures` will tell."""
        self._errors.append(error)
        self.failed.append({"id": what, "error": f"{type(error).__name__}: {error}"})

    @property
    def to_be_continued(self) -> bool:
        """Whether rows are left for a job that the task must enqueue; not when somebody ended this one."""
        return self.stopped and not self._context.should_abort()

    def status(self) -> str:
        """The result's status: "ok", or "partial" when rows were left for the next job."""
        return "partial" if self.stopped else "ok"

    def raise_failures(self) -> None:
        """Raise at the end of the run if rows failed.

        BadInput when no retry could help any of them, Transient when every other one was somebody else's fault, else
        RowsFailed.
        """
        if not self._errors:
            return
        told = "; ".join(f"{each['id']}: {each['error']}" for each in self.failed[:5])
        more = f" and {len(self.failed) - 5} more" if len(self.failed) > 5 else ""
        text = f"{len(self.failed)} failed, everything else is done: {told}{more}."
        curable = [error for error in self._errors if not isinstance(error, BadInput)]
        if not curable:
            raise BadInput(text)
        if all(isinstance(error, Transient) for error in curable):
            raise Transient(text)
        raise RowsFailed(text) from curable[0]
