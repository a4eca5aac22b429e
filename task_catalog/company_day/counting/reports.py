"""Reports: what the sweeps made and mailed, what people were answered, which files and which history rows are left."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from task_catalog import entities
from task_catalog.company_day.company import Company
from task_catalog.company_day.expected import Totals
from task_catalog.company_day.reporting import SCHEDULED
from task_catalog.company_day.yard import Yard

from .attempts import Attempts
from .letters import by_client


def count_reports(company: Company, attempts: Attempts, yard: Yard) -> Totals:
    """The totals of reports."""
    made: list[tuple[datetime, int]] = []
    empty = 0
    for instant, result in attempts.of_sweep("create_scheduled_reports"):
        made += [(instant, schedule_id) for schedule_id in _made(result)]
        empty += int(result.get("no_data") or 0)
    schedules = {each.pk: each for each in entities.ScheduleReport.objects.filter(client_id__in=company.client_ids)}
    kinds = Counter(schedules[pk].crontype for _, pk in made if pk in schedules)
    runs = Counter(f"{instant:%H:%M}" for instant, _ in made)
    mailed = {
        f"{instant:%H:%M}": int(result["sent"])
        for instant, result in attempts.of_sweep("send_generated_report_on_mail")
        if result.get("sent")
    }
    answers = Counter(str(result.get("status")) for result in attempts.results("create_save_report_async"))
    first_clean_up = next(iter(attempts.of_sweep("cleanup_reports_which_are_12hrs_old")), None)
    return {
        "scheduled reports made": by_client(
            company, (schedules[pk].client_id if pk in schedules else None for _, pk in made)
        ),
        "scheduled reports by kind": {
            **{report.crontype: kinds[report.crontype] for report in SCHEDULED},
            "all": kinds.total(),
        },
        "scheduled reports made at": {
            f"{instant:%H:%M}": runs[f"{instant:%H:%M}"] for instant, _ in attempts.of_sweep("create_scheduled_reports")
        },
        "scheduled reports mailed at": mailed,
        "scheduled reports without data": empty,
        "scheduled report files left": _files(yard.scheduled_reports),
        "answers to those who asked for a report": dict(sorted(answers.items())),
        "old report files removed at first": int(first_clean_up[1].get("deleted") or 0) if first_clean_up else 0,
        "asked report files left": _files(yard.asked_reports),
        **_history(company),
    }


def _made(result: dict[str, Any]) -> list[int]:
    """The schedules whose file a run has made; a file's name is `<type>__<client>-<site>-<schedule>__...`."""
    return [int(name.split("__")[1].split("-")[2]) for name in result.get("files") or []]


def _files(folder: Any) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def _history(company: Company) -> Totals:
    rows = entities.ReportHistory.objects.filter(client_id__in=company.client_ids)
    kinds = Counter(
        "scheduled" if kind == "SCHEDULED" else "asked for" for kind in rows.values_list("export_type", flat=True)
    )
    return {
        "report history": {"asked for": kinds["asked for"], "scheduled": kinds["scheduled"], "all": kinds.total()},
        "report history without data": rows.filter(has_data=False).count(),
    }
