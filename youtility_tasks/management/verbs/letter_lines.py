"""How groups of dead letters and redrives are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType

from youtility_tasks.dead_letters import Group
from youtility_tasks.documents.plain import first_line, instant
from youtility_tasks.models import Redrive

from .answer import OK, REFUSED, Answer, span, table


def groups(found: Sequence[Group], *, more: bool) -> list[RenderableType]:
    """A line an error, for people."""
    if not found:
        return []
    rows = [
        (
            each.fingerprint,
            each.count,
            each.task_name,
            first_line(": ".join(filter(None, [each.error_class.rpartition(".")[2], each.says]))),
            each.place,
            each.last_failed_at,
            each.job_id,
        )
        for each in found
    ]
    headings = ("fingerprint", "letters", "task", "error", "at", "last", "for example")
    shown: list[RenderableType] = [table(headings, rows, empty="")]
    if more:
        shown.append(f"There are more errors: these are the {len(found)} with the most letters.")
    return shown


def would(act: str, n: int, rate: float | None) -> Answer:
    """What a dry run says."""
    lasts = f", the last one due in {span(max(0, n - 1) / rate)}" if rate and n else ""
    return Answer({"ok": True, "dry_run": True, "letters": n}, [f"Would {act} {n} dead letters{lasts}."])


def redrive(row: Redrive) -> Answer:
    """A redrive as it stands; REFUSED if some of its letters were."""
    told = row.refused
    page: list[RenderableType] = [table(_HEADINGS, [_row(row)], empty="")]
    if row.ended_at is None:
        page.append(f"It is unfinished: `dead-letters resume {row.pk}` goes on, `dead-letters stop {row.pk}` ends it.")
    problems = [each["why"] for each in told]
    if row.refused_count > len(told):
        problems.append(f"{row.refused_count - len(told)} more letters stay dead letters.")
    return Answer(
        {"ok": not row.refused_count, "redrive": document(row)}, page, REFUSED if row.refused_count else OK, problems
    )


def redrives(rows: Sequence[Redrive]) -> Answer:
    """A list of redrives."""
    page = [table(_HEADINGS, [_row(each) for each in rows], empty="No dead letters were redriven yet.")]
    return Answer({"redrives": [document(each) for each in rows]}, page)


def document(row: Redrive) -> dict[str, Any]:
    """A redrive for JSON."""
    return {
        "id": row.pk,
        "tenant": row.tenant_id,
        "filter": _filter(row),
        "rate_per_s": row.rate_per_s,
        "set": row.edited,
        "status": _status(row),
        "letters": row.total_count,
        "done": row.done_count,
        "refused_count": row.refused_count,
        "refused": row.refused,
        "last_due_at": instant(row.next_at),
        "started_by": row.started_by,
        "reason": row.reason,
        "started_at": instant(row.started_at),
        "ended_at": instant(row.ended_at),
    }


_HEADINGS = ("redrive", "which", "set", "rate", "status", "moved", "refused", "of", "by", "began", "ended", "why")


def _row(row: Redrive) -> tuple[object, ...]:
    which = ", ".join(f"{name} {value}" for name, value in _filter(row).items()) or "all"
    whose = "all tenants" if row.tenant_id is None else f"tenant {row.tenant_id}"
    return (
        row.pk, f"{whose}: {which}", ", ".join(row.edited), f"{row.rate_per_s:g}/s" if row.rate_per_s else "at once", _status(row),
        row.done_count, row.refused_count, row.total_count, row.started_by, row.started_at, row.ended_at, first_line(row.reason),
    )  # fmt: skip


def _filter(row: Redrive) -> dict[str, Any]:
    given = {
        "task": row.task_name,
        "queue": row.queue_name,
        "fingerprint": row.fingerprint,
        "since": instant(row.failed_since),
        "until": instant(row.failed_until),
    }
    return {name: value for name, value in given.items() if value}


def _status(row: Redrive) -> str:
    if row.is_stopped:
        return "stopped"
    return "ended" if row.ended_at else "unfinished"
