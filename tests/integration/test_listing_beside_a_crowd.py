"""The list of jobs is what the rows say, whatever narrows it, and a crowd of newer jobs hides nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.integration.desk import execute, rows
from youtility_tasks import listing
from youtility_tasks.listing import JobFilter, jobs
from youtility_tasks.status import JobStatus

pytestmark = pytest.mark.django_db

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
STEP = timedelta(minutes=40)
GONE = (JobStatus.SUCCEEDED, JobStatus.CANCELLED, JobStatus.ABORTED)


@dataclass(frozen=True)
class Row:
    id: int
    status: JobStatus
    tenant_id: int
    enqueued_at: datetime
    ended_at: datetime | None
    """Of its latest attempt that ended."""
    error: str
    lock: str
    claimed_at: datetime | None


def some_jobs(seed: int, count: int = 150) -> list[Row]:
    """Jobs of four days, the newer the larger their id; each as it stands, with the attempt that ended last."""
    dice = random.Random(seed)  # noqa: S311
    made = []
    for n in range(1, count + 1):
        status = dice.choice([JobStatus.TODO, JobStatus.DOING, JobStatus.FAILED, *GONE])
        enqueued_at = NOON + (n - count) * STEP
        tried = status in (*GONE, JobStatus.FAILED) or dice.random() < 0.5
        ended_at = min(enqueued_at + timedelta(hours=60) * dice.random() ** 6, NOON + STEP) if tried else None
        error = dice.choice(["sites.NoSite", "mail.Timeout"]) if tried and status != JobStatus.SUCCEEDED else ""
        lock = "" if status in GONE else dice.choice(["", "", f"site-{n % 3}"])
        claimed_at = min(enqueued_at + timedelta(hours=50) * dice.random(), NOON) if status == JobStatus.DOING else None
        made.append(Row(n, status, dice.choice([7, 8]), enqueued_at, ended_at, error, lock, claimed_at))
    for row in made:
        is_live = row.status not in GONE
        if is_live:
            failed_at = row.ended_at if row.status == JobStatus.FAILED else None
            lock = row.lock or None if row.status != JobStatus.DOING else None  # one job alone runs with a lock
            execute(
                "INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id, args, status, attempts, claim_number, enqueued_at, failed_at, lock, fingerprint, claimed_at, noted)"
                " VALUES (%s, 'email', 'add', %s, jsonb_build_object('n', %s), %s, %s, %s, %s, %s, %s, %s, %s, false)",
                row.id, row.tenant_id, row.id % 3, row.status.value, 1 if row.ended_at else 0, int(bool(row.ended_at or row.claimed_at)), row.enqueued_at, failed_at, lock,
                row.error[:4], row.claimed_at,
            )  # fmt: skip
        if row.ended_at:
            how = row.status.value if not is_live else "failed"
            is_final = not is_live or row.status == JobStatus.FAILED
            execute(
                "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, finished_at,"
                " status, outcome, is_final, error_class, args) VALUES (%s, 'add', 'email', %s, 5, 1, 1, %s, %s, %s, %s, %s, %s, jsonb_build_object('n', %s))",
                row.id, row.tenant_id, row.enqueued_at, row.ended_at, how, how if is_final else "retry", is_final, row.error, row.id % 3,
            )  # fmt: skip
        elif row.status == JobStatus.TODO and row.id % 3:  # it was called off, and that was undone
            execute(
                "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, finished_at,"
                " status, outcome, is_final, args) VALUES (%s, 'add', 'email', %s, 5, 1, 0, %s, %s, 'cancelled', 'cancelled', true, jsonb_build_object('n', %s))",
                row.id, row.tenant_id, row.enqueued_at, row.enqueued_at + row.id * timedelta(minutes=10), row.id % 3,
            )  # fmt: skip
    return made


def meant(row: Row, wanted: JobFilter) -> bool:
    lock = row.lock if row.status != JobStatus.DOING else ""
    ends = [row.ended_at] if row.status in (*GONE, JobStatus.FAILED) else [row.claimed_at]
    touched = [each for each in (ends if row.status in GONE else [row.enqueued_at, *ends]) if each]
    return (
        (not wanted.statuses or row.status in wanted.statuses)
        and wanted.tenant_id in (None, row.tenant_id)
        and (wanted.until is None or row.enqueued_at < wanted.until)
        and (wanted.since is None or max(touched) >= wanted.since)
        and (wanted.before_id is None or row.id < wanted.before_id)
        and wanted.error.lower() in row.error.lower()
        and wanted.lock in ("", lock)
        and wanted.args in ({}, {"n": row.id % 3})
        and (
            wanted.fingerprint is None or (row.status == JobStatus.FAILED and row.error.startswith(wanted.fingerprint))
        )
    )


def check(seed: int, *, lately: bool = False) -> None:
    """`lately`: asked for "since" each time, and for little else."""
    made = some_jobs(seed)
    dice = random.Random(seed)  # noqa: S311
    for _ in range(60):
        words: dict[str, Any] = {
            "until": NOON - 100 * STEP * dice.random(), "since": NOON - 100 * STEP * dice.random(), "tenant_id": 7, "before_id": dice.randint(20, 150), "error": dice.choice(["timeout", "NoSite", "none"]),
            "statuses": dice.sample(list(JobStatus), 2), "lock": "site-1", "fingerprint": "mail", "args": {"n": dice.randint(0, 3)},
        }  # fmt: skip
        names = {name for name in words if dice.random() < 0.35}
        names = names & {"tenant_id", "before_id"} | {"since"} if lately else names
        wanted = JobFilter(**{name: words[name] for name in names})
        right = sorted((each.id for each in made if meant(each, wanted)), reverse=True)
        assert [each.job_id for each in jobs(wanted, limit=30)] == right[:30], wanted


def test_whatever_narrows_the_list_it_is_what_the_rows_say() -> None:
    check(1)


def test_what_was_touched_lately_is_listed_whenever_it_was_enqueued() -> None:
    check(3, lately=True)


@pytest.mark.parametrize("guard", ["_LONGEST_TRANSACTION", "enqueued_before", "begun_or_failed_since", "_gone"])
def test_without_a_guard_it_is_not(monkeypatch: pytest.MonkeyPatch, guard: str) -> None:
    if guard == "begun_or_failed_since":
        monkeypatch.setattr(listing.JobQuerySet, guard, lambda self, instant: self.none())
    elif guard == "_gone":
        monkeypatch.setattr(listing, guard, lambda found: found)
    elif guard == "enqueued_before":
        monkeypatch.setattr(listing.JobQuerySet, guard, lambda self, instant: self)
    else:
        monkeypatch.setattr(listing, guard, -timedelta(days=2))
    with pytest.raises(AssertionError):
        for seed in (3, 5, 6):
            check(seed, lately=guard == "begun_or_failed_since")
            execute("DELETE FROM youtility_tasks_history")
            execute("DELETE FROM procrastinate_jobs")


def test_an_error_is_found_behind_a_crowd_that_has_ended_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    made = some_jobs(2, 40)
    monkeypatch.setattr(listing, "ERRORS_LOOKED_AT", 60)
    execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id, args, status, enqueued_at, noted)"
        " SELECT 1000 + n, 'email', 'add', 7, '{}', 'todo', now(), false FROM generate_series(1, 100) n"
    )

    found = {each.job_id for each in jobs(JobFilter(error="Timeout"), limit=100)}

    assert found == {each.id for each in made if "Timeout" in each.error} and found


def test_a_tenants_list_says_what_its_index_is_for() -> None:
    with CaptureQueriesContext(connection) as asked:
        jobs(JobFilter(tenant_id=7, task_name="add"), limit=5)

    (queued,) = [each["sql"] for each in asked if each["sql"].startswith('SELECT "procrastinate_jobs"')]
    assert '"procrastinate_jobs"."id" >= 0' in queued


@pytest.mark.parametrize("looked_at", [1, 2, 1_000])
def test_an_error_is_looked_for_in_the_newest_dead_letters(monkeypatch: pytest.MonkeyPatch, looked_at: int) -> None:
    monkeypatch.setattr(listing, "ERRORS_LOOKED_AT", looked_at)
    letters = [each for each in some_jobs(5) if each.status == JobStatus.FAILED]

    found = {each.job_id for each in jobs(JobFilter(error="Timeout", statuses=[JobStatus.FAILED]), limit=100)}

    assert found == {each.id for each in letters[-looked_at:] if "Timeout" in each.error}


def test_arguments_are_looked_for_in_the_jobs_that_ended_last(monkeypatch: pytest.MonkeyPatch) -> None:
    made = some_jobs(4)
    for looked_at in (7, 40, 1_000):
        monkeypatch.setattr(listing, "LOOKED_AT", looked_at)
        last = rows(
            "SELECT finished_at FROM youtility_tasks_history WHERE is_final AND status <> 'failed' ORDER BY 1 DESC OFFSET %s",
            looked_at - 1,
        )
        (since,) = last[0] if last else (NOON - timedelta(days=9),)
        right = {
            each.id
            for each in made
            if each.status in GONE and each.ended_at and each.ended_at >= since and each.id % 3 == 1
        }

        assert {each.job_id for each in jobs(JobFilter(args={"n": 1}, statuses=GONE), limit=100)} == right, looked_at
        assert right, looked_at


def test_what_one_transaction_enqueues_is_found_by_the_time_when_it_began() -> None:
    """Its ids may be larger than those of jobs that were enqueued, and have ended, since."""
    began = NOON - timedelta(hours=6)
    for job_id, enqueued_at in ((50, began + timedelta(minutes=10)), (90, began + timedelta(minutes=20))):
        execute(
            "INSERT INTO youtility_tasks_history (job_id, task_name, queue_name, tenant_id, priority, attempt, claim_number, enqueued_at, finished_at,"
            " status, outcome, is_final) VALUES (%s, 'add', 'email', 7, 5, 1, 1, %s, %s, 'succeeded', 'succeeded', true)",
            job_id, enqueued_at, enqueued_at + timedelta(minutes=5),
        )  # fmt: skip
    execute(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id, args, status, enqueued_at, noted)"
        " VALUES (60, 'email', 'add', 7, '{}', 'todo', %s, false)", began,
    )  # fmt: skip

    found = [each.job_id for each in jobs(JobFilter(until=began + timedelta(minutes=1)), limit=9)]

    assert found == [60]
