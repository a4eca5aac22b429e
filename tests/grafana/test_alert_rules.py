"""The rules as Prometheus's own tool evaluates them on recorded series: what each alert tells of, and what it is quiet about."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import require_program
from tests.grafana.made import GRAFANA, HEARTBEAT

RULES = GRAFANA / "rules" / "youtility_tasks.yml"
BEGAN = 'youtility_promises_judged_total{queue="email", promise="start", within_s="60"}'
LATE = 'youtility_promises_broken_total{queue="email", promise="start", within_s="60"}'
BEATS = f'youtility_task_attempts_total{{task="{HEARTBEAT}", queue="maintenance", outcome="succeeded"}}'

OLDEST = 'youtility_queue_oldest_seconds{queue="email"}'
RUNS = 'youtility_queue_jobs{queue="email", status="doing"}'
WENT_WELL = ENDED = 'youtility_task_attempts_total{task="mails", queue="email", outcome="succeeded"}'
RETRIED = 'youtility_task_attempts_total{task="mails", queue="email", outcome="retry"}'

Series = dict[str, str]
Told = set[tuple[str, str]]


@pytest.fixture(scope="module")
def promtool() -> str:
    return require_program("promtool", package="prometheus")


def asked_of(rules: str, names: str) -> dict[str, Any]:
    """The rules without those of other names and queues: each is evaluated hundreds of times."""
    wanted = {*names.split("|")}
    found = yaml.load(rules, Loader=yaml.CSafeLoader)["groups"]
    for group in found:
        group["rules"] = [
            each
            for each in group["rules"]
            if ("record" in each and "StartsLate" in wanted)
            or (each.get("alert") in wanted and each["labels"].get("queue", "email") == "email")
        ]
    return {"groups": found}


def complaint(
    promtool: str, folder: Path, rules: str, series: Series, at: str, told: Told, names: str, every: str = "1m"
) -> str:
    """What promtool says against this: these alerts, and of these names no other, fire at that time; empty if nothing."""
    (folder / "rules.yml").write_text(json.dumps(asked_of(rules, names)))
    fires = [
        {"labels": f'{{alertname="{name}", severity="{severity}"}}', "value": 1} for name, severity in sorted(told)
    ]
    case = {
        "interval": every,
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname, severity) (ALERTS{{alertstate="firing", alertname=~"{names}"}})',
                "eval_time": at,
                "exp_samples": fires,
            }
        ],
    }
    test = folder / "test.yml"
    # In no order of its own, an alert may ask for a share that is recorded after it, and the one before is too old here.
    order = ["youtility_tasks_shares", "youtility_tasks_promises", "youtility_tasks"]
    told_it = {"rule_files": ["rules.yml"], "evaluation_interval": every, "group_eval_order": order, "tests": [case]}
    test.write_text(json.dumps(told_it))
    ran = subprocess.run([promtool, "test", "rules", str(test)], capture_output=True, text=True, check=False)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


UP = {"youtility_up": "1+0x10000"}
QUEUES = "StartsLate|FinishesLate|JobsFail"
CASES: list[tuple[str, Series, str, Told, str, str]] = [
    (
        "a fifth is late for an hour, after hours that were well: page",
        {BEGAN: "0+200x215", LATE: "0+0x175 0+40x40"}, "414m", {("StartsLate", "page"), ("StartsLate", "ticket")}, QUEUES, "2m",
    ),
    (
        "half of a percent is late, which is promised",
        {BEGAN: "0+1000x90", LATE: "0+5x90"}, "75m", set(), QUEUES, "1m",
    ),
    (
        "a tenth for six hours: page by the slower pace",
        {BEGAN: "0+1000x50", LATE: "0+100x50"}, "7h", {("StartsLate", "page"), ("StartsLate", "ticket")}, QUEUES, "10m",
    ),
    (
        "two percent for three days: a ticket",
        {BEGAN: "0+1000x150", LATE: "0+20x150"}, "72h", {("StartsLate", "ticket")}, QUEUES, "30m",
    ),
    (
        "it was bad and has been well for half an hour: the page is over",
        {BEGAN: "0+100x100", LATE: "0+80x60 4800+0x40"}, "95m", {("StartsLate", "ticket")}, QUEUES, "1m",
    ),
    (
        "two of two are late: too few to wake somebody",
        {BEGAN: "0+0x60 1 1 2+0x30", LATE: "0+0x60 1 1 2+0x30"}, "68m", set(), QUEUES, "1m",
    ),
    (
        "another promise counts anew as another series, and is no leap",
        {BEGAN: "0+100x60 stale", BEGAN.replace("60", "90"): "_x60 6000+100x30",
         LATE: "5000+0x60 stale", LATE.replace("60", "90"): "_x60 4000+0x30"}, "70m", set(), QUEUES, "1m",
    ),
    (
        "two exporters say the same: it is counted once",
        {BEGAN[:-1] + ', instance="a"}': "0+0x60 1 1 2+0x30", LATE[:-1] + ', instance="a"}': "0+0x60 1 1 2+0x30",
         BEGAN[:-1] + ', instance="b"}': "0+0x60 1 1 2+0x30", LATE[:-1] + ', instance="b"}': "0+0x60 1 1 2+0x30"},
        "68m", set(), QUEUES, "1m",
    ),
    (
        "a queue without workers",
        {'youtility_workers{queue="email", status="running"}': "1+0x5 0+0x10", 'youtility_workers{queue="reports", status="running"}': "1+0x15"},
        "10m", {("NoWorkers", "page")}, "NoWorkers", "1m",
    ),
    (
        "a queue whose worker is back within its time",
        {'youtility_workers{queue="email", status="running"}': "1+0x5 0 1+0x10"}, "6m", set(), "NoWorkers", "1m",
    ),
    (
        "a queue was paused and forgotten: nothing begins, and no share of late jobs tells of it",
        {OLDEST: "0+60x30", RUNS: "0+0x30", ENDED: "5+0x30"}, "12m", {("JobsWait", "page")}, "JobsWait|StartsLate", "1m",
    ),
    (
        "all slots are taken for long by jobs that run: a ticket once the oldest should have ended",
        {OLDEST: "0+60x40", RUNS: "4+0x40", ENDED: "5+0x40"}, "30m", {("JobsWait", "ticket")}, "JobsWait", "1m",
    ),
    (
        "a job waits for its lock while others go by between two looks",
        {OLDEST: "0+30x20", RUNS: "0+0x20", ENDED: "0+3x20"}, "12m", set(), "JobsWait", "1m",
    ),
    (
        "the mail server is away: attempts fail long before the first job has",
        {RETRIED: "0+0x20 0+10x20", WENT_WELL: "0+10x20 200+0x20"}, "34m", {("AttemptsFail", "page")}, "AttemptsFail|JobsFail", "1m",
    ),
    (
        "the mail server is back, which ends it though the quarter of an hour was bad",
        {RETRIED: "0+10x14 140+0x20", WENT_WELL: "0+0x14 0+10x20"}, "21m", set(), "AttemptsFail", "1m",
    ),
    (
        "a third of the attempts is tried again, as tasks do that wait for something",
        {RETRIED: "0+10x40", WENT_WELL: "0+20x40"}, "34m", set(), "AttemptsFail", "1m",
    ),
    (
        "five of five fail: too few to wake somebody",
        {RETRIED: "0+0x20 1 2 3 4 5+0x20", WENT_WELL: "0+0x40"}, "27m", set(), "AttemptsFail", "1m",
    ),
    (
        "dead letters grow",
        {'youtility_dead_letters{queue="email"}': "5+0x60 20+0x10"}, "67m", {("DeadLettersGrow", "ticket")}, "DeadLettersGrow", "1m",
    ),
    (
        "many dead letters that were there an hour ago",
        {'youtility_dead_letters{queue="email"}': "500+0x80"}, "75m", set(), "DeadLettersGrow", "1m",
    ),
    (
        "a schedule is late",
        {'youtility_schedule_lag_seconds{schedule="nightly"}': "0+60x10"}, "9m", {("ScheduleLate", "page")}, "ScheduleLate", "1m",
    ),
    (
        "the heartbeat stopped",
        {**UP, BEATS: "0+1x20 20+0x20"}, "35m", {("HeartbeatLate", "page")}, "HeartbeatLate", "1m",
    ),
    ("the heartbeat has never been", UP, "15m", {("HeartbeatLate", "page")}, "HeartbeatLate", "1m"),
    ("the heart beats", {**UP, BEATS: "0+1x60"}, "35m", set(), "HeartbeatLate", "1m"),
    (
        "the exporter is down, which is not told twice",
        {"youtility_up": "1+0x10 stale", BEATS: "0+1x10 stale"}, "40m", {("ExporterDown", "page")}, "ExporterDown|HeartbeatLate|DatabaseSilent", "1m",
    ),
    ("the database is silent", {"youtility_up": "1 1 0+0x20"}, "8m", {("DatabaseSilent", "page")}, "ExporterDown|DatabaseSilent", "1m"),
    (
        "attempts are not added up",
        {"youtility_rollup_age_seconds": "800+60x10"}, "5m", {("RollupsNotFolded", "ticket")}, "RollupsNotFolded", "1m",
    ),
    (
        "dead rows stay",
        {'youtility_table_dead_rows{table="procrastinate_jobs"}': "30000+1000x60", 'youtility_table_live_rows{table="procrastinate_jobs"}': "100+0x60"},
        "45m", {("VacuumBlocked", "ticket")}, "VacuumBlocked", "1m",
    ),
    (
        "dead rows that vacuum takes away now and then",
        {'youtility_table_dead_rows{table="procrastinate_jobs"}': "30000+10000x9 0+10000x15 0+10000x9 0+10000x15", 'youtility_table_live_rows{table="procrastinate_jobs"}': "100+0x60"},
        "45m", set(), "VacuumBlocked", "1m",
    ),
    (
        "few dead rows beside very many live ones, which vacuum leaves for later",
        {'youtility_table_dead_rows{table="procrastinate_jobs"}': "30000+1000x60", 'youtility_table_live_rows{table="procrastinate_jobs"}': "1000000+0x60"},
        "45m", set(), "VacuumBlocked", "1m",
    ),
    (
        "an old snapshot",
        {"youtility_database_oldest_snapshot_seconds": "0+60x20"}, "10m", {("OldSnapshot", "ticket")}, "OldSnapshot", "1m",
    ),
    (
        "the notification queue fills",
        {"youtility_database_notification_queue_share": "0+0.02x20"}, "15m", {("NotificationQueue", "page")}, "NotificationQueue", "1m",
    ),
]  # fmt: skip


def test_prometheus_takes_the_rules(promtool: str) -> None:
    ran = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("series", "at", "told", "names", "every"), [pytest.param(*rest, id=name) for name, *rest in CASES]
)
def test_an_alert_tells_of_what_it_should_and_of_nothing_else(
    series: Series, at: str, told: Told, names: str, every: str, promtool: str, tmp_path: Path
) -> None:
    assert complaint(promtool, tmp_path, RULES.read_text(), series, at, told, names, every) == ""


def test_what_an_alert_says_names_what_it_is_about(promtool: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(json.dumps(asked_of(RULES.read_text(), "ScheduleLate")))
    said = {
        "summary": "The schedule nightly & co should have made a job 9m 0s ago",
        "console_url": "/tasks/schedules/?named=nightly+%26+co",
        "runbook_url": "grafana/runbooks/ScheduleLate.md",
    }
    labels = {"severity": "page", "schedule": "nightly & co"}
    case = {
        "interval": "1m",
        "input_series": [{"series": 'youtility_schedule_lag_seconds{schedule="nightly & co"}', "values": "0+60x10"}],
        "alert_rule_test": [
            {
                "eval_time": "9m",
                "alertname": "ScheduleLate",
                "exp_alerts": [{"exp_labels": labels, "exp_annotations": said}],
            }
        ],
    }
    test = tmp_path / "test.yml"
    test.write_text(json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [case]}))

    ran = subprocess.run([promtool, "test", "rules", str(test)], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr


MUTANTS = [
    ("the short window", 'youtility:promises_broken:share5m{queue=\\"email\\", promise=\\"start\\"} > 0.144 and ', "", "well for half an hour"),
    ("the short window of the slower pace", 'youtility:promises_broken:share30m{queue=\\"email\\", promise=\\"start\\"} > 0.06 and ', "", "well for half an hour"),
    ("the least", ">= 2.5", ">= 0", "two of two"),
    ("merged copies", "max without (instance, pod) ", "", "counted once"),
    ("the pace", "share1h{queue=\\\"email\\\", promise=\\\"start\\\"} > 0.144", "share1h > 0.5", "a fifth"),
    ("the slower pace", "share6h{queue=\\\"email\\\", promise=\\\"start\\\"} > 0.06", "share6h > 0.5", "a tenth"),
    ("three days", "share3d{queue=\\\"email\\\", promise=\\\"start\\\"} > 0.01", "share3d > 0.5", "two percent"),
    ("never been", " or vector(0)", "", "never been"),
    ("not told twice", " and on () max(youtility_up) == 1", "", "not told twice"),
    ("an hour ago", " - max by (queue) (youtility_dead_letters offset 1h)", "", "were there"),
    ("at the least", "min_over_time", "max_over_time", "now and then"),
    ("beside live ones", " and max by (table) (min_over_time(youtility_table_dead_rows[30m])) > 0.5 * max by (table) (youtility_table_live_rows)", "", "very many live"),
    ("for so long", "for: 2m", "for: 0m", "back within"),
    ("nothing runs", 'and max by (queue) (youtility_queue_jobs{queue=\\"email\\", status=\\"doing\\"}) == 0 ', "", "all slots"),
    ("nothing has ended", ' unless sum by (queue) (max without (instance, pod) (increase(youtility_task_attempts_total{queue=\\"email\\"}[5m]))) > 0', "", "between two looks"),
    ("lately", ' and sum by (queue) (max without (instance, pod) (rate(youtility_task_attempts_total{outcome=~\\"retry|failed|timed_out|crashed|lost\\"}[5m]))) / sum by (queue) (max without (instance, pod) (rate(youtility_task_attempts_total[5m]))) > 0.5', "", "server is back"),
    ("half of them", "> 0.5 and sum", "> 0.2 and sum", "a third"),
    ("many", ">= 9.5", ">= 0.5", "five of five"),
]  # fmt: skip


@pytest.mark.parametrize(("guard", "instead", "case"), [pytest.param(*rest, id=name) for name, *rest in MUTANTS])
def test_without_its_guard_the_case_is_noticed(
    guard: str, instead: str, case: str, promtool: str, tmp_path: Path
) -> None:
    ((_, series, at, told, names, every),) = [each for each in CASES if case in each[0]]
    rules = RULES.read_text()
    assert guard in rules

    found = complaint(promtool, tmp_path, rules.replace(guard, instead), series, at, told, names, every)

    assert "exp:" in found and "got:" in found, found
