"""All rules: of each queue's promises, and of what must hold whatever is promised."""

from __future__ import annotations

from collections.abc import Iterator

from youtility_tasks import objectives
from youtility_tasks.doctor.work import LONGEST_FOLD_S, LONGEST_SNAPSHOT_S
from youtility_tasks.objectives import Objective

from . import asking, burning
from .rule import Alert, Places, Recording, Tempo, written

DEAD_LETTERS_AN_HOUR = 10
AGAIN = '{outcome=~"retry|failed|timed_out|crashed|lost"}'
HALF = 0.5
MANY = 10
"""Attempts that failed, of which many are tried again: somebody whom they need is away long before the first gives up."""
LATE_TICK_S = 300
DEAD_ROWS = 20_000
"""A table that never has fewer for half an hour is not being vacuumed: autovacuum looks at each once a minute."""
NOTIFICATIONS = 0.1
"""Of the notification queue: in health it is empty but for moments."""


def text(places: Places, *, heartbeat: str | None, tempo: Tempo | None = None) -> str:
    """The file. `heartbeat` is a task that runs each minute, whose absence is told of; None: there is none. `tempo`: of a rehearsal."""
    tempo = tempo or Tempo()
    kept = [
        alert
        for queue, each in sorted(objectives.all_of_them().items())
        for alert in (*burning.alerts(queue, each), *_waiting(queue, each))
    ]
    groups: dict[str, list[Recording | Alert]] = {
        "youtility_tasks_shares": list(burning.recordings()),
        "youtility_tasks_promises": [*kept],
        "youtility_tasks": [
            *_work(tempo),
            *(_heartbeat(heartbeat) if heartbeat else ()),
            *_numbers(tempo),
            *_database(tempo),
        ],
    }
    return written(groups, places, tempo)


def _waiting(queue: str, promised: Objective) -> Iterator[Alert]:
    """What never begins is in no share of what began late: a queue that was paused and forgotten, slots that all hang."""
    which = f'{{queue="{queue}"}}'
    oldest = f"max by (queue) (youtility_queue_oldest_seconds{which})"
    runs = f'max by (queue) (youtility_queue_jobs{{queue="{queue}", status="doing"}})'
    ended = asking.rise(f"youtility_task_attempts_total{which}", "5m", "queue")
    for severity, expression, summary in (
        (
            "page",
            f"{oldest} > {promised.start_within_s:g} and {runs} == 0 unless {ended} > 0",
            f"{queue} stands still: a job has been due for {{{{ $value | humanizeDuration }}}}, none runs, and for five minutes none has ended",
        ),
        (
            "ticket",
            f"{oldest} > {promised.finish_within_s:g}",
            f"A job of {queue} has been due for {{{{ $value | humanizeDuration }}}} and has not begun; it is promised to have ended after {promised.finish_within_s:g} s",
        ),
    ):
        labels = {"queue": queue, "promise": "start"}
        yield Alert(
            "JobsWait", expression, "2m" if severity == "page" else "15m", severity, summary, f"queues/{queue}/", labels
        )


def _work(tempo: Tempo) -> Iterator[Alert]:
    running = 'max by (queue) (youtility_workers{status="running"})'
    yield Alert("NoWorkers", f"{running} == 0", "2m", "page", "Nobody serves the queue {{ $labels.queue }}", "workers/")
    again = asking.rate(f"youtility_task_attempts_total{AGAIN}", "15m", "queue")
    lately = asking.rate(f"youtility_task_attempts_total{AGAIN}", "5m", "queue")
    of_all, of_late = (asking.rate("youtility_task_attempts_total", window, "queue") for window in ("15m", "5m"))
    yield Alert(
        "AttemptsFail",
        f"{again} / {of_all} > {HALF} and {lately} / {of_late} > {HALF}"
        f" and {asking.rise(f'youtility_task_attempts_total{AGAIN}', '15m', 'queue')} >= {MANY - 0.5:g}",
        "2m",
        "page",
        "{{ $value | humanizePercentage }} of the attempts of {{ $labels.queue }} fail or are cut off; those that are tried again are late meanwhile",
        "failures/?queue={{ $labels.queue }}",
    )
    letters = "max by (queue) (youtility_dead_letters)"
    yield Alert(
        "DeadLettersGrow",
        f"{letters} - max by (queue) (youtility_dead_letters offset 1h) >= {DEAD_LETTERS_AN_HOUR}",
        "5m",
        "ticket",
        "{{ $value }} more jobs of {{ $labels.queue }} have failed for good than an hour ago",
        "failures/?queue={{ $labels.queue }}",
    )
    yield Alert(
        "ScheduleLate",
        f"max by (schedule) (youtility_schedule_lag_seconds) > {tempo.seconds(LATE_TICK_S)}",
        "2m",
        "page",
        '{{ if eq $labels.schedule "other" }}A schedule that no code declares{{ else }}The schedule {{ $labels.schedule }}{{ end }}'
        " should have made a job {{ $value | humanizeDuration }} ago",
        'schedules/{{ if ne $labels.schedule "other" }}?named={{ $labels.schedule | urlquery }}{{ end }}',
    )


def _heartbeat(task: str) -> Iterator[Alert]:
    rise = asking.rise(f'youtility_task_attempts_total{{task="{task}", outcome="succeeded"}}', "10m")
    yield Alert(
        "HeartbeatLate",
        # `or` for a task that has never succeeded; `and` because a dead exporter has an alert of its own.
        f"({rise} or vector(0)) < 1 and on () max(youtility_up) == 1",
        "2m",
        "page",
        f"{task} has not succeeded for ten minutes, so no job may be going through at all",
        f"catalog/{task}/",
    )


def _numbers(tempo: Tempo) -> Iterator[Alert]:
    yield Alert(
        "ExporterDown", "absent(youtility_up)", "5m", "page", "Prometheus gets no numbers from any exporter", ""
    )
    yield Alert(
        "DatabaseSilent", "max(youtility_up) == 0", "2m", "page", "The exporter gets no answer from the database", ""
    )
    yield Alert(
        "RollupsNotFolded",
        f"max(youtility_rollup_age_seconds) > {tempo.seconds(LONGEST_FOLD_S)}",
        "1m",
        "ticket",
        "No worker has added ended attempts to the counters for {{ $value | humanizeDuration }}: alerts on them are blind",
        "workers/",
    )


def _database(tempo: Tempo) -> Iterator[Alert]:
    dead = "max by (table) (min_over_time(youtility_table_dead_rows[30m]))"
    yield Alert(
        "VacuumBlocked",
        f"{dead} > {DEAD_ROWS} and {dead} > 0.5 * max by (table) (youtility_table_live_rows)",
        "5m",
        "ticket",
        "{{ $labels.table }} has not had fewer than {{ $value | humanize }} dead rows for half an hour",
        "",
    )
    yield Alert(
        "OldSnapshot",
        f"max(youtility_database_oldest_snapshot_seconds) > {tempo.seconds(LONGEST_SNAPSHOT_S)}",
        "2m",
        "ticket",
        "A transaction has been open for {{ $value | humanizeDuration }}, and vacuum removes nothing that ended since",
        "",
    )
    yield Alert(
        "NotificationQueue",
        f"max(youtility_database_notification_queue_share) > {NOTIFICATIONS}",
        "5m",
        "page",
        "{{ $value | humanizePercentage }} of the notification queue is full; when all is, nothing can be enqueued",
        "",
    )
