"""`GroupResult`: the results of a group's members, in their order."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from youtility_tasks.errors import ResultTimeout

from . import looking, results, states
from .results import AsyncResult

__all__ = ["AsyncResult", "GroupResult", "ResultSet"]


class ResultSet:
    """Several results, looked at together."""

    def __init__(self, results: Sequence[Any], **_: Any) -> None:
        self.results = list(results)

    def add(self, result: Any) -> None:
        """One more, unless it is there."""
        if result not in self.results:
            self.results.append(result)

    def remove(self, result: Any) -> None:
        """One less. Raises KeyError."""
        wanted = str(result)
        found = next((each for each in self.results if each.id == wanted), None)
        if found is None:
            raise KeyError(result)
        self.results.remove(found)

    def update(self, results: Sequence[Any]) -> None:
        """More, each once."""
        for each in results:
            self.add(each)

    def clear(self) -> None:
        """None."""
        self.results.clear()

    def ready(self) -> bool:
        """Whether all have ended."""
        return all(each.ready() for each in self.results)

    def successful(self) -> bool:
        """Whether all ended well."""
        return all(each.successful() for each in self.results)

    def failed(self) -> bool:
        """Whether any has failed."""
        return any(each.failed() for each in self.results)

    def waiting(self) -> bool:
        """Whether any has not ended."""
        return any(not each.ready() for each in self.results)

    def completed_count(self) -> int:
        """How many ended well."""
        return sum(each.successful() for each in self.results)

    def maybe_throw(self, propagate: bool = True, callback: Any = None) -> None:
        """Raise what the first of those that failed has failed with."""
        for each in self.results:
            each.maybe_throw(propagate=propagate)

    maybe_reraise = maybe_throw

    def get(self, timeout: float | None = None, propagate: bool = True, interval: float = 0.5, callback: Any = None, **options: Any) -> list[Any]:  # fmt: skip
        """Wait for all; what they returned, in their order. Raises the first failure in that order, or returns it without `propagate`."""
        until = None if timeout is None else time.monotonic() + timeout
        got = []
        for each in self.results:
            left_s = None if until is None else until - time.monotonic()
            if left_s is not None and left_s < 0 and not each.ready():
                raise ResultTimeout(f"{self!r} has not ended after {timeout} s.")
            value = each.get(
                timeout=None if left_s is None else max(0.0, left_s), propagate=propagate, interval=interval, **options
            )
            got.append(value if callback is None else callback(each.id, value))
        return got

    join = join_native = get

    def forget(self) -> None:
        """See `AsyncResult.forget`."""
        for each in self.results:
            each.forget()

    def revoke(self, connection: Any = None, terminate: bool = False, signal: Any = None, **options: Any) -> None:
        """Revoke all."""
        for each in self.results:
            each.revoke(terminate=terminate)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __getitem__(self, n: int) -> Any:
        return self.results[n]

    def __len__(self) -> int:
        return len(self.results)

    def __eq__(self, other: object) -> bool:
        return self.results == other.results if isinstance(other, ResultSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self.results))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: [{', '.join(each.id for each in self.results)}]>"


class GroupResult(ResultSet):
    """Those of one group; its `id` finds them again: `GroupResult.restore(id)`."""

    def __init__(self, id: str | None = None, results: Sequence[Any] = (), parent: Any = None, **_: Any) -> None:
        super().__init__(results)
        self.id, self.parent = id, parent

    @property
    def children(self) -> list[Any]:
        """The members."""
        return self.results

    @property
    def state(self) -> str:
        """SUCCESS or FAILURE when all have ended, else PENDING."""
        if not self.ready():
            return states.PENDING
        return states.SUCCESS if self.successful() else states.FAILURE

    def save(self, backend: Any = None) -> None:
        """Nothing: the run is stored."""

    def delete(self, backend: Any = None) -> None:
        """Nothing: the run goes with its history."""

    @classmethod
    def restore(cls, id: str, backend: Any = None, app: Any = None) -> GroupResult | None:
        """The group of this id; None if there is none."""
        run, _, name = str(id).partition(":")
        if run.isdecimal() and len(run) < 19 and name:
            ids = looking.members(int(run), name)
        else:
            ids = [each for ask in looking.members_elsewhere for each in ask(str(id))]
        return cls(str(id), [AsyncResult(each) for each in ids]) if ids else None

    def as_tuple(self) -> tuple[Any, list[Any]]:
        """((id, parent's tuple), the members' tuples)."""
        return (self.id, self.parent.as_tuple() if self.parent is not None else None), [
            each.as_tuple() for each in self.results
        ]

    def as_list(self) -> list[Any]:
        """The members' ids."""
        return [each.id for each in self.results]


def _of(ids: list[str]) -> GroupResult:
    run, _, name = ids[0].partition(":")
    return GroupResult(f"{run}:{name.rpartition('.')[0]}", [AsyncResult(each) for each in ids])


results.group_of[:] = [_of]
