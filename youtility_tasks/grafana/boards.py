"""The six boards: all at a glance, a queue, a task, a tenant, the workers, and how PostgreSQL bears it."""

from __future__ import annotations

from collections.abc import Iterator

from youtility_tasks import objectives
from youtility_tasks.doctor.work import LONGEST_SNAPSHOT_S

from . import asking
from .panel import Board, Panel, Query
from .rules import DEAD_ROWS, NOTIFICATIONS

_QUEUE = '{queue=~"$queue"}'
_TASK = '{task=~"$task"}'
_TENANT = '{tenant!="", tenant=~"$tenant"}'
_WAIT, _RUN = "youtility_task_wait_seconds_bucket", "youtility_task_run_seconds_bucket"


def all_of_them() -> dict[str, Board]:
    """By the name of their file."""
    found = [_overview(), _queue(), _task(), _tenant(), _workers(), _postgresql()]
    return {each.uid.removeprefix("youtility-"): each for each in found}


def _overview() -> Board:
    return Board(
        "youtility-overview",
        "Tasks: overview",
        [
            _number("Database answers", "min(youtility_up)", says="1: the database answers the exporter."),
            _number("Due now", asking.total('youtility_queue_jobs{status="todo"}')),
            _number("Running", asking.total('youtility_queue_jobs{status="doing"}')),
            _number("Dead letters", asking.total("youtility_dead_letters"), red_from=1),
            _number("Workers", asking.total('youtility_workers{status="running"}')),
            _number("Counters behind", "max(youtility_rollup_age_seconds)", unit="s", red_from=300),
            Panel("Ended attempts a second", [_outcomes("")], "ops"),
            Panel("Oldest due job", [Query(asking.most("youtility_queue_oldest_seconds", "queue"), "{{queue}}")], "s"),
            *_promises(""),
            Panel(
                "Schedules overdue",
                [Query(asking.most("youtility_schedule_lag_seconds", "schedule"), "{{schedule}}")],
                "s",
            ),
            Panel("Workflows", [Query(asking.most("youtility_workflow_runs", "status"), "{{status}}")]),
        ],
    )


def _queue() -> Board:
    jobs = asking.total(f"youtility_queue_jobs{_QUEUE}", "queue", "status")
    return Board(
        "youtility-queue",
        "Tasks: a queue",
        [
            Panel("Jobs", [Query(jobs, "{{queue}} {{status}}")]),
            Panel("Oldest due job", [Query(asking.most(f"youtility_queue_oldest_seconds{_QUEUE}", "queue"), "{{queue}}")], "s"),
            Panel("Ended attempts a second", [_outcomes(_QUEUE)], "ops"),
            Panel("Dead letters", [Query(asking.most(f"youtility_dead_letters{_QUEUE}", "queue"), "{{queue}}")]),
            _percentiles("Waits", _WAIT + _QUEUE, "queue"),
            _percentiles("Runs", _RUN + _QUEUE, "queue"),
            *_promises(_QUEUE),
        ],
        [("queue", "youtility_queue_jobs")],
    )  # fmt: skip


def _task() -> Board:
    attempts = asking.rate(f"youtility_task_attempts_total{_TASK}", "5m", "task", "outcome")
    busy = asking.rate(f"youtility_task_run_seconds_sum{_TASK}", "5m", "task")
    return Board(
        "youtility-task",
        "Tasks: a task",
        [
            Panel("Ended attempts a second", [Query(attempts, "{{task}} {{outcome}}")], "ops"),
            Panel("Runs at once", [Query(busy, "{{task}}")], says="Seconds of run in each second: how many slots it holds."),
            _percentiles("Waits", _WAIT + _TASK, "task"),
            _percentiles("Runs", _RUN + _TASK, "task"),
        ],
        [("task", "youtility_task_attempts_total")],
    )  # fmt: skip


def _tenant() -> Board:
    says = "Only with the setting metrics_tenants; by number, those beyond it are `other`."
    attempts = asking.rate(f"youtility_task_attempts_total{_TENANT}", "5m", "tenant", "outcome")
    by_queue = asking.rate(f"youtility_task_attempts_total{_TENANT}", "5m", "tenant", "queue")
    everybody = asking.rate('youtility_task_attempts_total{tenant!=""}', "5m", "tenant")
    return Board(
        "youtility-tenant",
        "Tasks: a tenant",
        [
            Panel("Ended attempts a second", [Query(attempts, "{{tenant}} {{outcome}}")], "ops", says=says),
            Panel("By queue", [Query(by_queue, "{{tenant}} {{queue}}")], "ops", says=says),
            Panel("Who is busiest", [Query(f"topk(10, {everybody})", "{{tenant}}")], "ops", width=24, says=says),
        ],
        [("tenant", "youtility_task_attempts_total")],
    )


def _workers() -> Board:
    rescued = asking.rise("youtility_rescued_total", "1h", "reason")
    stale = asking.rise("youtility_stale_writes_rejected_total", "1h")
    return Board(
        "youtility-workers",
        "Tasks: workers",
        [
            Panel("Workers", [Query(asking.most("youtility_workers", "queue", "status"), "{{queue}} {{status}}")]),
            Panel("Children", [Query(asking.most("youtility_worker_children", "queue"), "{{queue}}")]),
            Panel("Memory", [Query(asking.most("youtility_worker_memory_bytes", "worker"), "worker {{worker}}")], "bytes"),
            Panel("Jobs taken from workers that were gone, in an hour", [Query(rescued, "{{reason}}"), Query(stale, "refused writes")]),
        ],
    )  # fmt: skip


def _postgresql() -> Board:
    tables = [("dead_rows", "Dead rows"), ("live_rows", "Live rows")]
    return Board(
        "youtility-postgresql",
        "Tasks: PostgreSQL",
        [
            _number("Oldest snapshot", "max(youtility_database_oldest_snapshot_seconds)", unit="s", red_from=LONGEST_SNAPSHOT_S),
            _number("Sessions it cannot see", "max(youtility_database_hidden_sessions)", says="Give the exporter's login pg_read_all_stats where there are no `roles`."),
            _number("Notification queue", "max(youtility_database_notification_queue_share)", unit="percentunit", red_from=NOTIFICATIONS),
            Panel("Oldest snapshot", [Query("max(youtility_database_oldest_snapshot_seconds)", "open")], "s"),
            Panel("Notification queue", [Query("max(youtility_database_notification_queue_share)", "used")], "percentunit"),
            *(
                Panel(title, [Query(asking.most(f"youtility_table_{name}", "table"), "{{table}}")], red_from=DEAD_ROWS if name == "dead_rows" else None)
                for name, title in tables
            ),
            Panel("Dead rows to each live one", [Query(f"{asking.most('youtility_table_dead_rows', 'table')} / clamp_min({asking.most('youtility_table_live_rows', 'table')}, 1)", "{{table}}")]),
            Panel("Since the last vacuum", [Query(asking.most("youtility_table_vacuum_age_seconds", "table"), "{{table}}")], "s"),
        ],
    )  # fmt: skip


def _promises(which: str) -> Iterator[Panel]:
    promised = objectives.all_of_them()
    says = "\n".join(
        f"- {queue}: begin within {each.start_within_s:g} s, end within {each.finish_within_s:g} s ({each.on_time_share:.1%}); succeed {each.success_share:.1%}"
        for queue, each in sorted(promised.items())
    )
    yield Panel(
        "Promises broken, last hour",
        [Query(f"youtility:promises_broken:share1h{which}", "{{queue}} {{promise}}")],
        "percentunit",
        says=says,
    )
    yield Panel(
        "Promises broken, three days",
        [Query(f"youtility:promises_broken:share3d{which}", "{{queue}} {{promise}}")],
        "percentunit",
        says=says,
    )


def _outcomes(which: str) -> Query:
    return Query(
        asking.rate(f"youtility_task_attempts_total{which}", "5m", "queue", "outcome"), "{{queue}} {{outcome}}"
    )


def _percentiles(title: str, histogram: str, by: str) -> Panel:
    shares = ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
    return Panel(
        title, [Query(asking.quantile(share, histogram, by), f"{{{{{by}}}}} {says}") for share, says in shares], "s"
    )


def _number(
    title: str, expression: str, *, unit: str = "short", says: str = "", red_from: float | None = None
) -> Panel:
    return Panel(title, [Query(expression)], unit, True, 4, 4, says, red_from)
