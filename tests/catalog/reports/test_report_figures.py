"""TASKSUMMARY and TOURSUMMARY of the company's day are what catalog.md 5.3 prints."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from django.db import connections
from django.test.utils import override_settings

from task_catalog.company_day.company import Company
from task_catalog.company_day.definitions import Plan
from task_catalog.company_day.expected.planning import planned_roots
from task_catalog.company_day.expected.work import outcomes
from task_catalog.company_day.seed import seed_company
from task_catalog.facility.models import Jobneed
from task_catalog.high_priority.scheduling import create_job
from task_catalog.reporting.request import read
from task_catalog.reporting.rows import rows_of
from tests.catalog.closing.world import NONE, run
from tests.catalog.planning.frozen import FrozenClock
from tests.catalog.planning.world import at
from tests.conftest import Cluster, point_django_at
from youtility_tasks import tenant

DAY = date(2025, 3, 3)


@pytest.fixture(scope="module")
def company(cluster: Cluster, django_db_setup: None, template: str, django_db_blocker: Any) -> Iterator[Company]:
    """The company at the end of its day: planned by the task itself, every visit as 5.3 says it ends."""
    before = dict(connections.databases["default"])
    name = cluster.copy(template)
    clock = f"{FrozenClock.__module__}.{FrozenClock.__qualname__}"
    with django_db_blocker.unblock(), override_settings(TASK_CATALOG={"clock": clock}):
        point_django_at(cluster.url(name))
        company = seed_company(DAY)
        FrozenClock.instant = at("03 00:27")
        run(create_job)
        _work(company)
        yield company
        connections["default"].close()
        connections.databases["default"].update(before)
    cluster.drop(name)


def _work(company: Company) -> None:
    ids: dict[Plan, int] = {plan: pk for pk, plan in company.plans.items()}
    ends = {
        (ids[outcome.root.plan], outcome.root.planned_at): outcome.status
        for outcome in outcomes(planned_roots(DAY, 1), DAY)
    }
    roots = list(Jobneed.objects.filter(parent_id=NONE).exclude(pk=NONE))
    for root in roots:
        root.jobstatus = ends[root.job_id, root.plandatetime]
    Jobneed.objects.bulk_update(roots, ["jobstatus"], batch_size=500)


def sums(company: Company, letter: str, code: str) -> dict[str, int]:
    """The sums over a client's sites of its report for its local 3rd of March."""
    client = company.clients[letter]
    form = {
        "report_name": code,
        "format": "csv",
        "site": client.id,
        "fromdate": f"{DAY}",
        "uptodate": f"{DAY}",
        "ctzoffset": client.client.offset_min,
    }
    with tenant(client.id):
        asked = read(form, client_id=client.id)
        with rows_of(asked.report, asked.filters) as found:
            rows = list(found)
    names = [column.name for column in asked.report.columns]
    assert {row[1] for row in rows} == {DAY}
    return {name: sum(row[place] for row in rows) for place, name in enumerate(names) if place > 1}


@pytest.mark.parametrize(
    ("letter", "scheduled", "completed", "closed", "pending"),
    [("A", 140, 84, 56, 0), ("B", 84, 50, 34, 0), ("C", 56, 23, 17, 16)],
)
def test_the_task_summary(company, letter, scheduled, completed, closed, pending):
    found = sums(company, letter, "TASKSUMMARY")

    assert (found["Total Tasks"], found["Total Scheduled"], found["Total Adhoc"]) == (scheduled, scheduled, 0)
    assert (found["Total Completed"], found["Total Closed"], found["Total Pending"]) == (completed, closed, pending)
    assert found["Not Performed"] == scheduled - completed


@pytest.mark.parametrize(
    ("letter", "tours", "completed", "closed", "pending", "partial"),
    [("A", 70, 42, 14, 0, 14), ("B", 48, 25, 8, 6, 9), ("C", 32, 12, 4, 12, 4)],
)
def test_the_tour_summary(company, letter, tours, completed, closed, pending, partial):
    found = sums(company, letter, "TOURSUMMARY")

    assert (found["Total Tours"], found["Total Scheduled"]) == (tours, tours)
    assert (found["Total Completed"], found["Total Closed"], found["Total Pending"]) == (completed, closed, pending)
    assert found["Not Performed"] - found["Total Closed"] - found["Total Pending"] == partial
