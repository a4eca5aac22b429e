"""Reports for tests: what a form says, and what lies in the folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from task_catalog.facility.models import Jobneed, ReportHistory, ScheduleReport
from task_catalog.reporting.making import Made, make
from task_catalog.reporting.request import read
from tests.catalog.closing.world import START, Company
from youtility_tasks import tenant

DAY = "2025-03-03"


@dataclass(frozen=True)
class Folders:
    on_demand: Path
    scheduled: Path

    def files(self) -> list[Path]:
        """Every file in both folders, temporary ones too."""
        return sorted(
            path for folder in (self.on_demand, self.scheduled) for path in folder.rglob("*") if path.is_file()
        )


def form(report: str, site: Any = None, **more: Any) -> dict[str, Any]:
    """What the page sends for one day's report of a site, or of a whole client."""
    asked = {"report_name": report, "format": "csv", "export_type": "DOWNLOAD", "fromdate": DAY, "uptodate": DAY}
    return {**asked, "site": None if site is None else site.pk, "ctzoffset": 0, **more}


def rows(company: Company, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a report as they come from the database."""
    from task_catalog.reporting.rows import rows_of

    with tenant(company.id):
        checked = read(asked, client_id=company.id)
        with rows_of(checked.report, checked.filters) as found:
            return list(found)


def made_into(company: Company, asked: dict[str, Any], path: Path) -> Made:
    """Make a report into a file."""
    with tenant(company.id):
        return make(read(asked, client_id=company.id), path)


def visits(company: Company, site: Any, *statuses: str, **columns: Any) -> list[Jobneed]:
    """One visit for each status, planned a minute apart from ten o'clock of the day."""
    return [
        company.work(site, jobstatus=status, **{"plandatetime": START + timedelta(hours=10, minutes=n), **columns})
        for n, status in enumerate(statuses)
    ]


def schedule(company: Company, site: Any, **columns: Any) -> ScheduleReport:
    """A daily TASKSUMMARY of a site at 06:00 by the company's clock, last made an hour before the day began."""
    facts: dict[str, Any] = {
        "report_type": "TASKSUMMARY",
        "report_name": "Tasks of the day",
        "report_params": {"site": None if site is None else site.pk, "format": "csv"},
        "cron": "0 6 * * *",
        "to_addr": [f"boss@{company.name}.example"],
        "lastgeneratedon": START - timedelta(hours=1),
        "bu": site,
        "client_id": company.id,
        **company.stamps(),
    }
    return ScheduleReport.objects.create(**{**facts, **columns})


def histories(company: Company) -> Iterator[ReportHistory]:
    return ReportHistory.objects.filter(client_id=company.id).order_by("pk").iterator()
