"""The company's day with real roles and in chaos: every total agrees, and nobody but its player saw more than one client at a time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client

from task_catalog.facility.clients import create_client, create_site, ensure_levels
from task_catalog.facility.models import Bt
from task_catalog.facility.sentinels import ensure_sentinels
from tests import warm
from tests.company_day.conftest import Playing
from tests.tenancy.ground import A, House
from youtility_tasks.models import Tenant
from youtility_tasks.tenancy import roles
from youtility_tasks.tenants import tenant

NONE = 1
"""The row that stands for none, of which every client may read."""
COMMAND = [sys.executable, "-m", "youtility_tasks.standalone"]


@pytest.fixture
def stage(cluster: Any, template: str) -> Any:
    house = House(cluster, cluster.copy(template))
    yield house
    house.pull_down()


def began(env: dict[str, str], folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """A day that is played by a process of its own, with what it writes below the folder."""
    folder.mkdir()
    return warm.Popen(
        [*COMMAND, "play_company_day", "--json", *arguments],
        env={**env, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def words_of(house: House) -> dict[str, set[str]]:
    """Of each client, by its id as text: the names that no other has."""
    named: dict[str, set[str]] = {}
    for client_id, word in house.rows(
        "SELECT client_id, w FROM people, unnest(ARRAY[peoplename, peoplecode, email]) w WHERE client_id > %s"
        " UNION SELECT client_id, w FROM asset, unnest(ARRAY[assetname, assetcode]) w WHERE client_id > %s"
        " UNION SELECT client_id, ticketdesc FROM ticket WHERE client_id > %s"
        " UNION SELECT CASE WHEN parent_id > %s THEN parent_id ELSE id END, w FROM bt, unnest(ARRAY[buname, bucode]) w WHERE id > %s",
        *[NONE] * 5,
    ):
        named.setdefault(str(client_id), set()).add(word)
    return {
        client_id: {
            word
            for word in own
            if word and not any(word in other for c, others in named.items() if c != client_id for other in others)
        }
        for client_id, own in named.items()
    }


def met(mails: list[dict[str, Any]], words: dict[str, set[str]]) -> list[tuple[str, str]]:
    """(client of the mail, word of another client in it)."""
    found = []
    for mail in mails:
        text = " ".join([mail["subject"], mail["text"], *mail["recipients"]])
        for client_id, own in words.items():
            if client_id != mail["tenant"]:
                inside = [
                    word for word in own if word in text
                ]  # to make a pattern of each takes a thousand times as long
                found += [
                    (mail["tenant"], word) for word in inside if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)
                ]
    return found


@pytest.mark.timeout(900)
def test_the_day_reconciles_in_chaos_with_every_process_as_what_it_is(stage: House, tmp_path: Path) -> None:
    # Given a day of another date, with one user for everything, whose player was killed in the middle of the morning.
    env = {**os.environ, "DATABASE_URL": stage.url, "SECRET_KEY": stage.tenant_key}
    jobs_done = "SELECT count(*)::integer FROM youtility_tasks_history WHERE is_final"
    killed = Playing(began(env, tmp_path / "killed", "--date", "2024-12-31"), lambda: stage.rows(jobs_done)[0][0])
    try:
        killed.wait_for_jobs(300)
        orphans = killed.family()
    finally:
        killed.process.kill()
        killed.finish()

    # When another one is played there, a leap year's Wednesday, with real roles and in chaos.
    # SECRET_KEY: from which the signing key is made, as no other is named.
    env = {**env, "YOUTILITY_ROLES": "1", "YOUTILITY_ROLE_PREFIX": stage.prefix}
    stage_folder = tmp_path / "played"
    day = began(env, stage_folder, "--date", "2024-02-14", "--seed", "7", "--chaos", "short")
    seen: dict[str, set[str]] = {}
    files: dict[str, Any] = {}
    with psycopg.connect(stage.url, autocommit=True) as eye:
        while day.poll() is None:
            for name, application in eye.execute(
                "SELECT usename, application_name FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                [stage.name],
            ).fetchall():
                seen.setdefault(name, set()).add(application)
            for file in stage_folder.glob("company-day-*/*"):  # open, they can be read when the day has taken them away
                if file.is_file() and file.name not in files:
                    files[file.name] = file.open(encoding="utf-8")
            time.sleep(0.05)
    output, errors = day.communicate()
    said = {}
    for name, opened in files.items():
        with opened:
            said[name] = opened.read()

    # Then its totals are those of an undisturbed day, and it was no fair one.
    document = json.loads(output) if output else {"checks": []}
    assert [check for check in document["checks"] if not check["ok"]] == [], errors
    assert day.returncode == 0 and document["ok"], errors
    assert not any(orphan.is_running() for orphan in orphans)
    assert len(document["checks"]) == 152
    assert {check["name"]: check["got"] for check in document["checks"]}["heartbeats"] == 1440
    (told,) = [line for line in errors.splitlines() if "chaos has killed" in line]
    assert all(who in told for who in ("child", "nursery", "worker", "sink", "supervisor"))

    # And nobody but its player saw more than one client at a time.
    assert {stage.login("worker"), stage.login("task"), stage.login("web")} <= seen.keys()
    assert all("youtility worker" in each or "youtility" in each for each in seen[stage.login("worker")])
    forced = stage.rows(
        "SELECT count(*) FROM pg_class WHERE relforcerowsecurity AND relrowsecurity AND NOT relispartition AND relkind IN ('r', 'p')"
    )
    assert forced[0][0] >= 30
    for (client_id,) in stage.rows("SELECT id FROM youtility_tasks_tenant"):
        with stage.connect("web", client_id) as session:
            for table in ("jobneed", "ticket", "people", "asset", "job"):
                found = session.execute(f"SELECT DISTINCT client_id FROM {table} ORDER BY 1").fetchall()
                assert found == [(NONE,), (client_id,)], f"{table} to client {client_id}"
            for through in (
                "SELECT DISTINCT n.client_id FROM jobneeddetails d LEFT JOIN jobneed n ON n.id = d.jobneed_id",
                "SELECT DISTINCT j.client_id FROM reminder r LEFT JOIN job j ON j.id = r.job_id",
            ):
                assert session.execute(through).fetchall() == [(client_id,)], through
            names = session.execute(
                "SELECT count(*) FROM bt WHERE id <> %s AND parent_id <> %s AND id <> %s", [client_id, client_id, NONE]
            )
            assert names.fetchone() == (0,)

    # What went out and what was logged: no mail names anything of another client's, and nothing tells the key or a token.
    mails, words = [json.loads(line) for line in said["mails.jsonl"].splitlines()], words_of(stage)
    of_clients = [mail for mail in mails if mail["tenant"] in words]
    assert len(of_clients) > 50 and {mail["tenant"] for mail in of_clients} == words.keys()
    assert met(of_clients, words) == []
    swapped = dict(zip(words, [*list(words)[1:], next(iter(words))], strict=True))
    for client_id in words:
        mixed_up = [{**mail, "tenant": swapped[client_id]} for mail in of_clients if mail["tenant"] == client_id]
        assert met(mixed_up, words), f"the search would not see a word of {client_id}"
    for text in (*said.values(), output, errors):
        assert stage.tenant_key not in text and stage.key().id not in text


@pytest.mark.usefixtures("django_db_setup")
def test_the_web_makes_a_client_and_its_sites(house: House, django_db_blocker: Any) -> None:
    at = datetime(2025, 1, 1, tzinfo=UTC)
    with django_db_blocker.unblock(), house.settled():
        ensure_sentinels()
        ensure_levels(at=at)
        roles.act_as("web")
        client = create_client("Nine", "NINE", at=at)
        site = create_site(client, "Gate", "NINE-1", at=at)
        assert Bt.objects.count() == 1, "outside of it only the row that stands for none is to be seen"
        with tenant(client.pk):
            assert set(Bt.objects.exclude(pk=NONE).values_list("pk", flat=True)) == {client.pk, site.pk}
            assert list(Tenant.objects.values_list("pk", flat=True)) == [client.pk]


@pytest.mark.usefixtures("django_db_setup")
def test_the_admins_pages_open_for_the_web(house: House, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock(), house.settled():
        roles.act_as("web")
        chief = User.objects.create_superuser("chief", password="x")
        browser = Client()
        browser.force_login(chief)
        assert "taskworker" not in browser.get("/admin/").content.decode()
        assert browser.get("/admin/youtility_tasks/taskworker/").status_code == 403
        for model in ("job", "taskexecutionhistory", "taskeffect", "tenant"):
            page = browser.get(f"/admin/youtility_tasks/{model}/")
            assert page.status_code == 200 and "Acme" not in page.content.decode()
            with tenant(A):
                assert browser.get(f"/admin/youtility_tasks/{model}/").status_code == 200
