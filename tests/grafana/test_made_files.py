"""The committed files are what the command makes; what they say follows from the promises; each link leads somewhere."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command, load_command_class
from django.db import connection
from django.urls import resolve
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

import youtility_tasks.grafana
from tests.conftest import require_program
from tests.grafana.made import GRAFANA, HEARTBEAT, alerts, panels, queries, used
from youtility_tasks import objectives, queues
from youtility_tasks.console.table import PAGES
from youtility_tasks.management.verbs.scope import Scope

RUNBOOKS = sorted((GRAFANA / "runbooks").glob("*.md"))
NAMES = {
    *("StartsLate", "FinishesLate", "JobsFail", "NoWorkers", "DeadLettersGrow", "ScheduleLate", "HeartbeatLate"),
    *("JobsWait", "AttemptsFail"),
    *("VacuumBlocked", "OldSnapshot", "NotificationQueue", "ExporterDown", "DatabaseSilent", "RollupsNotFolded"),
}


def made(folder: Path, *words: str) -> str:
    call_command("make_dashboards", "--to", str(folder), *words)
    return (folder / "rules" / "youtility_tasks.yml").read_text()


def test_the_committed_files_are_those_that_the_command_makes(tmp_path: Path) -> None:
    made(tmp_path, "--heartbeat", HEARTBEAT)

    names = {each.relative_to(tmp_path) for each in tmp_path.rglob("*.*")}
    assert {name: (GRAFANA / name).read_text() for name in names} == {
        name: (tmp_path / name).read_text() for name in names
    }
    assert {each.relative_to(GRAFANA) for room in ("rules", "boards") for each in (GRAFANA / room).iterdir()} == names
    call_command("make_dashboards", "--to", str(tmp_path), "--heartbeat", HEARTBEAT, "--check")


def test_check_names_the_file_that_somebody_changed_and_writes_nothing(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "boards" / "queue.json").write_text("{}")

    with pytest.raises(CommandError, match=r"Not as made in .*: boards/queue\.json\."):
        call_command("make_dashboards", "--to", str(tmp_path), "--check")
    assert (tmp_path / "boards" / "queue.json").read_text() == "{}"


def test_another_promise_of_one_queue_changes_its_rules_and_no_other(tmp_path: Path, settings: Any) -> None:
    before = yaml.safe_load(made(tmp_path))
    settings.YOUTILITY_TASKS = {"objectives": {"email": {"on_time_share": 0.9, "start_within_s": 77}}}

    after = yaml.safe_load(made(tmp_path))

    changed = [
        new
        for old_group, new_group in zip(before["groups"], after["groups"], strict=True)
        for old, new in zip(old_group["rules"], new_group["rules"], strict=True)
        if old != new
    ]
    assert {(each["alert"], each["labels"]["queue"]) for each in changed} == {
        ("StartsLate", "email"), ("FinishesLate", "email"), ("JobsWait", "email"),
    }  # fmt: skip
    (page,) = [each for each in changed if each["alert"] == "StartsLate" and each["labels"]["severity"] == "page"]
    assert "later than 77 s" in page["annotations"]["summary"]
    # 14.4 times a tenth would be more than there is: nobody would ever be paged.
    assert 'share1h{queue="email", promise="start"} > 0.9 ' in page["expr"]
    assert 'share6h{queue="email", promise="start"} > 0.6 ' in page["expr"]


def test_the_rules_of_a_rehearsal_differ_by_their_times_alone(tmp_path: Path) -> None:
    """Each window, wait and limit of time is a sixtieth; shares, counts and names are the same."""
    real = yaml.safe_load(made(tmp_path, "--heartbeat", HEARTBEAT))["groups"]
    quick = yaml.safe_load(made(tmp_path, "--heartbeat", HEARTBEAT, "--times-faster", "60"))["groups"]

    span = re.compile(r"\b(\d+)(ms|[smhd])\b")
    unit = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    limits = {"ScheduleLate": (300, 5), "RollupsNotFolded": (900, 15), "OldSnapshot": (300, 5)}

    def took_apart(rule: Any) -> tuple[str, list[int], str]:
        texts = [str(rule.get("expr")), str(rule.get("for")), str(rule.get("interval"))]
        spans = [int(n) * unit[word] for text in texts for n, word in span.findall(text)]
        return rule.get("alert") or rule.get("record") or rule["name"], spans, span.sub("T", texts[0])

    for one, other in zip(
        [each for group in real for each in (group, *group["rules"])],
        [each for group in quick for each in (group, *group["rules"])],
        strict=True,
    ):
        (name, times, rest), (same_name, shorter, same_rest) = took_apart(one), took_apart(other)
        before, after = limits.get(name, (0, 0))
        assert (name, rest.replace(f"> {before}", f"> {after}") if before else rest) == (same_name, same_rest)
        assert shorter == [each // 60 for each in times], name
    assert sum(len(took_apart(each)[1]) for group in real for each in group["rules"]) > 80


def test_the_queues_are_those_that_are_configured(tmp_path: Path, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"queues": {"night": {"processes": 1}}}

    text = made(tmp_path, "--console", "https://example.org/tasks/", "--runbooks", "https://example.org/r/")

    assert set(re.findall(r"queue: (.*)", text)) == {'"night"'}
    assert 'console_url: "https://example.org/tasks/queues/night/"' in text
    assert 'runbook_url: "https://example.org/r/StartsLate.md"' in text
    assert "HeartbeatLate" not in text


@pytest.mark.parametrize(
    ("given", "words", "says"),
    [
        ({"objectives": {"nobody": {}}}, [], "names the queue 'nobody'"),
        ({"objectives": {"email": {"finish_within_s": 60}}}, [], "right is finish_within_s above start_within_s"),
        ({}, ["--heartbeat", 'x"}'], "is no task's name"),
        ({}, ["--to", "/dev/null/x"], "Choose another --to"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    given: Any, words: list[str], says: str, tmp_path: Path, settings: Any
) -> None:
    settings.YOUTILITY_TASKS = given

    with pytest.raises(CommandError, match=re.escape(says)):
        call_command("make_dashboards", *(["--to", str(tmp_path)] if "--to" not in words else []), *words)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("boards", "panel"):
        importlib.import_module(f"youtility_tasks.grafana.{name}")
        monkeypatch.delitem(sys.modules, f"youtility_tasks.grafana.{name}")
        monkeypatch.delattr(youtility_tasks.grafana, name)
    for name in [each for each in sys.modules if each.startswith("grafana_foundation_sdk")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grafana_foundation_sdk", None)

    with pytest.raises(CommandError, match=r"grafana_foundation_sdk.*pip install 'youtility-tasks\[grafana\]'"):
        call_command("make_dashboards", "--to", str(tmp_path))
    assert [*tmp_path.iterdir()] == []


def test_each_queue_has_a_page_and_a_ticket_for_each_promise() -> None:
    found = {
        (each["labels"]["queue"], each["alert"], each["labels"]["severity"])
        for each in alerts()
        if "queue" in each["labels"]
    }

    assert found == {
        (queue, name, severity)
        for queue in queues.configured()
        for name in ("StartsLate", "FinishesLate", "JobsFail", "JobsWait")
        for severity in ("page", "ticket")
    }
    assert {each["alert"] for each in alerts()} == NAMES


@pytest.mark.parametrize(
    "rule", alerts(), ids=lambda rule: f"{rule['alert']}-{rule['labels'].get('queue', '')}-{rule['labels']['severity']}"
)
def test_each_alert_leads_to_a_page_of_the_console_and_to_its_runbook(rule: Any) -> None:
    path, _, words = (
        rule["annotations"]["console_url"]
        .replace("{{ $labels.queue }}", "email")
        .replace("{{ $labels.schedule | urlquery }}", "x")
        .replace('{{ if ne $labels.schedule "other" }}', "")
        .replace("{{ end }}", "")
        .partition("?")
    )

    found = resolve(path)
    (page,) = [each for each in PAGES if each.name == found.url_name]
    assert {word.partition("=")[0] for word in words.split("&") if word} <= {*page.takes}
    assert "{{" not in path + words
    assert (GRAFANA.parent / rule["annotations"]["runbook_url"]).is_file()
    assert rule["labels"]["severity"] in ("page", "ticket")


def test_each_runbook_is_of_an_alert() -> None:
    assert {each.stem for each in RUNBOOKS} == NAMES


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda each: each.stem)
def test_the_commands_of_a_runbook_are_there_and_understand_their_words(runbook: Path) -> None:
    lines = [
        line.strip()
        for block in re.findall(r"```sh\n(.*?)```", runbook.read_text(), re.S)
        for line in block.splitlines()
        if line.strip()
    ]

    assert lines
    for line in lines:
        name, *words = shlex.split(line)
        assert understands(name, words), f"{runbook.name}: {line}"
        assert says_for_whom(name, words), (
            f"{runbook.name}: {line}: refused where the setting `roles` keeps tenants apart"
        )
    for link in re.findall(r"\]\((\w+\.md)\)", runbook.read_text()):
        assert (runbook.parent / link).is_file()


def understands(name: str, words: list[str]) -> bool:
    try:
        load_command_class("youtility_tasks", name).create_parser("manage.py", name).parse_args(words)
    except (CommandError, ModuleNotFoundError, SystemExit):
        return False
    return True


def says_for_whom(name: str, words: list[str]) -> bool:
    if name != "manage_task_queue":
        return True
    scope = importlib.import_module(f"youtility_tasks.management.verbs.{words[0].replace('-', '_')}").SCOPE
    right = {Scope.CHOSEN: {"--tenant", "--all-tenants"}, Scope.TENANT: {"--tenant"}}.get(scope)
    return right is None or not right.isdisjoint(words)


def test_a_command_that_does_not_say_for_whom_would_be_noticed() -> None:
    assert not says_for_whom("manage_task_queue", ["dead-letters", "--since", "2h"])
    assert not says_for_whom("manage_task_queue", ["show", "88120", "--all-tenants"])


def test_a_command_that_is_not_there_or_takes_other_words_would_be_noticed() -> None:
    assert understands("manage_task_queue", ["why", "88120"])
    assert not understands("manage_task_queue", ["wye", "88120"])
    assert not understands("manage_task_queue", ["why", "--because"])
    assert not understands("mend_everything", [])


@pytest.mark.django_db
def test_the_statements_of_the_runbooks_are_understood_by_the_server() -> None:
    found = [sql for each in RUNBOOKS for sql in re.findall(r"```sql\n(.*?)```", each.read_text(), re.S)]

    assert len(found) >= 8
    with connection.cursor() as cursor:
        for sql in found:
            cursor.execute("EXPLAIN " + sql.replace("%", "%%"))


def test_boards_are_as_grafana_has_them() -> None:
    uids = set()
    for file in (GRAFANA / "boards").glob("*.json"):
        board = json.loads(file.read_text())
        uids.add(board["uid"])
        taken: set[tuple[int, int]] = set()
        choices = {each["name"] for each in board["templating"]["list"]}
        for panel in board["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
            taken |= cells
            letters = [each["refId"] for each in panel["targets"]]
            assert letters and all(letters) and len(set(letters)) == len(letters), panel["title"]
            assert set(re.findall(r"\$(\w+)", " ".join(each["expr"] for each in panel["targets"]))) <= choices
    assert len(uids) == 6
    assert sum(len(panel["targets"]) for _, panel in panels()) < len(queries())


@pytest.mark.parametrize("file", sorted((GRAFANA / "boards").glob("*.json")), ids=lambda each: each.stem)
def test_a_board_survives_grafanas_own_model(file: Path) -> None:
    """What the model does not know is not in what it gives back."""
    assert given_back(file.read_text()) == json.loads(file.read_text())


def test_a_misspelt_key_of_a_board_would_be_noticed() -> None:
    board = (GRAFANA / "boards" / "queue.json").read_text().replace('"fieldConfig"', '"fieldConfigs"', 1)

    assert given_back(board) != json.loads(board)


def given_back(board: str) -> Any:
    return json.loads(JSONEncoder().encode(Dashboard.from_json(json.loads(board))))


def amtool(*words: str) -> str:
    program = require_program("amtool", package="prometheus-alertmanager")
    ran = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.strip()


def test_the_example_for_alertmanager_pages_whom_it_should_and_names_alerts_that_are_there() -> None:
    config = str(GRAFANA / "alertmanager.yml")

    amtool("check-config", config)
    for rule in alerts():
        labels = {"alertname": rule["alert"], **rule["labels"]}
        receiver = (
            amtool(*("config", "routes", "test", f"--config.file={config}"), *(f"{k}={v}" for k, v in labels.items()))
            if rule["labels"].get("queue") in (None, "email")
            else None
        )
        assert receiver in (None, {"page": "on_call", "ticket": "tickets"}[rule["labels"]["severity"]])
    named = re.findall(r'alertname=~?"([\w|]+)"', (GRAFANA / "alertmanager.yml").read_text())
    assert {each for words in named for each in words.split("|")} <= NAMES


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ('sum by (a) (max without (i) (rate(m{b="x"}[5m])))', [("m", {"a", "b"})]),
        ("max by (t) (min_over_time(d[30m])) > 5 and max by (t) (l)", [("d", {"t"}), ("l", {"t"})]),
        ("(sum(increase(m[1h])) or vector(0)) < 1", [("m", set())]),
    ],
)
def test_what_a_query_uses_is_read_from_it(expression: str, found: Any) -> None:
    assert list(used(expression)) == found


def test_the_readme_says_what_the_queues_promise() -> None:
    readme = (GRAFANA.parent / "README.md").read_text()

    for queue, each in objectives.DEFAULTS.items():
        shares = f"{each.on_time_share * 100:g} % | {each.success_share * 100:g} %"
        assert f"| {queue} | {each.start_within_s:g} s | {each.finish_within_s:g} s | {shares} |" in readme
