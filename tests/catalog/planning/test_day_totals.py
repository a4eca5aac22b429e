"""The planning sweeps of the company's day make what catalog.md 5.2 prints, and a second sweep makes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext, override_settings

from task_catalog.company_day.company import Company
from task_catalog.company_day.expected.planning import planned_roots
from task_catalog.company_day.seed import seed_company
from task_catalog.facility.models import Job, Jobneed, JobneedDetails, Reminder
from task_catalog.high_priority.scheduling import create_job, create_ppm_job
from tests.catalog.planning.frozen import FrozenClock
from tests.catalog.planning.world import NONE, at, details, run, stops_of
from tests.conftest import Cluster, point_django_at
from youtility_tasks.models import TaskEffect

DAY = date(2025, 3, 3)
ROOTS = Jobneed.objects.filter(parent_id=NONE).exclude(pk=NONE)
STOPS = Jobneed.objects.exclude(parent_id=NONE)
SWEEPS: list[tuple[str, Any]] = [
    ("03 00:27", create_job),
    ("03 03:03", create_ppm_job),
    ("03 08:27", create_job),
    ("03 16:03", create_ppm_job),
    ("03 16:27", create_job),
]


@dataclass(frozen=True)
class Day:
    """The company, and what each of the day's five sweeps said."""

    company: Company
    results: dict[str, dict[str, Any]]
    repeated: dict[str, dict[str, Any]]
    """What the same sweep said when it ran again at the same instant."""
    statements_of_a_repeat: int


@pytest.fixture(scope="module")
def day(cluster: Cluster, django_db_setup: None, template: str, django_db_blocker: Any) -> Iterator[Day]:
    """The sweeps of the whole day, once for all these tests, which only look: in a database of its own."""
    before = dict(connections.databases["default"])
    name = cluster.copy(template)
    clock = f"{FrozenClock.__module__}.{FrozenClock.__qualname__}"
    with django_db_blocker.unblock(), override_settings(TASK_CATALOG={"clock": clock}):
        point_django_at(cluster.url(name))
        yield _sweep_all_day()
        connections["default"].close()
        connections.databases["default"].update(before)
    cluster.drop(name)


@pytest.fixture
def company(day: Day) -> Company:
    return day.company


@pytest.fixture
def planned(day: Day) -> dict[str, dict[str, Any]]:
    return day.results


def _sweep_all_day() -> Day:
    company = seed_company(DAY)
    results, repeated = {}, {}
    for moment, task in SWEEPS:
        FrozenClock.instant = at(moment)
        results[moment] = run(task)
        with CaptureQueriesContext(connection) as asked:
            repeated[moment] = run(task)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Day(company, results, repeated, len(asked))


def counts(result: dict[str, Any], *keys: str) -> tuple[Any, ...]:
    return tuple(result[key] for key in keys)


def by_client(company: Company, rows: Any, column: str = "client_id") -> list[int]:
    return [rows.filter(**{column: client_id}).count() for client_id in company.client_ids]


def first(company: Company, letter: str, kind: str) -> Job:
    plans = {plan.code: pk for pk, plan in company.plans.items() if plan.client.letter == letter}
    return Job.objects.get(pk=next(pk for code, pk in plans.items() if code.startswith(kind)))


def roots(plan: Job) -> list[Jobneed]:
    return list(ROOTS.filter(job=plan).order_by("plandatetime"))


def test_the_sweeps_report_the_printed_totals(planned):
    made = ("jobneeds_created", "children_created", "details_created")

    assert counts(planned["03 00:27"], *made) == (886, 1_960, 10_966)
    assert counts(planned["03 08:27"], *made) == (155, 328, 1_867)
    assert counts(planned["03 16:27"], *made) == (157, 346, 1_941)
    reminded = ("jobneeds_created", "details_created", "reminders_created", "reminders_skipped_past")
    assert counts(planned["03 03:03"], *reminded) == (220, 1_760, 410, 30)
    assert counts(planned["03 16:03"], *reminded) == (0, 0, 0, 0)


def test_the_rows_are_there_client_by_client(planned, company):
    tours_and_tasks = ROOTS.exclude(identifier="PPM")

    assert by_client(company, tours_and_tasks) == [603, 356, 239]
    assert by_client(company, STOPS) == [1_350, 768, 516]
    assert by_client(company, ROOTS.filter(identifier="PPM")) == [110, 66, 44]
    assert by_client(company, Reminder.objects.all(), "job__client_id") == [200, 126, 84]
    assert (ROOTS.count(), STOPS.count()) == (1_418, 2_634)
    assert JobneedDetails.objects.count() == 14_774 + 1_760
    per_kind = {
        code: ROOTS.filter(job_id__in=[pk for pk, plan in company.plans.items() if plan.kind.code == code]).count()
        for code in ("T1", "T2", "TR", "EX")
    }
    assert per_kind == {"T1": 640, "T2": 120, "TR": 430, "EX": 8}


def test_every_occurrence_is_where_an_independent_count_puts_it(planned, company):
    expected = planned_roots(DAY, 1)

    wanted = {
        (pk, root.planned_at, root.expires_at, len(root.stops))
        for pk, plan in company.plans.items()
        for root in expected[plan]
    }

    stops_by_root: dict[int, int] = {}
    for parent_id in STOPS.values_list("parent_id", flat=True):
        stops_by_root[parent_id] = stops_by_root.get(parent_id, 0) + 1
    found = {
        (root.job_id, root.plandatetime, root.expirydatetime, stops_by_root.get(root.pk, 0)) for root in ROOTS.all()
    }
    assert found == wanted


def test_the_first_tour_of_as_first_site(planned, company):
    root = roots(first(company, "A", "TR"))[0]

    assert (root.plandatetime, root.expirydatetime) == (at("03 00:25"), at("03 01:43"))
    assert [(f"{stop.plandatetime:%H:%M}", f"{stop.expirydatetime:%H:%M}") for stop in stops_of(root)] == [
        ("00:28", "00:38"),
        ("00:41", "00:51"),
        ("00:54", "01:04"),
        ("01:07", "01:17"),
        ("01:20", "01:30"),
        ("01:33", "01:43"),
    ]
    assert len(details(root)) == 1
    assert [len(details(stop)) for stop in stops_of(root)] == [4] * 6


@pytest.mark.parametrize(
    ("letter", "planned_at", "expires_at", "sites"),
    [("A", "03 14:25", "03 18:43", 10), ("B", "03 19:55", "03 22:25", 6), ("C", "03 00:55", "03 02:31", 4)],
)
def test_the_first_external_tour(planned, company, letter, planned_at, expires_at, sites):
    root = roots(first(company, letter, "EX"))[0]

    assert (root.plandatetime, root.expirydatetime) == (at(planned_at), at(expires_at))
    assert [stop.bu_id for stop in stops_of(root)] == [site.pk for site in company.clients[letter].sites]
    assert len(stops_of(root)) == sites


def test_last_generated_is_the_last_plan_time(planned, company):
    last = {letter: first(company, letter, "T1").lastgeneratedon for letter in "ABC"}

    assert last == {"A": at("05 08:20"), "B": at("05 13:50"), "C": at("05 10:50")}
    assert first(company, "A", "PW").lastgeneratedon == datetime(2025, 4, 28, 4, tzinfo=UTC)


def test_idle_plans_appear_nowhere_but_the_bad_cron_is_listed_once_a_run_and_client(planned, company):
    bad = set(Job.objects.filter(cron="61 * * * *").values_list("pk", flat=True))
    assert len(bad) == 3

    for moment, task in SWEEPS:
        listed = [(each["job_id"], each["reason"]) for each in planned[moment]["skipped"]]
        assert sorted(listed) == [(pk, "bad_cron") for pk in sorted(bad) if task is create_job]
    assert not Jobneed.objects.filter(job_id__in=company.idle_plan_ids).exists()


def test_every_root_stop_and_reminder_has_its_key(planned):
    kept = TaskEffect.objects.values_list("key", flat=True)

    by_prefix = {prefix: sum(key.startswith(f"{prefix}:") for key in kept) for prefix in KEPT}
    assert by_prefix == KEPT


KEPT = {"jobneed": 1_418, "jobneed-child": 2_634, "reminder": 410}


def test_people_codes_that_all_clients_share_never_mix_their_rows(planned, company):
    for client_id in company.client_ids:
        rows = Jobneed.objects.filter(client_id=client_id)
        people = rows.exclude(people_id=NONE)
        assert set(people.values_list("people__client_id", flat=True)) == {client_id}
        assert set(rows.exclude(asset_id=NONE).values_list("asset__client_id", flat=True)) == {client_id}
        assert set(rows.exclude(qset_id=NONE).values_list("qset__client_id", flat=True)) == {client_id}
        asked = JobneedDetails.objects.filter(jobneed__client_id=client_id).exclude(question_id=NONE)
        assert set(asked.values_list("question__client_id", flat=True)) == {client_id}


def test_a_second_sweep_at_the_same_instant_makes_nothing(day):
    for moment, again in day.repeated.items():
        made = {key: value for key, value in again.items() if key.endswith(("_created", "deleted_for_edit"))}
        assert set(made.values()) == {0}, (moment, made)


def test_a_sweep_with_nothing_to_do_asks_a_few_questions_a_client_however_many_plans(day):
    assert len(day.company.plans) == 183

    assert day.statements_of_a_repeat <= 20 * len(day.company.client_ids)
