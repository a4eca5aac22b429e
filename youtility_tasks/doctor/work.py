"""How the work is going: workers, waiting jobs, dead letters, effects, schedules."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Count, Q
from django.db.models.functions import Coalesce, Now

from youtility_tasks import metrics, queries, queues, registry
from youtility_tasks.conf import settings
from youtility_tasks.declaration import schedule_flaw
from youtility_tasks.models import (
    Job,
    MetricsMark,
    QueueControl,
    Redrive,
    ScheduledTask,
    TaskEffect,
    TaskOperation,
    TaskWorker,
    Tenant,
)
from youtility_tasks.schedules import defaults
from youtility_tasks.secrets import keyring
from youtility_tasks.status import Order
from youtility_tasks.tenancy import roles

from .finding import Finding

LONGEST_WAIT_S = 300
"""A due job that has waited longer than this is worth a look."""
LONGEST_OPEN_EFFECT_S = 3_600
"""An outside effect that was promised, or begun, longer ago than this was left behind."""

LONGEST_REDRIVE_S = 600
"""It moves thousands of letters a second: one that takes longer was killed, and nobody went on with it."""

LONGEST_OPERATION_S = 3_600
"""A hundred thousand jobs take half a minute."""

LONGEST_PAUSE_S = 86_400
"""A pause without an end that is older was forgotten."""
LATEST_TICK_S = 60
LONGEST_FOLD_S = 900
"""Workers add attempts to the numbers about once a minute."""
LONGEST_SNAPSHOT_S = 300
"""Each second that a snapshot is open, claims walk past the jobs that ended in it: 20 ms a claim after half a million."""


def workers() -> Finding:
    """A live worker for each queue."""
    served = set(TaskWorker.objects.claiming(settings().lease_s).values_list("queue_name", flat=True))
    alone = sorted(queues.configured().keys() - served)
    quiet = TaskWorker.objects.heard(settings().lease_s).filter(queue_name__in=alone, told=Order.QUIET).order_by("pk")
    if quiet:
        names = ", ".join(f"{each.pk} ({each.queue_name}, by {each.told_by})" for each in quiet[:5])
        ids = " ".join(str(each.pk) for each in quiet)
        return Finding(
            "workers",
            False,
            f"nobody serves {', '.join(alone)}; told to be quiet: {names}",
            f"`workers resume {ids}` lets them claim again; `run_postgresql_worker --queues QUEUE` starts others.",
        )
    if alone:
        return Finding(
            "workers",
            False,
            f"nobody serves {', '.join(alone)}",
            f"Start `run_postgresql_worker --queues {' '.join(alone)}`.",
        )
    return Finding("workers", True, "every queue has a live worker")


def silent_workers() -> Finding:
    """Workers that have stopped reporting without taking their leave."""
    silent = list(TaskWorker.objects.silent(settings().lease_s).order_by("pk"))
    if silent:
        names = ", ".join(f"{each.pk} ({each.queue_name} on {each.host}, process {each.pid})" for each in silent[:5])
        return Finding(
            "silent workers",
            False,
            f"{len(silent)}: {names}",
            "Any live worker takes their jobs over within seconds: start one. Then see why these died.",
        )
    return Finding("silent workers", True, "none")


def dead_letters() -> Finding:
    """Jobs that have failed for good and wait for a decision; and redrives of them that were left in the middle."""
    counted = Job.objects.dead_letters().values("task_name").annotate(n=Count("pk")).order_by("-n", "task_name")
    by_task = [(row["task_name"], row["n"]) for row in counted]
    old = Redrive.objects.unfinished().filter(started_at__lt=Now() - timedelta(seconds=LONGEST_REDRIVE_S))
    left = list(old.order_by("pk").values_list("pk", flat=True)[:5])
    if left:
        return Finding(
            "dead letters",
            False,
            f"{sum(count for _, count in by_task)}; left in the middle: {', '.join(f'redrive {redrive_id}' for redrive_id in left)}",
            f"`manage_task_queue dead-letters resume {left[0]}` goes on with it, `dead-letters stop {left[0]}` ends it.",
        )
    if by_task:
        worst = ", ".join(f"{name} {count}" for name, count in by_task[:5])
        return Finding(
            "dead letters",
            False,
            f"{sum(count for _, count in by_task)}: {worst}",
            "`manage_task_queue dead-letters` shows why; then `retry` or `discard` them.",
        )
    return Finding("dead letters", True, "none")


def operations() -> Finding:
    """Operations on many jobs that no worker carries on."""
    old = TaskOperation.objects.unfinished().filter(started_at__lt=Now() - timedelta(seconds=LONGEST_OPERATION_S))
    left = list(old.order_by("pk").values_list("pk", flat=True)[:5])
    if left:
        return Finding(
            "operations",
            False,
            f"unfinished for long: {', '.join(map(str, left))}",
            "Workers carry them out: see their log for `operation not carried on` (with the setting `roles` an operation on all tenants needs "
            f"a user for 'ops'). `manage_task_queue operations stop {left[0]}` ends it.",
        )
    return Finding("operations", True, "none is behind")


def oldest_waiting_job() -> Finding:
    """How long the oldest due job has been waiting, whatever its queue."""
    worst = max(metrics.queue_numbers(), key=lambda each: each.oldest_s, default=None)
    if worst is None or worst.oldest_s == 0:
        return Finding("oldest waiting job", True, "no due job waits")
    found = f"{worst.oldest_s:.0f} s in {worst.queue_name}, where {worst.todo} wait"
    if worst.oldest_s > LONGEST_WAIT_S:
        return Finding(
            "oldest waiting job",
            False,
            found,
            f"Start more workers, or more processes, for {worst.queue_name}; a job behind a lock waits for the job that holds it.",
        )
    return Finding("oldest waiting job", True, found)


def numbers() -> Finding:
    """Whether ended attempts are added to their minutes and hours, and so to the exporter's counters."""
    mark = MetricsMark.objects.first()
    back = metrics.database_clock() - timedelta(seconds=LONGEST_FOLD_S)
    at_work = TaskWorker.objects.heard(settings().lease_s).filter(started_at__lt=back).exists()
    if mark is None or mark.folded_at >= back or not at_work:
        return Finding("numbers", True, "added up" if mark else "none yet")
    return Finding(
        "numbers",
        False,
        f"not added up since {mark.folded_at:%Y-%m-%d %H:%M:%S}Z",
        "The exporter's counters stand still, and pages read the history; the workers' logs say more (upkeep, fold metrics).",
    )


def unknown_tasks() -> Finding:
    """Jobs whose task no installed module declares: nobody can run them."""
    named = Job.objects.values("task_name").annotate(n=Count("pk")).order_by("task_name")
    unknown = [f"{row['task_name']} ({row['n']})" for row in named if registry.resolve(row["task_name"]) is None]
    if unknown:
        return Finding(
            "unknown tasks",
            False,
            f"jobs of {', '.join(unknown[:5])}",
            "Deploy the code that declares them, give the renamed task its old name in `aliases`, or cancel the jobs.",
        )
    return Finding("unknown tasks", True, "every job's task is declared")


def secret_keys() -> Finding:
    """A key for every job whose arguments are sealed."""
    by_key = [(key_id, int(n)) for key_id, n in queries.fetch("sealed_keys", {})]
    lacking = [f"{key_id!r} ({n} jobs)" for key_id, n in by_key if not keyring.has(key_id)]
    if lacking:
        return Finding(
            "secret keys",
            False,
            f"not in the settings: {', '.join(lacking[:5])}",
            "Put them back into YOUTILITY_TASKS['secret_keys'] (into SECRET_KEY_FALLBACKS, if they begin with 'django-'): "
            "until then these jobs wait. Then `manage_task_queue rekey`.",
        )
    old = sum(n for key_id, n in by_key if key_id != keyring.current().key_id)
    found = f"all {sum(n for _, n in by_key)} sealed jobs can be opened" if by_key else "no job has a sealed argument"
    return Finding("secret keys", True, f"{found}; {old} of them with an older key: `rekey`" if old else found)


def open_effects() -> Finding:
    """Outside effects (a mail, a message) that were promised or begun and never done."""
    left_behind = TaskEffect.objects.filter(created_at__lt=Now() - timedelta(seconds=LONGEST_OPEN_EFFECT_S)).filter(
        Q(status=TaskEffect.PENDING) | Q(status=TaskEffect.RESERVED, lease_until__lt=Now())
    )
    counted = left_behind.values("task_name").annotate(n=Count("pk")).order_by("-n", "task_name")
    by_task = [(row["task_name"] or "no task", row["n"]) for row in counted]
    if by_task:
        return Finding(
            "effects",
            False,
            f"open for more than {LONGEST_OPEN_EFFECT_S // 60} min: "
            + ", ".join(f"{name} {n}" for name, n in by_task[:5]),
            "The next run of their task does them: see that it is not a dead letter, and that its mail or broker answers.",
        )
    return Finding("effects", True, "none left behind")


def forgotten_pauses() -> Finding:
    """A pause without an end that somebody may have forgotten."""
    old = QueueControl.objects.shut().filter(paused_until=None)
    old = old.annotate(since=Coalesce("paused_at", "changed_at")).filter(
        since__lt=Now() - timedelta(seconds=LONGEST_PAUSE_S)
    )
    names = [
        f"{each} (by {each.paused_by or 'unknown'}{f': {each.reason}' if each.reason else ''})"
        for each in old.order_by("pk")
    ]
    if names:
        return Finding(
            "pauses",
            False,
            f"for more than a day, without an end: {', '.join(names[:5])}",
            "`manage_task_queue resume` what may go on; `pause --until` says when it does by itself.",
        )
    return Finding("pauses", True, "none is older than a day")


def controls_of_nothing() -> Finding:
    """Limits and pauses of a queue or a task that no configuration or code knows."""
    gone = [
        str(each)
        for each in QueueControl.objects.order_by("pk")
        if (each.queue_name and each.queue_name not in queues.configured())
        or (each.task_name and registry.resolve(each.task_name) is None)
    ]
    if gone:
        return Finding(
            "limits",
            False,
            f"for what does not exist (any more): {', '.join(gone[:5])}",
            "Deploy the code that declares it, or lift them: `limits clear` and `resume` with the same words.",
        )
    return Finding("limits", True, "each names what exists")


def orphans() -> Finding:
    """Jobs that are parked under a control which somebody deleted by hand."""
    left = [(queue_name, count) for queue_name, _, count in queries.fetch("orphans", {"most": 10_000})]
    if left:
        told = ", ".join(
            f"{count}{' or more' if count == 10_000 else ''} in {queue_name}" for queue_name, count in left[:5]
        )
        return Finding(
            "parked jobs",
            False,
            f"under a limit or a pause that is gone: {told}",
            "A worker's upkeep lets them go within minutes: start one. Lift limits by `limits clear`, never by DELETE.",
        )
    return Finding("parked jobs", True, "each under a limit or a pause that is there")


def old_snapshots() -> Finding:
    """A transaction that has been open for so long that claims become slow."""
    for pid, application, state, open_s in queries.fetch("oldest_snapshot", {}):
        if open_s > LONGEST_SNAPSHOT_S:
            return Finding(
                "old snapshots",
                False,
                f"process {pid} ({application or 'no name'}, {state}) has had a transaction open for {open_s:.0f} s",
                f"End it (`pg_terminate_backend({pid})`): claims walk past every job that has ended since it began. "
                + "`idle_in_transaction_session_timeout` of its role keeps it from coming back.",
            )
    return Finding("old snapshots", True, f"none is older than {LONGEST_SNAPSHOT_S} s")


def schedules() -> Finding:
    """Every declared schedule can be read."""
    bad = [
        f"{name} ({declared.schedule!r})"
        for name, declared in registry.registered().items()
        if declared.schedule is not None and schedule_flaw(declared.schedule) is not None
    ]
    if bad:
        return Finding(
            "schedules",
            False,
            f"cannot be read: {', '.join(bad[:5])}",
            "Write five fields: minute hour day month weekday.",
        )
    return Finding("schedules", True, "all can be read")


def declared_schedules() -> Finding:
    """The schedules in the database are those that tasks and settings declare."""
    with roles.acting("web"):
        found = defaults.agree(dry_run=True)
    wrong = [*found.made, *found.followed, *found.refused]
    if wrong:
        return Finding(
            "declared schedules",
            False,
            "; ".join(found.differences[:5]),
            "Run `setup_task_queue`: it makes what is lacking and follows declarations; correct what is refused.",
        )
    if found.differences:
        return Finding("declared schedules", True, "; ".join(found.differences[:5]))
    return Finding("declared schedules", True, "all are as declared")


def late_schedules() -> Finding:
    """Schedules that are due and that nobody fires: no worker, or none that knows their task."""
    late = (
        ScheduledTask.objects.there().filter(next_at__lt=Now() - timedelta(seconds=LATEST_TICK_S)).order_by("next_at")
    )
    off = set(Tenant.objects.filter(is_active=False).values_list("pk", flat=True))
    names = [str(each) for each in late.only("name", "tenant_id", "next_at") if each.tenant_id not in off]
    if names:
        return Finding(
            "late schedules",
            False,
            f"due for more than {LATEST_TICK_S} s: {', '.join(names[:5])}",
            "Start a worker whose code declares their tasks (`tasks` lists them), and see that `run_schedules` is on.",
        )
    return Finding("late schedules", True, "none")
