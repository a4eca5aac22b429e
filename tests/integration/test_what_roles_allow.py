"""What a person may do, role by role and act by act, whichever way the act is called; who is no person is not asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.db import transaction
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from tests.conftest import declaring
from tests.integration import letters
from tests.integration.conftest import add
from tests.integration.desk import Desk
from youtility_tasks import (
    Retry,
    Task,
    Workflow,
    acts,
    controls,
    dead_letters,
    members,
    membership,
    operations,
    roster,
    schedules,
    submission,
    suspension,
    tenant,
    tokens,
)
from youtility_tasks.dead_letters import Letters
from youtility_tasks.errors import NotAllowed
from youtility_tasks.middleware import TenantMiddleware
from youtility_tasks.models import (
    ApiToken,
    Job,
    QueueControl,
    Redrive,
    Role,
    TaskAuditLog,
    TaskOperation,
    TenantMembership,
)
from youtility_tasks.models import Tenant as TenantRow
from youtility_tasks.operations import carrying
from youtility_tasks.schedules import holidays
from youtility_tasks.workflows import runs

ACME, OTHER = 7, 8
"""The tenants of `acme` and `other_tenant`."""
PEOPLE = ("anonymous", "none", "elsewhere", "viewer", "operator", "admin", "ops")
OPS = frozenset({"ops"})
ADMINS, OPERATORS = OPS | {"admin"}, OPS | {"admin", "operator"}
MAY = {
    **dict.fromkeys(("run", "cancel", "retry", "discard", "pause", "resume"), OPERATORS),
    **dict.fromkeys(("redrive", "stop redrive", "discard letters", "retry with other arguments"), OPERATORS),
    **dict.fromkeys(("abort", "change priority", "run now", "stop operation", "undo operation"), OPERATORS),
    **dict.fromkeys(
        ("cancel workflow", "retry workflow", "run schedule", "pause schedule", "resume schedule"), OPERATORS
    ),
    **dict.fromkeys(("limit", "rename tenant", "grant role", "revoke role"), ADMINS),
    **dict.fromkeys(("create token", "revoke token"), ADMINS),
    **dict.fromkeys(("create schedule", "change schedule", "remove schedule"), ADMINS),
    **dict.fromkeys(("add holiday", "remove holiday", "set zone"), ADMINS),
    **dict.fromkeys(("add tenant", "deactivate tenant", "weigh tenant", "suspend"), OPS),
    **dict.fromkeys(("cancel for all", "limit for all", "redrive for all", "change priority for all"), OPS),
}
"""Act -> who may do it for Acme. Written down once more, so that a slip in `membership.NEEDS` is seen."""


@pytest.fixture
def person(db: None, acme: int, other_tenant: int) -> Callable[[str], Any]:
    """`person("viewer")`: somebody with that role for Acme; "elsewhere" is an admin of the other tenant."""
    return somebody


def somebody(kind: str) -> Any:
    if kind == "anonymous":
        return AnonymousUser()
    user = User.objects.create_user(kind)
    if kind == "ops":
        user.user_permissions.add(Permission.objects.get(codename="ops", content_type__app_label="youtility_tasks"))
    elif kind == "elsewhere":
        TenantMembership.objects.create(user=user, tenant_id=OTHER, role=Role.ADMIN)
    elif kind != "none":
        TenantMembership.objects.create(user=user, tenant_id=ACME, role=kind)
    return User.objects.get(pk=user.pk)


@pytest.fixture
def do(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> Callable[[str], object]:
    """`do("retry")`: that act for Acme, with all that it needs in place; prepared by the application itself."""
    return acts_of(desk, add_task, acme)


def acts_of(desk: Desk, add_task: Task, acme: int) -> Callable[[str], object]:
    with tenant(acme):
        dead = int(add_task.enqueue().id)
        desk.finish(desk.take(), "failed")
        left = Redrive.objects.create(
            tenant_id=acme, key="left", started_by="x", total_count=1, failed_until=timezone.now()
        )
        waiting = int(add_task.enqueue(number=1).id)
        going_on, over = (operations.begin("priority", priority=2) for _ in range(2))
        carrying.carry_on(over.pk, acme)
        controls.pause(queue="reports")
        schedules.create("nightly", add_task.name, cron="0 2 * * *")
        schedules.create("halted", add_task.name, cron="0 2 * * *")
        schedules.pause("halted")
        holidays.add(date(2027, 8, 15), "Independence Day")
        run, stopped = (_flow(add_task) for _ in range(2))
        runs.cancel(stopped.id)
    User.objects.create_user("bea")
    members.grant(acme, "bea", Role.VIEWER)
    bea = User.objects.get(username="bea")
    token, _ = tokens.create(bea, "hers", tenant_id=acme)
    inside: dict[str, Callable[[], object]] = {
        "run": lambda: submission.submit(add_task, kwargs={"number": 3}),
        "cancel": lambda: acts.cancel(waiting),
        "retry": lambda: acts.retry(dead),
        "discard": lambda: acts.discard(dead),
        "redrive": lambda: dead_letters.redrive(Letters()),
        "stop redrive": lambda: dead_letters.stop(left.pk),
        "abort": lambda: operations.begin("abort"),
        "change priority": lambda: operations.begin("priority", priority=3),
        "run now": lambda: operations.begin("run now"),
        "stop operation": lambda: operations.stop(going_on.pk),
        "undo operation": lambda: operations.undo(over.pk),
        "discard letters": lambda: dead_letters.discard(Letters(), "so"),
        "retry with other arguments": lambda: dead_letters.retry(dead, {"number": 2}),
        "pause": lambda: controls.pause(queue="email"),
        "resume": lambda: controls.resume(queue="reports"),
        "limit": lambda: controls.limit(queue="email", running=2),
        "cancel workflow": lambda: runs.cancel(run.id),
        "retry workflow": lambda: runs.retry(stopped.id, "all"),
        "run schedule": lambda: schedules.run_now("nightly"),
        "pause schedule": lambda: schedules.pause("nightly"),
        "resume schedule": lambda: schedules.resume("halted"),
        "create schedule": lambda: schedules.create("weekly", add_task.name, cron="0 3 * * 1"),
        "change schedule": lambda: schedules.change("nightly", cron="0 4 * * *"),
        "remove schedule": lambda: schedules.remove("nightly"),
        "add holiday": lambda: holidays.add(date(2027, 1, 26), "Republic Day"),
        "remove holiday": lambda: holidays.remove(date(2027, 8, 15)),
        "revoke token": lambda: tokens.revoke(token.pk),
    }
    outside: dict[str, Callable[[], object]] = {
        "rename tenant": lambda: roster.rename(acme, "Acme & Sons"),
        "grant role": lambda: members.grant(acme, "bea", Role.ADMIN),
        "revoke role": lambda: members.revoke(acme, "bea"),
        "create token": lambda: tokens.create(bea, "another", tenant_id=acme),
        "add tenant": lambda: roster.add(9, "Nine"),
        "deactivate tenant": lambda: roster.deactivate(acme),
        "weigh tenant": lambda: roster.weigh(acme, 3),
        "set zone": lambda: holidays.set_zone(acme, "Asia/Kolkata"),
        "suspend": lambda: suspension.suspend(acme),
        "cancel for all": lambda: acts.cancel_many([waiting]),
        "redrive for all": lambda: dead_letters.redrive(Letters()),
        "change priority for all": lambda: operations.begin("priority", priority=3),
        "limit for all": lambda: controls.limit(queue="email", running=2),
    }

    def one(act: str) -> object:
        if act in outside:
            return outside[act]()
        with tenant(acme):
            return inside[act]()

    return one


def _flow(add_task: Task) -> Any:
    flow = Workflow("one step")
    flow.step(add_task)
    return flow.start()


def everything() -> list[object]:
    return [
        list(model.objects.order_by("pk").values())
        for model in (Job, QueueControl, TaskAuditLog, TenantMembership, TenantRow, Redrive, TaskOperation, ApiToken)
    ]


def check(who: str, act: str, person: Callable[[str], Any], do: Callable[[str], object]) -> None:
    user, before = person(who), everything()
    with membership.acting(user):
        if who in MAY[act]:
            do(act)
            assert TaskAuditLog.objects.first().actor == user.get_username()
        else:
            with pytest.raises(NotAllowed):
                do(act)
    if who not in MAY[act]:
        assert everything() == before, "it was refused, and something was done"


@pytest.fixture(scope="class")
def in_place(django_db_setup: None, django_db_blocker: Any) -> Iterator[Callable[[str], object]]:
    """`do`, put in place once for a class of tests, each of which takes back what it has done to it."""
    with django_db_blocker.unblock(), transaction.atomic(), declaring() as declare:
        for tenant_id, name in ((ACME, "Acme"), (OTHER, "Other")):
            TenantRow.objects.create(id=tenant_id, name=name)
        yield acts_of(Desk(), declare(add, retry=Retry(3)), ACME)
        transaction.set_rollback(True)


@pytest.mark.usefixtures("in_place", "db")
class TestEachAct:
    @pytest.mark.parametrize("who", PEOPLE)
    @pytest.mark.parametrize("act", MAY)
    def test_a_person_does_what_the_role_allows_and_nothing_else(self, who, act, in_place) -> None:
        check(who, act, somebody, in_place)

    @pytest.mark.parametrize("act", MAY)
    def test_an_act_that_forgets_to_ask_is_caught(self, act, in_place, monkeypatch) -> None:
        forgets = {
            "cancel for all": "cancel", "change priority for all": "change priority", "limit for all": "limit", "redrive for all": "redrive", "suspend": "deactivate tenant",
            "discard letters": "discard", "retry with other arguments": "retry",
        }.get(act, act)  # fmt: skip
        assert forgets in membership.NEEDS
        asks = membership.allow
        monkeypatch.setattr(
            membership, "allow", lambda act, tenant_id: None if act == forgets else asks(act, tenant_id)
        )
        refused = pytest.raises((AssertionError, pytest.fail.Exception))
        with refused:
            check("viewer" if act != "suspend" else "none", act, somebody, in_place)

    @pytest.mark.parametrize("act", MAY)
    def test_who_is_no_person_is_not_asked(self, act, in_place) -> None:
        """A task, a command, the application in a request that is somebody's."""
        with membership.acting(AnonymousUser()), membership.by_the_application():
            in_place(act)


def test_whoever_is_refused_reads_what_it_takes_and_what_they_have(person, do, acme) -> None:
    user = person("operator")
    with membership.acting(user), pytest.raises(NotAllowed) as refused:
        do("limit")
    assert str(refused.value) == (
        f"'limit' takes the role admin for tenant {acme}, and operator has operator; an admin of the tenant gives it."
    )
    with membership.acting(user), pytest.raises(NotAllowed, match="'cancel' for every tenant takes the permission"):
        do("cancel for all")
    assert membership.may(user, "pause", acme) and not membership.may(user, "limit", acme)


# -- a request


def asked(user: Any, view: Callable[[Any], object]) -> tuple[int, str]:
    """Through Django's own handling of exceptions, as a server would."""
    request: Any = RequestFactory().post("/")
    request.user, request.session = user, SessionStore()
    middleware = TenantMiddleware(lambda request: HttpResponse(str(view(request))))
    try:
        answer = middleware(request)
    except Exception as error:  # what `_get_response` does with what a view raises
        answer = middleware.process_exception(request, error)
        if answer is None:
            raise
    return answer.status_code, answer.content.decode()


def test_a_view_that_asks_nobody_is_bound_by_the_role_of_who_sent_the_request(person, do, acme) -> None:
    code, said = asked(person("viewer"), lambda request: do("cancel"))
    assert code == 403 and "'cancel' takes the role operator" in said

    assert asked(person("operator"), lambda request: do("cancel"))[0] == 200
    assert TaskAuditLog.objects.filter(act="cancel").get().actor == "operator"


def test_a_refusal_is_in_the_audit_log(client: Client, person, acme, settings, caplog) -> None:
    settings.ROOT_URLCONF = __name__
    client.force_login(person("viewer"))

    assert client.post("/pause/").status_code == 403

    row = TaskAuditLog.objects.get(act="refused")
    assert (row.actor, row.tenant_id) == ("viewer", acme)
    assert "'pause' takes the role operator for tenant 7" in row.target
    assert "refused by='viewer'" in caplog.text
    assert not QueueControl.objects.exists()


def pauses(request: Any) -> HttpResponse:
    controls.pause(queue="email")
    return HttpResponse()


def urls() -> list[Any]:
    from django.urls import path

    return [path("pause/", pauses), path("admin/", django_admin.site.urls)]


urlpatterns = urls()


# -- the pages of the admin, to people whom Django lets do anything there

WORDS = {"because": "so"}
LIMIT = {"queue_name": "email", "task_name": "", "tenant_id": "7", "max_running": "2", "rate_per_s": "", "burst": "1.0",
         "paused_until_0": "", "paused_until_1": "", **WORDS}  # fmt: skip
PAUSE = {**LIMIT, "max_running": "", "is_paused": "on"}
PAGES: dict[str, tuple[str, str, dict[str, str]]] = {
    "limit": ("limit", "queuecontrol/add/", LIMIT),
    "pause": ("pause", "queuecontrol/add/", PAUSE),
    "rename": ("rename tenant", "tenant/7/change/", {"name": "Neu", "weight": "1", "is_active": "on", **WORDS}),
    "weigh": ("weigh tenant", "tenant/7/change/", {"name": "Acme", "weight": "5", "is_active": "on", **WORDS}),
    "switch off": ("suspend", "tenant/7/change/", {"name": "Acme", "weight": "1", **WORDS}),
    "new tenant": ("add tenant", "tenant/add/", {"id": "9", "name": "Nine", "weight": "1", "is_active": "on", **WORDS}),
    "role": ("grant role", "tenantmembership/add/", {"tenant": "7", "user": "", "role": "admin", **WORDS}),
}


@pytest.fixture
def staff(person: Callable[[str], Any]) -> Callable[[str], Client]:
    """Somebody with every permission of Django's on the house's models, and the role."""

    def make(kind: str) -> Client:
        user = person(kind)
        user.is_staff = True
        user.save()
        user.user_permissions.add(
            *Permission.objects.filter(content_type__app_label="youtility_tasks").exclude(codename="ops")
        )
        browser = Client()
        browser.force_login(user)
        return browser

    return make


@pytest.mark.parametrize("who", ["none", "viewer", "operator", "admin", "ops"])
@pytest.mark.parametrize("page", PAGES)
def test_the_admins_pages_ask_for_the_role(who, page, staff, acme, add_task) -> None:
    act, path, words = PAGES[page]
    browser, before = staff(who), [each for each in everything()[1:]]
    if "user" in words:
        words = {**words, "user": str(User.objects.create_user("bea").pk)}

    browser.post(f"/admin/youtility_tasks/{path}", words)

    rows = list(TaskAuditLog.objects.exclude(act="refused"))
    if who in MAY[act]:
        assert [(each.act, each.actor, each.reason) for each in rows] == [
            ("deactivate tenant" if act == "suspend" else act, who, "so")
        ]
    else:
        assert rows == []
        after = everything()[1:]
        assert [after[0], *after[2:]] == [before[0], *before[2:]], "it was refused, and something was done"
        if who not in {"none"} or path.endswith("add/"):  # who may not even see the row is sent back to the list
            assert TaskAuditLog.objects.filter(act="refused").exists()


def test_who_is_switched_off_in_the_admin_has_its_jobs_cancelled(staff, acme, add_task) -> None:
    with tenant(acme):
        waiting = int(add_task.enqueue().id)

    staff("ops").post("/admin/youtility_tasks/tenant/7/change/", PAGES["switch off"][2])

    assert not Job.objects.filter(pk=waiting).exists()
    row = TenantRow.objects.get(pk=acme)
    assert (row.is_active, row.deactivated_reason) == (False, "so") and row.deactivated_at is not None


@pytest.mark.parametrize(("who", "sees"), [("none", set()), ("viewer", {7}), ("elsewhere", {8}), ("ops", {7, 8})])
def test_without_roles_of_the_database_the_lists_are_still_the_tenants_own(
    who, sees, staff, acme, other_tenant, add_task
) -> None:
    ids = {}
    for each in (acme, other_tenant):
        with tenant(each):
            ids[each] = int(add_task.enqueue().id)
    browser = staff(who)
    page = browser.get("/admin/youtility_tasks/job/").content.decode()
    assert {each for each, job_id in ids.items() if f"/job/{job_id}/change/" in page} == sees
    found = {
        each
        for each, job_id in ids.items()
        if browser.get(f"/admin/youtility_tasks/job/{job_id}/change/").status_code == 200
    }
    assert found == sees


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_the_admins_acts_on_schedules_and_runs_ask_for_the_role(who, staff, acme, add_task) -> None:
    with tenant(acme):
        schedule, run = schedules.create("nightly", add_task.name, cron="0 2 * * *"), _flow(add_task)
    browser = staff(who)

    browser.post("/admin/youtility_tasks/scheduledtask/", {"action": "run_now", "_selected_action": [str(schedule.pk)]})
    browser.post(f"/admin/youtility_tasks/taskworkflow/{run.id}/act/", {"act": "cancel", "reason": "so"})

    entered = list(TaskAuditLog.objects.filter(actor=who).order_by("pk").values_list("act", flat=True))
    assert entered == (["run schedule", "cancel workflow"] if who == "operator" else ["refused", "refused"])


@pytest.mark.parametrize("who", ["viewer", "operator"])
def test_the_admins_acts_on_dead_letters_ask_for_the_role(who, staff, desk, add_task, acme) -> None:
    again, gone, more = (letters.dead(desk, add_task, acme)[0] for _ in range(3))
    browser, page = staff(who), "/admin/youtility_tasks/job/"

    browser.post(page, {"action": "retry", "_selected_action": [str(again)]})
    browser.post(page, {"action": "discard", "_selected_action": [str(gone)], "because": ""})
    browser.post(page, {"action": "discard", "_selected_action": [str(gone)], "because": "it was sold"})
    browser.post(
        "/admin/youtility_tasks/redrive/add/", {"task_name": add_task.name, "because": "mended", "edits": "{}"}
    )

    entered = list(TaskAuditLog.objects.filter(actor=who).order_by("pk").values_list("act", "reason"))
    if who == "operator":
        assert entered == [("retry", ""), ("discard", "it was sold"), ("redrive", "mended"), ("redrive", "mended")]
        assert dict(Job.objects.values_list("pk", "status")) == {again: "todo", more: "todo"}
    else:
        assert [act for act, _ in entered] == ["refused"] * 3
        assert set(Job.objects.values_list("status", flat=True)) == {"failed"}
    shown = browser.get("/admin/youtility_tasks/redrive/").content.decode()
    assert ("field-task_name" in shown) == (who == "operator")
