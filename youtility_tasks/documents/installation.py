"""What is wrong with the installation, and what is past its retention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from youtility_tasks.conf import settings
from youtility_tasks.doctor.finding import Finding
from youtility_tasks.upkeep.prune import Removed, Scope


def findings(found: Sequence[Finding]) -> dict[str, Any]:
    """What the doctor has found."""
    return {
        "ok": all(each.ok for each in found),
        "checks": [{"name": each.name, "ok": each.ok, "found": each.found, "advice": each.advice} for each in found],
    }


def removed(what: Removed, scope: Scope, *, dry_run: bool) -> dict[str, Any]:
    """What went or, with `dry_run`, would go."""
    by_outcome = Counter(what.attempts)
    for each in what.days.values():
        by_outcome.update(each)
    return {
        "dry_run": dry_run,
        "kept_days": settings().history_retention_days if scope.keep_days is None else scope.keep_days,
        "retention": scope.retention(),
        "attempts": what.attempt_count,
        "attempts_by_outcome": dict(sorted(by_outcome.items())),
        "partitions": [
            {"day": day.isoformat(), "attempts": sum(counts.values()), "by_outcome": counts}
            for day, counts in sorted(what.days.items())
        ],
        "jobs": sum(what.jobs.values()),
        "jobs_by_status": what.jobs,
        "workers": sum(what.workers.values()),
        "redrives": what.redrives,
        "kept_redrive_days": scope.redrive_days,
        "postponed": [day.isoformat() for day in what.postponed],
    }
