"""The pages of jobs, failures, operations and views under real roles: the database keeps tenants apart, whatever a page forgets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.tenancy.ground import A, B, House
from youtility_tasks import members, newer
from youtility_tasks.models.jobs import JobQuerySet
from youtility_tasks.tenancy import roles

pytestmark = pytest.mark.usefixtures("django_db_setup")


@pytest.fixture
def web(house: House, django_db_blocker: Any) -> Iterator[House]:
    ContentType.objects.clear_cache()
    with django_db_blocker.unblock(), house.settled(membership_resolver=None, allow_unsafe_database=True):
        roles.act_as("web")
        yield house
    ContentType.objects.clear_cache()


@pytest.fixture
def ann(web: House) -> Client:
    """An admin of A."""
    user = User.objects.create_user("ann")
    members.grant(A, "ann", "admin")
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def olga(web: House) -> Client:
    """An operator of all."""
    user = User.objects.create_user("olga")
    user.user_permissions.add(Permission.objects.get(codename="ops", content_type__app_label="youtility_tasks"))
    browser = Client()
    browser.force_login(user)
    return browser


def jobs_of(house: House, who: int) -> dict[str, int]:
    found = dict(house.rows("SELECT status::text, id FROM procrastinate_jobs WHERE tenant_id = %s", who))
    return {**found, "succeeded": 1_000_000 + who}


def enqueue(house: House, who: int) -> None:
    """Newer than the attempts that the house is furnished with."""
    house.rows(
        "INSERT INTO procrastinate_jobs (id, queue_name, task_name, tenant_id)"
        " SELECT 2000000 + count(*), 'email', 't', %s FROM procrastinate_jobs",
        who,
    )


def shown(browser: Client, path: str) -> str:
    answer = browser.get(f"/tasks/{path}")
    assert answer.status_code == 200, (path, answer.content[-800:])
    return str(answer.content.decode())


def test_a_tenants_people_see_and_act_on_their_own_rows_alone(web: House, ann: Client) -> None:
    mine, theirs = jobs_of(web, A), jobs_of(web, B)

    listed = shown(ann, "jobs/")

    assert all(f"/jobs/{each}/" in listed for each in mine.values()) and not any(
        f"/jobs/{each}/" in listed for each in theirs.values()
    )
    assert "of Acme" in shown(ann, f"jobs/{mine['todo']}/")
    assert "Nobody has" in shown(ann, f"jobs/{mine['succeeded']}/?part=around")
    for path in (
        "failures/",
        "failures/none/",
        "operations/",
        "jobs/?part=chart",
        "jobs/?q=error:x",
        "jobs/?q=args.secret:x",
    ):
        assert not re.search(rf"Bolt|/jobs/({'|'.join(map(str, theirs.values()))})/", shown(ann, path)), path
    for each in theirs.values():
        assert ann.get(f"/tasks/jobs/{each}/").status_code == 404
    assert ann.post("/tasks/acts/retry-jobs/", {"job": [mine["failed"], theirs["failed"]]}).status_code == 303
    assert ann.post("/tasks/acts/discard-all/", {"fingerprint": "none", "reason": "all"}).status_code == 303
    assert ann.post("/tasks/views/save/", {"name": "mine", "query": "status=failed"}).status_code == 303
    assert web.rows("SELECT tenant_id FROM youtility_tasks_savedview") == [(A,)]
    assert web.rows("SELECT tenant_id, act FROM youtility_tasks_taskoperation") == [(A, "discard")]
    assert web.rows("SELECT status::text FROM procrastinate_jobs WHERE id = %s", theirs["failed"]) == [("failed",)]
    assert web.rows("SELECT status::text FROM procrastinate_jobs WHERE id = %s", mine["failed"]) == [("todo",)]


def test_the_database_holds_where_a_page_forgets_whose_rows_it_reads(
    web: House, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = jobs_of(web, B)
    monkeypatch.setattr(JobQuerySet, "for_tenant", lambda self, tenant_id: self)

    listed = shown(ann, "jobs/?status=todo")

    assert f"/jobs/{theirs['todo']}/" not in listed and "Bolt" not in shown(ann, "failures/none/")
    assert ann.get(f"/tasks/jobs/{theirs['todo']}/").status_code == 404


def test_the_pulse_is_one_statement_and_counts_no_other_tenants_jobs(
    web: House, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = re.search(r'name="token" value="([^"]+)"', shown(ann, "jobs/"))
    assert token is not None
    for who in (A, A, B):
        enqueue(web, who)
    count = newer.count
    monkeypatch.setattr(newer, "count", lambda newest, **asked: count(newest, **{**asked, "tenant_id": None}))

    with CaptureQueriesContext(connection) as captured:
        answer = ann.get("/tasks/live/pulse/", {"token": token[1]}).content.decode()

    assert "2 new" in answer
    sent = [each["sql"] for each in captured.captured_queries if each["sql"] not in ("BEGIN", "COMMIT")]
    assert len(sent) == 1, sent


def test_an_operator_sees_metadata_of_all_and_no_contents(web: House, olga: Client) -> None:
    everybody = {
        **{f"a {k}": v for k, v in jobs_of(web, A).items()},
        **{f"b {k}": v for k, v in jobs_of(web, B).items()},
    }

    listed = shown(olga, "jobs/")

    assert all(f"/jobs/{each}/" in listed for each in everybody.values())
    for path in (
        *(f"jobs/{each}/" for each in everybody.values()),
        "failures/",
        "failures/none/",
        "jobs/?part=rail",
        "operations/",
    ):
        assert "of Acme" not in shown(olga, path) and "of Bolt" not in shown(olga, path), path
    assert olga.get("/tasks/jobs/?q=args.secret:x").status_code == 409
    token = re.search(r'name="token" value="([^"]+)"', listed)
    assert token is not None
    enqueue(web, B)
    assert "1 new" in olga.get("/tasks/live/pulse/", {"token": token[1]}).content.decode()
    assert olga.post("/tasks/views/save/", {"name": "all", "query": "status=failed"}).status_code == 303


def test_an_operator_with_a_role_who_reads_contents_is_in_the_tenants_audit_log(web: House, olga: Client) -> None:
    members.grant(A, "olga", "viewer")
    mine = jobs_of(web, A)

    assert "of Acme" in shown(olga, f"jobs/{mine['todo']}/?tenant={A}")

    found = web.rows("SELECT actor, target, tenant_id FROM youtility_tasks_taskauditlog WHERE act = 'view payload'")
    assert found == [("olga", f"job {mine['todo']} (t)", A)]


def test_an_operator_gives_and_takes_roles_and_sees_what_a_worker_holds(web: House, olga: Client) -> None:
    User.objects.create_user("ben")
    given = {"tenant_id": A, "username": "ben", "role": "viewer", "reason": "new here"}
    assert olga.post("/tasks/acts/grant-role/", given).status_code == 303
    assert "ben" in shown(olga, f"tenants/{A}/")
    assert olga.post("/tasks/acts/revoke-role/", given).status_code == 303
    assert "Nobody has a role" in shown(olga, f"tenants/{A}/")

    job = jobs_of(web, B)["todo"]
    web.rows("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (9005) RETURNING id")
    web.rows(
        "INSERT INTO youtility_tasks_taskworker (id, host, pid, queue_name, status, slots, children) OVERRIDING SYSTEM VALUE "
        "VALUES (9005, 'web-1', 811, 'email', 'running', 4, '[]') RETURNING id"
    )
    web.rows("UPDATE procrastinate_jobs SET status = 'doing', worker_id = 9005 WHERE id = %s RETURNING id", job)
    held = shown(olga, "workers/9005/")
    assert f"/jobs/{job}/" in held and "of Bolt" not in held
