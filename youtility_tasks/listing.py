"""Jobs as one list, newest first: those that wait or run, dead letters, and those that have ended and left the queue."""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db.models import BigIntegerField, BooleanField, Case, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest, Least, Now

from . import notes, registry
from .declaration import LEAST_URGENT
from .errors import Refused
from .models import Job, TaskExecutionHistory
from .models.history import TENANTS_OWN, AttemptQuerySet
from .models.jobs import TENANTS_OWN as JOBS_OWN
from .models.jobs import JobQuerySet
from .notes import Progress
from .status import JobStatus
from .tenancy import roles

LOOKED_AT = 10_000
"""What arguments say is looked for in so many jobs, the newest that are all else that is asked for: no index knows it."""
ERRORS_LOOKED_AT = 5_000
"""What errors say is looked for in so many dead letters, and in so many jobs that have begun: of each the history is asked."""
CALLED_OFF_LOOKED_AT = 2_000
"""And what the errors say of jobs that were cancelled or aborted, in the newest so many: each of them lies in a page of its own."""
_LARGEST_ID = 2**63 - 1

Rows = TypeVar("Rows", bound="QuerySet[Any]")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are wanted; None, or no status at all, means any."""

    statuses: Collection[JobStatus] = ()
    queue_name: str | None = None
    task_name: str | None = None
    tenant_id: int | None = None
    since: datetime | None = None
    """Only jobs that were enqueued, claimed or ended since then."""
    fingerprint: str | None = None
    """Only dead letters of this error."""
    failed_since: datetime | None = None
    failed_until: datetime | None = None
    """Only dead letters that failed for good from then on, and by then."""
    until: datetime | None = None
    """Only jobs that were enqueued before."""
    before_id: int | None = None
    """Only jobs with a smaller id: what comes after a page that ended with this one."""
    worker_id: int | None = None
    """Only jobs that this worker holds."""
    search: str = ""
    """A job's id, its lock or unique key as a whole, or a part of its task's name."""
    task_names: Collection[str] = ()
    """Only of one of these tasks."""
    job_id: int | None = None
    lock: str = ""
    """Only with this lock, as its task gives it."""
    unique_key: str = ""
    """Only with this unique key, or queueing lock."""
    error: str = ""
    """Only with this in the class or the message of its latest attempt's error, in letters of any case; to an operator in the class."""
    args: Mapping[str, Any] = field(default_factory=dict)
    """Only with these among its arguments, as `{"id": 7}` or `{"site": {"zone": "north"}}`; marked ones are sealed, and never found."""

    @property
    def looks_inside(self) -> bool:
        """Whether it asks what no index knows, so that only the newest LOOKED_AT or ERRORS_LOOKED_AT jobs are looked at."""
        return bool(self.error or self.args)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """One job as a list shows it: no arguments, for they hold people's names."""

    job_id: int
    status: JobStatus
    task_name: str
    queue_name: str
    tenant_id: int
    priority: int
    """1 (most urgent) to 10."""
    attempt_count: int
    """Attempts used, the running one included."""
    enqueued_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    abort_requested: bool = False
    progress: Progress | None = None
    """How far its latest attempt is or, if it failed, was; None if it has not said so."""
    error_class: str = ""
    """Of the latest attempt that ended; also while another one waits."""
    error_message: str = ""


def jobs(wanted: JobFilter, *, limit: int) -> list[JobLine]:
    """At most `limit` jobs, by falling id. Two queries on the queue's table, one on the history."""
    queued = _queued(wanted, limit)
    known = {line.job_id for line in queued}
    # The queue first: a job that ends between the queries is then found twice, never missed.
    ended = [line for line in _ended(wanted, limit) if line.job_id not in known]
    return sorted([*queued, *ended], key=lambda line: -line.job_id)[:limit]


def _queued(wanted: JobFilter, limit: int) -> list[JobLine]:
    found = live(wanted)
    if wanted.until is not None:
        # With an end below all: of one open end the planner expects a third of all jobs, and reads them all.
        found = found.filter(pk__gte=-1, pk__lte=_newest_id_of(wanted.until, wanted.tenant_id))
    walked = found.filter(pk__gte=0)  # so it may be by the index of a tenant's jobs, which is for who says that
    parts = [found.few() if set(wanted.statuses) == {JobStatus.DOING} else walked]
    if wanted.since is not None and wanted.until is None and not wanted.looks_inside:
        since = {"pk__gte": _oldest_id_of(wanted.since, wanted.tenant_id), "enqueued_at__gte": wanted.since}
        parts = [walked.filter(**since, pk__lte=_LARGEST_ID), found.begun_or_failed_since(wanted.since).few()]
    if wanted.error:  # each has an index of its own
        parts = [found.dead_letters(), found.begun().few()]
    if wanted.looks_inside:
        most = ERRORS_LOOKED_AT if wanted.error else LOOKED_AT
        parts = [looking_inside(newest(each, "pk", most, walked=bool(wanted.error)), wanted) for each in parts]
    return lines(*parts, limit=limit)


_LONGEST_TRANSACTION = timedelta(minutes=15)
"""In which a job is enqueued. What one that lasts longer enqueues after it is missed by `until`, in this list alone."""


def _newest_id_of(until: datetime, tenant_id: int | None) -> Least:
    """No job that was enqueued before then has a larger id, so what a crowd has enqueued since is not walked past: ids rise with time, and
    this is that of a job that was enqueued later, and has ended. The largest of all, if none has."""
    later = until + _LONGEST_TRANSACTION
    ended = TaskExecutionHistory.objects.for_tenant(tenant_id).filter(finished_at__gte=later, enqueued_at__gte=later)
    return Least(Subquery(ended.order_by("finished_at").values("job_id")[:1]), Value(_LARGEST_ID, BigIntegerField()))


def _oldest_id_of(since: datetime, tenant_id: int | None) -> Greatest:
    """No job that was enqueued since then has a smaller id: this is that of one that had ended. Zero, if none had."""
    ended = TaskExecutionHistory.objects.for_tenant(tenant_id).filter(finished_at__lt=since)
    return Greatest(Subquery(ended.order_by("-finished_at").values("job_id")[:1]), Value(0, BigIntegerField()))


def lines(*parts: JobQuerySet, limit: int) -> list[JobLine]:
    """The newest of these jobs of the queue as a list shows them, by falling id; a query for each part, and one for their attempts. A part may
    have its own way to that order."""
    unread = JOBS_OWN if roles.acting_as() == "ops" else ("args",)
    found = {row.pk: row for each in parts for row in _by_falling(each, "pk").defer(*unread)[:limit]}
    rows = sorted(found.values(), key=lambda row: -row.pk)[:limit]
    since = min((row.enqueued_at for row in rows), default=None)
    attempts = TaskExecutionHistory.objects.last_of_jobs((row.pk for row in rows), since=since)
    last = {attempt.job_id: attempt for attempt in attempts.defer(*_unread())}
    return [_of_job(row, last.get(row.pk)) for row in rows]


def live(wanted: JobFilter) -> JobQuerySet:
    """The jobs in the queue, dead letters too, that are all of this; what `looking_inside` asks is left out."""
    found = Job.objects.for_tenant(wanted.tenant_id).of_queue(wanted.queue_name).of_task(wanted.task_name)
    found = found.touched_since(wanted.since).enqueued_before(wanted.until).before(wanted.before_id)
    found = found.of_fingerprint(wanted.fingerprint).failed_between(wanted.failed_since, wanted.failed_until)
    found = found.of_worker(wanted.worker_id)
    if wanted.error:
        found = found.with_an_ended_attempt()
    if wanted.search:
        keyed = _keyed(wanted.tenant_id, lock=wanted.search, key=wanted.search)
        found = found.filter(_known_as(wanted.search, "pk") | keyed)
    if wanted.lock:
        found = found.filter(_keyed(wanted.tenant_id, lock=wanted.lock))
    if wanted.unique_key:
        found = found.filter(_keyed(wanted.tenant_id, key=wanted.unique_key))
    if wanted.statuses:
        found = found.filter(status__in=wanted.statuses)
    return _named(found, wanted, "pk")


def looking_inside(found: Rows, wanted: JobFilter, *, ended: bool = False) -> Rows:
    """Of these jobs (`ended`: attempts) those whose error and arguments are as asked for. Reads every one of them.

    Raises Refused to an operator of all tenants who asks for arguments.
    """
    if wanted.args:
        if roles.acting_as() == "ops":
            raise Refused(
                "An operator of all tenants reads no arguments: name the tenant to look for them (--tenant N)."
            )
        found = found.filter(args__contains=dict(wanted.args))
    if not wanted.error:
        return found
    said = Q(error_class__icontains=wanted.error)
    if roles.acting_as() != "ops":  # who may not read what it says
        said |= Q(error_message__icontains=wanted.error)
    if ended:
        return found.filter(said)
    # Of each job the latest attempt, looked for in the days where it can be: every day is a partition.
    slack = timedelta(hours=1)
    of_job = TaskExecutionHistory.objects.filter(
        job_id=OuterRef("pk"),
        finished_at__gte=Greatest(OuterRef("enqueued_at"), OuterRef("failed_at") - slack),
        finished_at__lte=Coalesce(OuterRef("failed_at"), Now()) + slack,
    ).order_by("-finished_at", "-id")
    says_so = Case(When(said, then=True), default=False, output_field=BooleanField())
    may_have_one = Q(claim_number__gt=0) | Q(status=JobStatus.FAILED)
    last_says_so = Subquery(of_job.annotate(says_so=says_so).values("says_so")[:1])
    return found.filter(may_have_one).alias(says_so=last_says_so).filter(says_so=True)


def newest(found: Rows, id_column: str, most: int = LOOKED_AT, *, walked: bool = False) -> Rows:
    """The newest `most` of these jobs, or of these attempts that ended one; in the statement that looks at them.

    `walked`: an index of few holds them by id, so that from the newest on they are read until enough are found, and no end is looked for.
    """
    ordered = _by_falling(found, id_column)
    oldest = ordered.values(id_column)[most - 1 : most]
    # Of one open end the planner expects a third of all, so both are said. And not by COALESCE, which row level security takes for a leak: behind
    # it no index is used. GREATEST leaves out what is NULL as well.
    least = Greatest(Subquery(oldest), Value(0, BigIntegerField()))
    if not (walked or _is_of_few(ordered)):
        return found.filter(**{f"{id_column}__gte": least, f"{id_column}__lte": _LARGEST_ID})
    return found.alias(without_index=F(id_column) + 0).filter(without_index__gte=least)


def _is_of_few(ordered: QuerySet[Any]) -> bool:
    """Whether its order is one that no index has; see `few`."""
    return not isinstance(ordered.query.order_by[0], str)


def _by_falling(found: Rows, id_column: str) -> Rows:
    return found if found.query.order_by else found.order_by(f"-{id_column}")


def _named(found: Rows, wanted: JobFilter, id_column: str) -> Rows:
    if wanted.task_names:
        found = found.filter(task_name__in=wanted.task_names)
    return found if wanted.job_id is None else found.filter(**{id_column: wanted.job_id})


def _of_job(row: Job, last: TaskExecutionHistory | None) -> JobLine:
    return JobLine(
        job_id=row.pk,
        status=JobStatus(row.status),
        task_name=row.task_name,
        queue_name=row.queue_name,
        tenant_id=row.tenant_id,
        priority=LEAST_URGENT + 1 - row.priority,
        attempt_count=row.attempts + (row.status == JobStatus.DOING),
        enqueued_at=row.enqueued_at,
        scheduled_at=row.scheduled_at,
        started_at=row.claimed_at,
        finished_at=row.failed_at,
        abort_requested=row.abort_requested,
        progress=notes.of_job(row),
        error_class=last.error_class if last else "",
        error_message=_said(last) if last else "",
    )


def _ended(wanted: JobFilter, limit: int) -> list[JobLine]:
    # A final attempt that failed made a dead letter, which is in the queue's table until somebody acts on it.
    gone = {JobStatus.SUCCEEDED, JobStatus.CANCELLED, JobStatus.ABORTED}
    statuses = gone & set(wanted.statuses) if wanted.statuses else gone
    if wanted.error:
        statuses = statuses - {JobStatus.SUCCEEDED}  # which has none
    if not statuses or wanted.worker_id is not None or wanted.lock or wanted.unique_key:
        return []  # what has ended is held by nobody, and holds nothing
    if wanted.fingerprint is not None or wanted.failed_since is not None or wanted.failed_until is not None:
        return []  # of dead letters alone
    found = TaskExecutionHistory.objects.filter(is_final=True, status__in=statuses).for_tenant(wanted.tenant_id)
    found = found.of_queue(wanted.queue_name).of_task(wanted.task_name).ended_since(wanted.since)
    found = found.before(wanted.before_id)
    if wanted.search:
        found = found.filter(_known_as(wanted.search, "job_id"))
    found = _named(found, wanted, "job_id")
    if wanted.error:  # among what was called off, of which there is little
        before = found.enqueued_before(wanted.until)
        newest_ones = newest(_gone(before.few() if wanted.task_names else before), "job_id", CALLED_OFF_LOOKED_AT)
        parts = [looking_inside(newest_ones, wanted, ended=True)]
    elif wanted.args:
        ended, *lasted = found.by_end(wanted.until)
        parts = [looking_inside(each, wanted, ended=True) for each in (_latest(ended), *lasted)]
    else:
        parts = found.by_end(wanted.until)
    rows = [row for each in parts for row in _newest_gone(each, limit)]
    return [_of_attempt(row) for row in sorted(rows, key=lambda row: -row.job_id)[:limit]]


def _latest(found: AttemptQuerySet) -> AttemptQuerySet:
    """The LOOKED_AT attempts that ended last: so a tenant's, and a task's, have an index."""
    oldest = found.order_by("-finished_at").values("finished_at")[LOOKED_AT - 1 : LOOKED_AT]
    return found.filter(finished_at__gte=Greatest(Subquery(oldest), Value(datetime.min.replace(tzinfo=UTC)))).few()


_BACK = Coalesce(Subquery(Job.objects.filter(pk=OuterRef("job_id")).values("pk")[:1]), 0)
"""The job's id where it was taken back into the queue, by an undo: it has not ended."""


def _newest_gone(found: AttemptQuerySet, limit: int) -> list[TaskExecutionHistory]:
    found = _by_falling(found, "job_id").defer(*_unread())
    if not _is_of_few(found):
        return list(_gone(found)[:limit])
    # All of them are read and sorted before some are left out: then whether a job is back is asked of those alone, and only where
    # one of them is, of all. (Where they are walked by id, the planner would take a worse way for want of that question.)
    rows: list[Any] = list(found.annotate(back=_BACK)[:limit])
    return list(_gone(found)[:limit]) if any(row.back == row.job_id for row in rows) else rows


def _gone(found: AttemptQuerySet) -> AttemptQuerySet:
    """Without jobs that are back. Asked of each row: of NOT EXISTS the planner makes a join of the whole history with the whole queue.
    And by "is not this one": of IS NULL it expects one row in 200, and reads all to sort them."""
    return found.annotate(back=_BACK).exclude(back=F("job_id"))


def _of_attempt(row: TaskExecutionHistory) -> JobLine:
    return JobLine(
        job_id=row.job_id,
        status=JobStatus(row.status),
        task_name=row.task_name,
        queue_name=row.queue_name,
        tenant_id=row.tenant_id,
        priority=row.priority,
        # Who cancels a job uses up no attempt, though the act has its row.
        attempt_count=row.attempt - (row.status == JobStatus.CANCELLED),
        enqueued_at=row.enqueued_at,
        scheduled_at=row.scheduled_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error_class=row.error_class,
        error_message=_said(row),
    )


def _known_as(text: str, id_column: str) -> Q:
    """A job of this id, or of a task whose name has this in it; the names are those that are registered, so that an index serves.

    In the queue, which has none of names, one that nobody registered is looked for by `task_names` alone.
    """
    names = [
        name
        for each in registry.registered().values()
        for name in (each.name, *each.aliases)
        if text.lower() in name.lower()
    ]
    is_queued = id_column == "pk"
    found = Q(task_name__in=[*names, *([] if is_queued and not names else [text])])
    if text.isascii() and text.isdecimal() and len(text) <= len(str(_LARGEST_ID)) and int(text) <= _LARGEST_ID:
        found |= Q(**{id_column: int(text)})
    return found


def _keyed(tenant_id: int | None, *, lock: str = "", key: str = "") -> Q:
    """By its lock, or by its unique key or queueing lock. Status by status, as each index of those is of one; dead letters are walked, once."""
    locks = {"lock__in": _locks(lock, tenant_id)} if lock else {}
    queueing = {"queueing_lock__in": _locks(key, tenant_id)} if key else {}
    unique = {"unique_key": key} if key else {}
    found = [Q(status=JobStatus.FAILED) & _any_of(Q(**each) for each in (locks, queueing, unique) if each)]
    if locks:
        found += [Q(status=each, **locks) for each in (JobStatus.TODO, JobStatus.DOING)]
    if key:
        found += [Q(status=JobStatus.TODO, **queueing), Q(status__in=[JobStatus.TODO, JobStatus.DOING], **unique)]
    return _any_of(found)


def _any_of(each: Iterable[Q]) -> Q:
    return functools.reduce(operator.or_, each)


def _locks(text: str, tenant_id: int | None) -> list[str]:
    """Locks are stored behind the tenant that they belong to."""
    return [text] if tenant_id is None else [text, f"{tenant_id}:{text}"]


def _unread() -> Collection[str]:
    """What a list does not show; and of what is the tenant's an operator may read nothing."""
    return TENANTS_OWN if roles.acting_as() == "ops" else ("args", "result", "traceback", "output")


def _said(row: TaskExecutionHistory) -> str:
    return "" if "error_message" in row.get_deferred_fields() else row.error_message
