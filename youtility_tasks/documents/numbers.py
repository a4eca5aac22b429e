"""Numbers of the attempts that ended in a span of time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from youtility_tasks.metrics import Numbers, Point, Summary

from .plain import instant


def numbers(each: Numbers) -> dict[str, Any]:
    """What ended: counts, durations in ms, processor time and memory."""
    return {
        "attempts": each.attempt_count,
        "succeeded": each.succeeded_count,
        "retried": each.retried_count,
        "failed": each.failed_count,
        "outcomes": dict(each.counts),
        "per_second": _short(each.per_s),
        **{f"{of}_{which}_ms": _short(getattr(each, f"{of}_{which}_ms")) for of in ("wait", "run") for which in _WHICH},
        "cpu_sum_ms": _short(each.cpu_sum_ms),
        "cpu_max_ms": _short(each.cpu_max_ms),
        "peak_memory_max_bytes": None if each.peak_memory_max_kib is None else each.peak_memory_max_kib * 1024,
    }


_WHICH = ("p50", "p95", "p99", "max", "mean")


def summary(since: datetime, until: datetime, by: str | None, rows: Iterable[Summary]) -> dict[str, Any]:
    """A whole span, a row for each queue, task on a queue, tenant or outcome; one row without."""
    return {
        "since": instant(since),
        "until": instant(until),
        "by": by,
        "rows": [
            {
                "queue": each.queue_name,
                "task": each.task_name,
                "tenant": each.tenant_id,
                "outcome": each.outcome,
                **numbers(each),
            }
            for each in rows
        ],
    }


def series(by: str | None, step_s: int, points: Iterable[Point]) -> dict[str, Any]:
    """A span in steps: one list of points for each group."""
    lines: dict[str | None, list[dict[str, Any]]] = {}
    for each in points:
        lines.setdefault(each.group, []).append({"at": instant(each.begins_at), **numbers(each)})
    return {"by": by, "step_s": step_s, "series": [{"group": group, "points": line} for group, line in lines.items()]}


def _short(number: float | None) -> float | None:
    """To a thousandth: percentiles are within 5 % anyway."""
    return None if number is None else round(number, 3)
