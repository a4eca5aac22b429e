"""Tenants on two PostgreSQL servers, both real: each job is where its tenant is, and the workers of that server run it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import checks

from tests import warm
from tests.acceptance.crew import REPOSITORY, Crew, Queue, until
from tests.conftest import Cluster, make_template
from tests.prepared import in_memory, start_from_copy
from youtility_tasks import conf, databases, tenant
from youtility_tasks.checks import check_settings
from youtility_tasks.errors import ConfigurationError, TenantElsewhere
from youtility_tasks.models import Job
from youtility_tasks.routers import TenantRouter
from youtility_tasks.standalone.server import Server

SPREAD = {"default": None, "north": [7]}


@pytest.fixture
def north(pytestconfig: pytest.Config, template: str, django_db_blocker: Any) -> Iterator[str]:
    """A second server, with a migrated database; its address."""
    folder = Path(tempfile.mkdtemp(prefix="yt-north-", dir=in_memory()))
    folder.chmod(0o755)
    server = Server(folder, options=["-c", "fsync=off"])
    cluster = Cluster(server.conninfo("postgres"), server, "yt_template")

    try:
        with django_db_blocker.unblock():
            start_from_copy(
                server, pytestconfig.rootpath / ".pytest_cache" / "prepared", lambda: make_template(cluster)
            )
        yield cluster.url(cluster.copy(cluster.template))
    finally:
        server.stop()
        shutil.rmtree(folder)


def test_each_job_is_where_its_tenant_is_and_is_run_there(fresh_database: Any, north: str, tmp_path: Path) -> None:
    env = {**fresh_database.env, "TEST_NORTH_URL": north}
    crews = []
    for alias, url in (("default", fresh_database.url), ("north", north)):
        folder = tmp_path / alias
        folder.mkdir()
        crews.append(Crew(Queue(url), env, folder))
    main, far = crews
    try:
        for crew, alias in ((main, "default"), (far, "north")):
            crew.start(database=alias)

        said = warm.run(
            [sys.executable, "-m", "tests.acceptance.spread"],
            cwd=REPOSITORY,
            env={**env, "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings"},
            capture_output=True,
            text=True,
        )
        assert said.returncode == 0, said.stderr
        told = json.loads(said.stdout)

        assert far.queue.ending(told["north"][0])["result"] == 7
        assert main.queue.ending(told["main"][0])["result"] == 8
        assert main.queue.ending(told["outside"])["result"] == 2
        left = "SELECT 1 FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        whose = "SELECT DISTINCT tenant_id FROM youtility_tasks_history ORDER BY 1"
        for crew, here in ((main, [(0,), (8,)]), (far, [(7,)])):
            until(lambda crew=crew: not crew.queue.rows(left), why="nothing is left")
            assert crew.queue.rows(whose) == here
            assert {entry["tenant"] for entry in crew.diary("tenant")} == {n for (n,) in here if n}
            assert len(crew.diary("tenant")) == 2, "the job, and the one that it enqueued"
        assert (
            "inside a transaction on 'default'; right is `with tenant(7), transaction.atomic(using='north')"
            in told["refused"]
        )
        assert told["seen in the north"] == "north"
    finally:
        for crew in crews:
            crew.close()


def test_a_worker_enters_no_tenant_of_another_database(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"tenant_databases": SPREAD, "database": "default"}
    databases.bind("default")
    try:
        with tenant(8):
            assert conf.settings().database == "default"
        with (
            pytest.raises(
                TenantElsewhere, match="Tenant 7 is on the database 'north', and this worker serves 'default'"
            ),
            tenant(7),
        ):
            pass
    finally:
        databases.bind(None)


def test_inside_a_tenants_block_everything_is_on_its_database_and_outside_on_the_main_one(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"tenant_databases": SPREAD, "direct_database": "postgresql://around/main"}

    with tenant(7):
        assert (conf.settings().database, conf.settings().direct_database) == ("north", None)
        assert TenantRouter().db_for_write(Job) == "north"
        with tenant(8):
            assert TenantRouter().db_for_read(Job) == "default"
        assert conf.settings().database == "north"
    assert conf.settings().database == "default"
    assert conf.settings().direct_database == "postgresql://around/main"


@pytest.mark.parametrize(
    ("spread", "says"),
    [
        ({"default": None, "north": [7], "south": [7]}, "tenant 7 in two places"),
        ({"default": None, "north": None}, "all others in two places"),
        ({"north": [7]}, "database is 'default', which tenant_databases does not have"),
        ({"default": "seven"}, "right is alias -> ids of tenants"),
        (["default"], "right is alias -> ids of tenants"),
    ],
    ids=str,
)
def test_a_map_that_cannot_be_meant_is_refused(settings: Any, spread: Any, says: str) -> None:
    settings.YOUTILITY_TASKS = {"tenant_databases": spread}

    with pytest.raises(ConfigurationError, match=says):
        conf.settings()


def test_a_tenant_without_a_place_is_told_of(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"tenant_databases": {"default": [8], "north": [7]}}

    with pytest.raises(ConfigurationError, match="no place for tenant 9"), tenant(9):
        pass


def test_a_map_without_its_router_and_hosts_without_their_options_are_told_of(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.YOUTILITY_TASKS = {"tenant_databases": {"default": None}}
    monkeypatch.setitem(settings.DATABASES["default"], "HOST", "a,b")
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {})

    found: list[checks.CheckMessage] = check_settings(None)

    assert [each.id for each in found if each.id in ("youtility_tasks.E007", "youtility_tasks.W004")] == [
        "youtility_tasks.E007",
        "youtility_tasks.W004",
    ]
