"""What the containers run, run here: the set-up as the owner, then a worker and a page that know only their own passwords."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

from tests import warm
from tests.acceptance.crew import until
from tests.conftest import Cluster
from tests.deploy.files import BIN, DEPLOY, ROOT, run
from tests.deploy.test_image_settings import GIVEN
from tests.tenancy.ground import House

SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]


@pytest.fixture
def house(cluster: Cluster, template: str) -> Iterator[House]:
    """A database whose roles are still to be made."""
    made = House(cluster, cluster.copy(template))
    yield made
    made.pull_down()


def test_set_up_a_worker_and_the_pages_start_from_the_environment_alone(house: House, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    environ = {
        **{key: os.environ[key] for key in ("PATH", "YOUTILITY_POSTGRES_BIN") if key in os.environ},
        **GIVEN,
        "DJANGO_SETTINGS_MODULE": "tests.deploy.unsafe",
        "DATABASE_URL": house.url,
        "YOUTILITY_ROLE_PREFIX": house.prefix,
        "YOUTILITY_HOME": str(tmp_path),
        "STATIC_ROOT": str(tmp_path),
    }
    here = {"cwd": ROOT, "env": environ}

    ready = run(sys.executable, "-m", "django", *SERVICES["setup"]["command"], **here)
    assert ready.returncode == 0, ready.stdout + ready.stderr

    words = [str(alive) if word == "/run/youtility/alive" else word for word in SERVICES["worker-email"]["command"]]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    pages = [word.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for word in SERVICES["web"]["command"]]
    pages[pages.index("--workers") + 1] = "1"
    log = (tmp_path / "log").open("wb")
    worker = warm.Popen([sys.executable, "-m", "django", *words], stderr=log, **here)
    web = subprocess.Popen([BIN / "gunicorn", *pages, "--worker-tmp-dir", str(tmp_path)], stderr=log, **here)
    try:
        until(lambda: alive.exists() or worker.poll() is not None, within_s=40, why="the worker serves")
        until(lambda: answers(port) or web.poll() is not None, within_s=40, why="the pages answer")
        users = {
            user for (user,) in house.rows("SELECT usename FROM pg_stat_activity WHERE datname = current_database()")
        }
        assert house.login("worker") in users

        for process in (worker, web):
            process.send_signal(signal.SIGTERM)
        assert (worker.wait(40), web.wait(40)) == (0, 0), (tmp_path / "log").read_text()
    finally:
        for process in (worker, web):
            if process.poll() is None:
                process.kill()
                process.wait(10)
        log.close()


def answers(port: int) -> bool:
    try:
        with urlopen(f"http://localhost:{port}/tasks/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
