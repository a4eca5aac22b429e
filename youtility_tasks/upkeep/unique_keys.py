"""Takes away the keys whose period is over: they stand for no call any more, and were only in the way."""

from __future__ import annotations

from collections.abc import Callable

from youtility_tasks import queries

BATCH = 20_000
"""Keys that one statement takes away."""


def forget_over(leave: Callable[[], bool], *, batch: int = BATCH, most_calls: int = 50) -> tuple[int, bool]:
    """How many went, and whether that was all. Many may call it at once; `leave` is asked between two batches."""
    gone = 0
    for _ in range(most_calls):
        some = queries.run("prune_unique_keys", {"most": batch})
        gone += some
        if some < batch:
            return gone, True
        if leave():
            break
    return gone, False
