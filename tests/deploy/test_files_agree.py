"""Every number of deploy/ is one of the settings, in the files that lie there and in those that other settings make."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from deploy import numbers, render
from tests.deploy.files import DEPLOY, documents
from youtility_tasks import objectives, queues

Made = Callable[..., dict[str, str]]
OTHER = {
    "queues": {"email": {"processes": 3, "threads": 5}, "night.shift_2": {"processes": 1, "threads": 1}},
    "objectives": {"email": {"start_within_s": 42}},
    "shutdown_grace_s": 90.0,
    "statement_deadline_s": 7.0,
    "heartbeat_interval_s": 4.0,
    "lease_s": 13.0,
    "max_child_memory_mib": 300,
}


def test_the_files_are_what_the_settings_make() -> None:
    stale = [name for name, text in render.rendered().items() if (DEPLOY / name).read_text(encoding="utf-8") != text]

    assert stale == [], "run `make deploy`"


def test_a_file_that_was_changed_by_hand_is_named(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["render", "--to", str(tmp_path)])
    assert render.main() == 0
    (tmp_path / "compose.yaml").write_text("services: {}")

    monkeypatch.setattr("sys.argv", ["render", "--check", "--to", str(tmp_path)])
    assert render.main() == 1
    assert capsys.readouterr().err == "compose.yaml is not what the settings say; run `make deploy`.\n"


def test_no_manager_kills_a_worker_that_still_has_its_patience(made: Made) -> None:
    files = made(**OTHER)
    stop_s = 90 + 7 + 5 + numbers.MARGIN_S  # grace, a statement, the kernel, and the margin

    assert f"\nTimeoutStopSec={stop_s}\n" in files["systemd/youtility-worker@.service"]
    (compose,) = documents(files["compose.yaml"])
    assert compose["services"]["worker-email"]["stop_grace_period"] == f"{stop_s}s"
    for worker in documents(files["kubernetes/workers.yaml"]):
        assert worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == stop_s


def test_no_watchdog_is_less_patient_than_a_healthy_turn_takes(made: Made) -> None:
    files = made(**OTHER)
    watchdog_s = 4 + 3 * 7 + numbers.MARGIN_S

    assert f"\nWatchdogSec={watchdog_s}\n" in files["systemd/youtility-worker@.service"]
    assert f"'-{watchdog_s} seconds'" in files["Dockerfile"]
    workers = documents(files["kubernetes/workers.yaml"])
    assert len(workers) == 2
    for worker in workers:
        (container,) = worker["spec"]["template"]["spec"]["containers"]
        for probe in ("livenessProbe", "readinessProbe"):
            assert f"'-{watchdog_s} seconds'" in container[probe]["exec"]["command"][2]


def test_each_queue_has_a_worker_everywhere_and_grows_when_its_promise_is_at_stake(made: Made) -> None:
    files = made(**OTHER)

    workers = documents(files["kubernetes/workers.yaml"])
    served = [each["spec"]["template"]["spec"]["containers"][0]["args"][2] for each in workers]
    assert served == list(OTHER["queues"])  # type: ignore[call-overload]
    scaled = {each["spec"]["scaleTargetRef"]["name"]: each for each in documents(files["kubernetes/scaling.yaml"])}
    assert list(scaled) == [each["metadata"]["name"] for each in workers] == ["worker-email", "worker-night-shift-2"]
    (trigger,) = scaled["worker-email"]["spec"]["triggers"]
    assert (trigger["metadata"]["threshold"], trigger["metricType"]) == ("42", "Value")
    assert trigger["metadata"]["query"] == 'max(youtility_queue_oldest_seconds{queue="email"})'
    (compose,) = documents(files["compose.yaml"])
    assert compose["services"]["worker-night-shift-2"]["command"][2] == "night.shift_2"
    assert "youtility-worker@email youtility-worker@night.shift_2\n" in files["systemd/youtility-worker@.service"]
    budgets = [
        each["spec"]["selector"]["matchLabels"].get("queue") for each in documents(files["kubernetes/disruption.yaml"])
    ]
    assert budgets == ["email", "night-shift-2", None]


def test_a_worker_may_have_the_memory_of_its_children_and_one_more(made: Made) -> None:
    files = made(**OTHER)

    assert "MemoryHigh=1200M\nMemoryMax=1500M\n" in files["systemd/youtility-worker@email.service.d/limits.conf"]
    (compose,) = documents(files["compose.yaml"])
    assert compose["services"]["worker-email"]["mem_limit"] == "1200m"
    (email, _) = documents(files["kubernetes/workers.yaml"])
    (container,) = email["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "1200Mi"


def test_the_server_takes_all_workers_that_may_be(made: Made) -> None:
    files = made(**OTHER)
    of_each = (2 + 15 + 1) + (2 + 1 + 1)  # README, "Connections and poolers"
    (allowed,) = re.findall(r"^max_connections = (\d+)$", files["postgresql/postgresql.conf"], re.M)

    assert int(allowed) >= (numbers.MOST_REPLICAS + 1) * of_each + numbers.POOL + numbers.RESERVED
    assert documents(files["kubernetes/scaling.yaml"])[0]["spec"]["maxReplicaCount"] == numbers.MOST_REPLICAS


def test_the_defaults_promise_what_the_pages_colour_by() -> None:
    scaled = documents((DEPLOY / "kubernetes/scaling.yaml").read_text(encoding="utf-8"))

    assert [float(each["spec"]["triggers"][0]["metadata"]["threshold"]) for each in scaled] == [
        objectives.DEFAULTS[name].start_within_s for name in queues.DEFAULTS
    ]


@pytest.mark.parametrize(
    "name", ["compose.env.example", "systemd.environment.example", "kubernetes/secret.example.yaml"]
)
def test_examples_name_every_secret_that_the_settings_want(name: str) -> None:
    wanted = set(re.findall(r'_needed\(\s*"(\w+)"', (DEPLOY / "settings.py").read_text(encoding="utf-8")))
    wanted |= {f"{part}_PASSWORD" for part in ("WORKER", "TASK", "WEB", "OPS", "EXPORTER")}

    assert wanted - {"DATABASE_URL"} <= set(re.findall(r"[A-Z_]{4,}", (DEPLOY / name).read_text(encoding="utf-8")))
    assert len(wanted) == 10


def test_the_alertmanager_of_deploy_hides_what_the_example_hides_and_wakes_by_pages() -> None:
    (deployed,) = documents((DEPLOY / "prometheus/alertmanager.yml").read_text(encoding="utf-8"))
    (example,) = documents((DEPLOY.parent / "grafana/alertmanager.yml").read_text(encoding="utf-8"))

    assert deployed["inhibit_rules"] == example["inhibit_rules"]
    assert [each["matchers"] for each in deployed["route"]["routes"]] == [['severity="page"']]


def test_every_file_that_the_guide_links_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (DEPLOY / "README.md").read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if not (DEPLOY / link).exists()] == []


def test_what_compose_mounts_from_here_is_here() -> None:
    (compose,) = documents((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    mounted = [
        str(each).split(":")[0]
        for service in compose["services"].values()
        for each in service.get("volumes", [])
        if str(each).startswith(".")
    ]

    assert len(mounted) > 3
    assert [each for each in mounted if not (DEPLOY / each).exists()] == []
