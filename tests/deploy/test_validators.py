"""Every file of deploy/ before the validator that its reader has; and that the validator would find what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jsonschema
import kubernetes_validate
import psutil
import pytest
import yaml

from tests.conftest import Cluster, require_program
from tests.deploy.files import BIN, DEPLOY, documents, run
from tests.poolers.bouncer import a_bouncer

MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
OF_OTHERS = {"kustomization.yaml", "scaling.yaml"}  # no kinds of Kubernetes itself


def test_hadolint_has_nothing_to_say_of_the_dockerfile(tmp_path: Path) -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert run(BIN / "hadolint", DEPLOY / "Dockerfile").stdout == ""

    (tmp_path / "Dockerfile").write_text(text.replace('CMD ["run_postgresql_worker"', "CMD run_postgresql_worker ["))
    assert run(BIN / "hadolint", tmp_path / "Dockerfile").returncode != 0


def test_the_image_runs_as_nobody_in_particular_and_is_made_in_two_stages() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    last = max(n for n, line in enumerate(lines) if line.startswith("FROM "))

    assert sum(line.startswith("FROM python:3.12-slim") for line in lines) == 2
    assert "USER 10001:10001" in lines[last:]
    assert not any("pip install" in line for line in lines[last:])


def test_the_compose_file_is_one(tmp_path: Path) -> None:
    check = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    assert run(*check, DEPLOY / "compose.yaml").returncode == 0

    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    (tmp_path / "compose.yaml").write_text(text.replace("service_healthy", "service_is_fine"))
    assert "service_is_fine" in run(*check, tmp_path / "compose.yaml").stdout


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with programs that are here in place of those that will be there."""
    shutil.copytree(DEPLOY / "systemd", tmp_path, dirs_exist_ok=True)
    for unit in tmp_path.glob("*.service"):
        text = unit.read_text(encoding="utf-8")
        assert "ExecStart=/opt/youtility/venv/bin/" in text
        unit.write_text(
            text.replace("/opt/youtility/venv/bin/python", sys.executable).replace(
                "/opt/youtility/venv/bin/gunicorn", sys.executable
            )
        )
    shutil.copy(tmp_path / "youtility-worker@.service", tmp_path / "youtility-worker@email.service")
    return tmp_path


def test_systemd_takes_the_units_without_a_word(units: Path) -> None:
    verify = [require_program("systemd-analyze", package="systemd"), "verify"]
    names = [f"./{unit.name}" for unit in units.glob("*.service") if "@." not in unit.name]
    assert len(names) == 4
    ran = run(*verify, *names, cwd=units)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")

    limits = units / "youtility-worker@email.service.d" / "limits.conf"
    limits.write_text(limits.read_text().replace("MemoryMax", "MemoryMost"))
    assert "MemoryMost" in run(*verify, "./youtility-worker@email.service", cwd=units).stderr


def test_systemd_finds_the_units_hardened(units: Path) -> None:
    security = [require_program("systemd-analyze", package="systemd"), "security", "--offline=true", "--threshold=20"]

    for name in ("youtility-worker@email", "youtility-web", "youtility-exporter", "youtility-setup"):
        ran = run(*security, f"./{name}.service", cwd=units)
        assert ran.returncode == 0, ran.stdout[-2_000:]


@pytest.mark.parametrize("path", [each for each in MANIFESTS if each.name not in OF_OTHERS], ids=lambda path: path.name)
def test_kubernetes_takes_the_manifests(path: Path) -> None:
    for document in documents(path.read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, "1.37", strict=True)
    broken = {**document, "speck": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.37", strict=True)


def test_kustomize_puts_them_together() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed; Debian has none that is new enough (kubernetes.io/docs/tasks/tools)")
    built = run(kubectl, "kustomize", DEPLOY / "kubernetes")

    assert built.returncode == 0, built.stderr
    found = documents(built.stdout)
    assert {each["kind"] for each in found} >= {
        "Deployment",
        "ScaledObject",
        "PodDisruptionBudget",
        "NetworkPolicy",
        "Job",
    }
    assert not any(each["kind"] == "Secret" for each in found)
    images = {
        container["image"] for each in found if each["kind"] in ("Deployment", "Job") for container in each["spec"]["template"]["spec"]["containers"]
    }  # fmt: skip
    assert images == {"registry.example.com/youtility-tasks:0.1.0"}


def test_no_pod_may_be_root_or_change_its_image() -> None:
    pods = [
        each["spec"]["template"]["spec"]
        for path in MANIFESTS
        for each in documents(path.read_text(encoding="utf-8"))
        if each["kind"] in ("Deployment", "Job")
    ]

    assert len(pods) == 7
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] and not own["allowPrivilegeEscalation"]
            assert own["capabilities"] == {"drop": ["ALL"]} and container["resources"]["limits"]["memory"]


def test_keda_understands_every_word_of_the_scaling() -> None:
    schema = json.loads(Path(__file__).with_name("scaledobject.schema.json").read_text(encoding="utf-8"))
    keda = jsonschema.Draft202012Validator(schema)
    for given in documents((DEPLOY / "kubernetes/scaling.yaml").read_text(encoding="utf-8")):
        keda.validate(given)

    for wrong in ({"maxReplicas": 4}, {"maxReplicaCount": "many"}):
        (error,) = keda.iter_errors({**given, "spec": {**given["spec"], **wrong}})
        assert next(iter(wrong)) in f"{error.message} {list(error.path)}"


def test_the_probe_tells_a_worker_that_beats_from_one_that_has_stopped(tmp_path: Path) -> None:
    (probe, *_) = [
        each["spec"]["template"]["spec"]["containers"][0]["livenessProbe"]["exec"]["command"]
        for each in documents((DEPLOY / "kubernetes/workers.yaml").read_text(encoding="utf-8"))
    ]
    alive = tmp_path / "alive"
    here = [word.replace("/run/youtility/alive", str(alive)) for word in probe]

    assert run(*here).returncode != 0  # not yet
    alive.touch()
    assert run(*here).returncode == 0
    os.utime(alive, (time.time() - 60,) * 2)
    assert run(*here).returncode != 0


def test_postgresql_takes_its_settings(cluster: Cluster) -> None:
    if cluster.server is None:
        pytest.skip("the server of DATABASE_URL may be on another host")
    # The program that runs there, as the user who may run it: PostgreSQL does nothing for root.
    postgres = psutil.Process(cluster.server.pid()).exe()
    user = cluster.server.user
    as_user = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    text = (DEPLOY / "postgresql/postgresql.conf").read_text(encoding="utf-8")

    def ask(text: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            (Path(folder) / "postgresql.conf").write_text(text)
            (Path(folder) / "postgresql.auto.conf").touch()
            return run(postgres, "-D", folder, "-C", "max_connections", cwd="/", **as_user)

    ran = ask(text)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert f"max_connections = {ran.stdout}" in text
    assert "work_memory" in ask(text.replace("\nwork_mem", "\nwork_memory")).stderr


def test_pgbouncer_starts_with_its_settings(cluster: Cluster) -> None:
    text = (DEPLOY / "pgbouncer/pgbouncer.ini").read_text(encoding="utf-8")
    lines = dict(
        line.split(" = ", 1)
        for line in text.partition("[pgbouncer]")[2].splitlines()
        if " = " in line and line[0] != ";"
    )
    assert lines["pool_mode"] == "transaction"
    # Where it listens and whom it knows is this test's own.
    own = {"listen_addr", "listen_port", "auth_type", "auth_file", "pool_mode", "admin_users"}

    with a_bouncer(
        cluster.url("postgres"), "transaction", **{key: value for key, value in lines.items() if key not in own}
    ) as bouncer:
        said = (bouncer.folder / "log").read_text()
        assert "WARNING" not in said and "ERROR" not in said, said


@pytest.mark.parametrize(
    ("program", "words", "name"),
    [
        ("promtool", ("check", "config", "--syntax-only"), "prometheus.yml"),
        ("amtool", ("check-config",), "alertmanager.yml"),
    ],
)
def test_prometheus_and_alertmanager_take_their_settings(
    tmp_path: Path, program: str, words: tuple[str, ...], name: str
) -> None:
    package = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}[program]
    check = [require_program(program, package=package), *words]
    ran = run(*check, DEPLOY / "prometheus" / name)
    assert ran.returncode == 0, ran.stdout + ran.stderr

    (tmp_path / name).write_text((DEPLOY / "prometheus" / name).read_text(encoding="utf-8") + "sturdy: true\n")
    assert run(*check, tmp_path / name).returncode != 0


def test_what_they_say_of_each_other_is_there() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
    prometheus = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    targets = [
        prometheus["scrape_configs"][0]["static_configs"],
        prometheus["alerting"]["alertmanagers"][0]["static_configs"],
    ]

    assert {each[0]["targets"][0].partition(":")[0] for each in targets} <= set(services)
    mounted = [
        each.partition(":")[0]
        for service in services.values()
        for each in service.get("volumes", [])
        if each.startswith("./")
    ]
    assert mounted and [each for each in mounted if not (DEPLOY / each).exists()] == []
