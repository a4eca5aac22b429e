"""Charts of how one worker did: memory, processors, jobs at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from youtility_tasks.models import WorkerHeartbeat

from .charts import Chart
from .tags import number, size

SPANS: dict[str, tuple[timedelta, int]] = {
    "1h": (timedelta(hours=1), 0),
    "6h": (timedelta(hours=6), 300),
    "24h": (timedelta(hours=24), 900),
    "2d": (timedelta(days=2), 1_800),
}
"""Word -> how far back, in steps of so many seconds; 0: each sample by itself."""
USUAL = "1h"
_MIB = 1024 * 1024

Steps = Sequence[tuple[datetime, Sequence[WorkerHeartbeat]]]


def of_worker(worker_id: int, span: str) -> list[Chart]:
    """Three charts, or none where there is no sample; one query."""
    length, step_s = SPANS[span]
    samples = list(WorkerHeartbeat.objects.of_worker(worker_id, since=datetime.now(UTC) - length))
    return drawn(samples, step_s) if samples else []


def drawn(samples: Sequence[WorkerHeartbeat], step_s: int) -> list[Chart]:
    """Of at least one sample, oldest first."""
    steps = _steps(samples, step_s)
    own = [max(each.memory_bytes for each in some) for _, some in steps]
    theirs = [max(each.children_bytes for each in some) for _, some in steps]
    busy = [sum(each.cpu for each in some) / len(some) for _, some in steps]
    mean = [sum(each.running_mean for each in some) / len(some) for _, some in steps]
    most = [max(each.running_most for each in some) for _, some in steps]
    all_of_it = max(a + b for a, b in zip(own, theirs, strict=True))
    return [
        _chart(
            "memory", "Memory, MiB", f"{size(all_of_it)} at most, {size(own[-1] + theirs[-1])} at last.", steps,
            ("its children together", "busy", [round(each / _MIB, 1) for each in theirs]),
            ("the worker itself", "quiet", [round(each / _MIB, 1) for each in own]),
        ),
        _chart(
            "cpu", "Processors kept busy", f"{max(busy):.2f} processors at most, {busy[-1]:.2f} at last.", steps,
            ("worker and children", "busy", [round(each, 3) for each in busy]),
        ),
        _chart(
            "running", "Jobs at a time", f"{number(max(most))} at most, {number(round(mean[-1], 1))} on average at last.", steps,
            ("at most", "warn", most), ("on average", "busy", [round(each, 2) for each in mean]),
        ),
    ]  # fmt: skip


def _steps(samples: Sequence[WorkerHeartbeat], step_s: int) -> Steps:
    if not step_s:
        return [(each.at, [each]) for each in samples]
    found: dict[datetime, list[WorkerHeartbeat]] = {}
    for each in samples:
        begins = datetime.fromtimestamp(each.at.timestamp() // step_s * step_s, UTC)
        found.setdefault(begins, []).append(each)
    return list(found.items())


def _chart(name: str, title: str, says: str, steps: Steps, *lines: tuple[str, str, Sequence[float]]) -> Chart:
    data: dict[str, Any] = {
        "x": [at.timestamp() for at, _ in steps],
        "series": [
            {"label": label, "color": color, "kind": "line", "values": list(values)} for label, color, values in lines
        ],
    }
    return Chart(name, title, says, data, [at for at, _ in steps])
