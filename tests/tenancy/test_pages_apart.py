"""Pages of schedules, workflows and the catalog under real roles: each shows its visitor's rows, and an operator no contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from tests.tenancy.ground import A, B, House
from youtility_tasks import Task, Workflow, members, schedules, tenants
from youtility_tasks.models.schedules import ScheduleQuerySet
from youtility_tasks.models.workflows import FlowQuerySet
from youtility_tasks.tenancy import roles
from youtility_tasks.workflows import templates

pytestmark = pytest.mark.usefixtures("django_db_setup")
CANARY = "canary-of-contents"


@pytest.fixture
def web(house: House, django_db_blocker: Any) -> Iterator[House]:
    ContentType.objects.clear_cache()
    with django_db_blocker.unblock(), house.settled(membership_resolver=None, allow_unsafe_database=True):
        roles.act_as("web")
        yield house
    ContentType.objects.clear_cache()


def note(*, text: str = "") -> None:
    """Note it."""


@pytest.fixture
def rows(web: House, declare: Callable[..., Task]) -> dict[int, tuple[int, int]]:
    """Tenant -> its schedule and its run, each with contents."""
    task = declare(note, name="note")
    made = {}
    for who in (A, B):
        flow = Workflow(f"flow of {who}")
        flow.signal("go", after=flow.step(task, name="first", text=CANARY))
        with tenants.tenant(who):
            row = schedules.create(f"nightly of {who}", "note", cron="0 2 * * *", args={"text": CANARY})
            schedules.run_now(row.name, reason="to see it")
            templates.save(flow)
            made[who] = (row.pk, flow.start({"said": CANARY}).id)
    return made


@pytest.fixture
def ann(web: House) -> Client:
    user = User.objects.create_user("ann")
    members.grant(A, "ann", "admin")
    return _client(user)


@pytest.fixture
def ops(web: House) -> Client:
    user = User.objects.create_user("olga")
    user.user_permissions.add(Permission.objects.get(codename="ops", content_type__app_label="youtility_tasks"))
    return _client(user)


def _client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


PATHS = (
    "schedules/", "schedules/{schedule}/", "workflows/", "workflows/{run}/", "workflows/templates/", "catalog/",
    "catalog/note/",
)  # fmt: skip


def _at(path: str, schedule_and_run: tuple[int, int]) -> str:
    return "/tasks/" + path.format(schedule=schedule_and_run[0], run=schedule_and_run[1])


def test_a_member_sees_their_own_rows_with_contents_and_no_others(
    rows: dict[int, tuple[int, int]], ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The database holds, also where a page forgot whose rows it reads.
    monkeypatch.setattr(ScheduleQuerySet, "for_tenant", lambda self, tenant_id: self)
    monkeypatch.setattr(FlowQuerySet, "for_tenant", lambda self, tenant_id: self)
    for path in PATHS:
        page = ann.get(_at(path, rows[A]))
        assert page.status_code == 200, (path, page.content[:2_000])
        assert f"of {B}" not in page.content.decode(), path
    for path in ("schedules/{schedule}/", "workflows/{run}/"):
        assert CANARY in ann.get(_at(path, rows[A])).content.decode()
        assert ann.get(_at(path, rows[B])).status_code == 404, path
    (token,) = re.findall(
        r'id="steps" data-token="([^"]+)"', ann.get(_at("workflows/{run}/", rows[A])).content.decode()
    )
    told = ann.get("/tasks/live/workflow/", {"token": token, "since": "2001-01-01T00:00:00"}).json()
    assert told["status"] and told["moved"]
    for act in (
        "change-schedule/?schedule={schedule}",
        "run-schedule/?schedule={schedule}",
        "cancel-workflow/?workflow={run}",
    ):
        assert ann.get(_at(f"acts/{act}", rows[A])).status_code == 200, act
        assert ann.get(_at(f"acts/{act}", rows[B])).status_code == 404, act


def test_an_operator_sees_everybodys_metadata_and_no_contents(rows: dict[int, tuple[int, int]], ops: Client) -> None:
    for where in ("", f"?tenant={B}"):
        for path in PATHS:
            page = ops.get(_at(path, rows[B]) + where)
            assert page.status_code == 200, (path, where, page.content[:3_000])
            assert CANARY not in page.content.decode(), path
    for path in (
        "schedules/",
        "schedules/holidays/",
        "workflows/",
        "workflows/templates/",
        "catalog/",
        "catalog/note/",
    ):
        page = ops.get(f"/tasks/{path}?tenant=0")
        assert (page.status_code, f"of {A}" in page.content.decode()) == (200, False), (path, page.content[:3_000])
    assert f"nightly of {A}" in ops.get("/tasks/schedules/").content.decode()
    assert f"nightly of {A}" not in ops.get(f"/tasks/schedules/?tenant={B}").content.decode()


def test_acts_are_done_and_entered_under_roles(
    web: House, rows: dict[int, tuple[int, int]], ann: Client, ops: Client
) -> None:
    schedule, run = rows[A]
    paused = ann.post("/tasks/acts/pause-schedule/", {"schedule": schedule, "reason": "away"})
    retried = ann.get(f"/tasks/acts/retry-workflow/?workflow={run}")
    signalled = ann.post(
        "/tasks/acts/signal-workflow/", {"workflow": run, "signal": "go", "payload": "", "reason": "by phone"}
    )
    ran = ann.post("/tasks/acts/run-task/", {"task": "note", "arg.text": "x", "reason": "asked"})
    cancelled = ann.post("/tasks/acts/cancel-workflow/", {"workflow": run, "reason": "enough"})
    theirs = ops.post("/tasks/acts/cancel-workflow/", {"workflow": rows[B][1], "reason": "for everybody's sake"})
    would = ann.get(f"/tasks/acts/retry-workflow/?workflow={run}")

    assert [each.status_code for each in (paused, signalled, ran, cancelled, theirs)] == [303] * 5, paused.content[
        :2_000
    ]
    assert (retried.status_code, would.status_code) == (409, 200)
    entered = web.rows(
        "SELECT act, reason, tenant_id FROM youtility_tasks_taskauditlog WHERE actor IN ('ann', 'olga') ORDER BY id"
    )
    assert {
        ("pause schedule", "away", A),
        ("signal workflow", "by phone", A),
        ("run", "asked", A),
        ("cancel workflow", "enough", A),
    } <= {*entered}
    assert ("cancel workflow", "for everybody's sake", B) in entered
