"""On the command line a tenant is named, or everybody as an operator, who sees nothing of what a tenant's work is about."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections

from tests import warm
from tests.tenancy.ground import A, B, House
from youtility_tasks.listing import JobFilter
from youtility_tasks.management.verbs import scope
from youtility_tasks.monitor import rows
from youtility_tasks.monitor.desk import Desk, Pane
from youtility_tasks.tenancy import roles

pytestmark = pytest.mark.usefixtures("django_db_setup")

Manage = Callable[..., tuple[int, Any]]


@pytest.fixture
def manage(house: House, django_db_blocker: Any) -> Iterator[Manage]:
    """`manage(*words)`: exit status, and the JSON document or, for bad usage, what was said."""

    def run(*words: str, **settings: Any) -> tuple[int, Any]:
        out, err = io.StringIO(), io.StringIO()
        with house.settled(**settings):
            roles.act_as("web")
            try:
                call_command("manage_task_queue", *words, "--json", stdout=out, stderr=err)
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
            assert roles.acting_as() == "web", "the part is put back"
            connections["default"].close()
        return code, json.loads(out.getvalue()) if out.getvalue() else err.getvalue()

    with django_db_blocker.unblock():
        yield run


def ids(document: Any, key: str = "jobs") -> set[int]:
    return {job["tenant"] for job in document[key]}


NAMED = (
    ["jobs"],
    ["dead-letters"],
    ["stats"],
    ["show", "1"],
    ["retry", "--all"],
    ["cancel", "--all"],
    ["discard", "--all"],
)


@pytest.mark.parametrize("words", NAMED, ids=lambda words: words[0])
def test_a_command_that_reads_or_changes_tenants_rows_wants_to_be_told_whose(manage: Manage, words: list[str]) -> None:
    code, said = manage(*words)

    assert code == 2
    assert "For which tenant? Give --tenant N" in said


def test_both_at_once_make_no_sense(manage: Manage) -> None:
    with pytest.raises(Exception, match="not allowed with argument"):
        manage("jobs", "--tenant", "7", "--all-tenants")


def test_a_tenant_that_is_named_is_seen_whole_and_alone(manage: Manage, house: House) -> None:
    assert ids(manage("jobs", "--tenant", "7")[1]) == {A}
    assert ids(manage("dead-letters", "--tenant", "8")[1], "dead_letters") == {B}
    (mine,) = house.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = 7 AND status = 'todo'")
    code, document = manage("show", str(mine[0]), "--tenant", "7", "--args")
    assert (code, document["job"]["args"]) == (0, {"secret": "of Acme"})
    code, document = manage("show", str(mine[0]), "--tenant", "8")
    assert (code, document["error"]["type"]) == (1, "JobNotFound")
    code, document = manage("jobs", "--tenant", "99")
    assert (code, document["error"]["message"].split(".")[0]) == (1, "No tenant has the id 99")


def test_an_operator_sees_everybody_and_no_content(manage: Manage) -> None:
    code, document = manage("jobs", "--all-tenants")
    assert (code, ids(document)) == (0, {A, B})
    assert "Acme" not in json.dumps(document) and {job["error_message"] for job in document["jobs"]} == {""}
    code, document = manage("stats", "--all-tenants")
    assert (code, sum(queue["failed"] for queue in document["queues"])) == (0, 2)


def looks_are_entered(manage: Manage, house: House) -> None:
    for words in (["jobs", "--queue", "email"], ["stats"], ["dead-letters"], ["why", "1"]):
        manage(*words, "--all-tenants")
    manage("jobs", "--tenant", "7")
    entered = house.rows(
        "SELECT act, target, tenant_id, after FROM youtility_tasks_taskauditlog WHERE act = 'for all tenants' ORDER BY id"
    )
    assert entered == [
        ("for all tenants", "jobs", None, {"queue": "email", "limit": "50"}),
        ("for all tenants", "stats", None, {}),
        ("for all tenants", "dead-letters", None, {"act": "list", "limit": "50"}),
        ("for all tenants", "why", None, {"id": "1"}),
    ]


def test_whoever_looks_at_all_tenants_is_entered(manage: Manage, house: House) -> None:
    looks_are_entered(manage, house)


def test_a_look_that_is_not_entered_is_caught(manage: Manage, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope.audit, "write", lambda *words, **more: None)
    with pytest.raises(AssertionError):
        looks_are_entered(manage, house)


def test_acts_for_one_and_for_all(manage: Manage, house: House) -> None:
    code, document = manage("cancel", "--all", "--tenant", "7")
    assert (code, ids(document, "done")) == (0, {A})
    assert house.rows("SELECT tenant_id, status::text FROM procrastinate_jobs ORDER BY 1, 2") == [
        (A, "failed"), (B, "failed"), (B, "todo"),
    ]  # fmt: skip
    (other,) = house.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = 8 AND status = 'failed'")
    code, document = manage("discard", str(other[0]), "--tenant", "7")
    assert (code, document["refused"][0]["error"]) == (1, "JobNotFound")
    code, document = manage("retry", "--all", "--all-tenants")
    assert (code, ids(document, "done")) == (0, {A, B})
    code, document = manage("retry", str(other[0]), "--all-tenants")
    assert (code, document["refused"][0]["error"]) == (1, "Refused")


def test_what_belongs_to_the_installation_is_an_operators(manage: Manage, house: House) -> None:
    assert manage("workers")[0] == 0
    code, document = manage("tenants")
    assert {each["id"] for each in document["tenants"]} == {A, B}
    assert manage("tenants", "add", "9", "Nine")[0] == 0
    assert manage("tenants", "deactivate", "9")[0] == 0
    assert house.rows("SELECT is_active FROM youtility_tasks_tenant WHERE id = 9") == [(False,)]
    house.rows("UPDATE youtility_tasks_history SET finished_at = now() - interval '900 days'")
    code, document = manage("cleanup", "--older-than", "10", "--tenant", "7")
    assert (code, document["attempts"]) == (0, 1), document
    code, document = manage("cleanup")
    assert (code, document["attempts"]) == (0, 1), document
    found = {each["name"]: each for each in manage("doctor")[1]["checks"]}
    assert found["tenants"]["ok"] and found["tenants"]["found"] == "roles, rights and policies are as planned"
    assert not [name for name, each in found.items() if "could not be looked at" in each["found"]], found


def test_roles_are_given_by_name_although_an_operator_may_not_read_who_there_is(manage: Manage, house: House) -> None:
    house.rows("INSERT INTO auth_user (id, username, password, is_superuser, is_staff, is_active, first_name, last_name, email, date_joined)"
               " VALUES (99, 'ann', '', false, false, true, '', '', '', now())")  # fmt: skip
    assert manage("tenants", "grant", "7", "ann", "--role", "admin") == (
        0,
        {"members": [{"user": "ann", "role": "admin"}]},
    )
    assert manage("tenants", "members", "8") == (0, {"members": []})
    assert manage("tenants", "weigh", "7", "--weight", "3")[0] == manage("tenants", "rename", "7", "Neu")[0] == 0
    assert house.rows("SELECT name, weight FROM youtility_tasks_tenant WHERE id = 7") == [("Neu", 3)]
    acts = house.rows("SELECT act, tenant_id FROM youtility_tasks_taskauditlog ORDER BY id DESC LIMIT 3")
    assert acts == [("rename tenant", A), ("weigh tenant", A), ("grant role", A)]


def test_jobs_are_submitted_for_the_tenant_that_is_named(manage: Manage, house: House) -> None:
    assert manage("submit", "auto_close_jobs")[0] == 0
    assert manage("submit", "auto_close_jobs", "--tenant", "8")[0] == 0
    assert house.rows("SELECT tenant_id FROM procrastinate_jobs WHERE task_name = 'auto_close_jobs' ORDER BY 1") == [
        (0,),
        (B,),
    ]
    assert house.rows("SELECT act, tenant_id FROM youtility_tasks_taskauditlog WHERE act = 'run' ORDER BY id") == [
        ("run", 0),
        ("run", B),
    ]


IN_A_SHELL = """
from youtility_tasks import registry, tenant
from youtility_tasks.models import Job
print("alone", Job.objects.count())
with tenant(7):
    print("inside", set(Job.objects.values_list("tenant_id", flat=True)))
    print("enqueued", registry.get("send_ticket_email").enqueue(id=1).status)
registry.get("auto_close_jobs").enqueue()
registry.get("send_ticket_email").enqueue(id=1)
"""


def test_a_shell_is_the_web_and_works_for_the_tenant_that_it_enters(house: House) -> None:
    env = {
        **os.environ,
        "DATABASE_URL": house.url,
        "DJANGO_SETTINGS_MODULE": "tests.tenancy.settings",
        "TEST_SETTINGS": json.dumps(house.settings),
    }
    shell = [sys.executable, "-m", "django", "shell", "-c", IN_A_SHELL]
    done = warm.run(shell, cwd=Path(__file__).resolve().parents[2], env=env, capture_output=True, text=True)

    assert "alone 0\ninside {7}\nenqueued READY" in done.stdout, done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert (
        "belongs to one tenant and none is set: wrap the call in `with tenant(id):`, or declare the task with tenant='all'"
        in said
    )
    assert house.rows(
        "SELECT tenant_id FROM procrastinate_jobs WHERE task_name IN ('send_ticket_email', 'auto_close_jobs') ORDER BY 1"
    ) == [
        (0,),
        (7,),
    ]


def test_without_an_operator_it_says_so(manage: Manage, house: House) -> None:
    few = {part: login for part, login in house.settings["roles"].items() if part in {"worker", "task", "web"}}
    code, document = manage("jobs", "--all-tenants", roles=few)
    assert (code, document["error"]["type"]) == (1, "ConfigurationError")
    assert "roles has no user for 'ops'" in document["error"]["message"]


def test_the_monitor_the_audit_and_one_task_are_a_tenants_own_or_an_operators(manage: Manage, house: House) -> None:
    for words in (["monitor", "--json"], ["audit"], ["tasks", "send_ticket_email"]):
        assert manage(*words)[0] == 2
    code, mine = manage("monitor", "--tenant", "7")
    assert (code, mine["workers"], [group["count"] for group in mine["failures"]]) == (0, None, [1])
    code, everybodys = manage("monitor", "--all-tenants")
    assert (code, sum(group["count"] for group in everybodys["failures"])) == (0, 2)
    assert "Acme" not in json.dumps(everybodys["failures"])
    assert {act["tenant"] for act in manage("audit", "--tenant", "7")[1]["acts"]} <= {A}
    assert "for all tenants" in {act["act"] for act in manage("audit", "--all-tenants")[1]["acts"]}


def test_why_a_dead_letter_stands_there_is_told_to_an_operator_without_its_words(manage: Manage, house: House) -> None:
    ((letter,),) = house.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = 7 AND status = 'failed'")

    code, document = manage("why", str(letter), "--all-tenants")

    assert (code, document["because"]) == (0, "dead_letter") and "Acme" not in document["sentence"]


def test_an_operator_tells_a_worker_with_the_rights_that_it_has(manage: Manage, house: House) -> None:
    house.rows(
        "INSERT INTO youtility_tasks_taskworker (id, host, pid, token, queue_name, status, slots, children)"
        " VALUES (14, 'north', 1, 't', 'email', 'running', 1, '[]')"
    )

    code, document = manage("workers", "quiet", "14", "--reason", "deploy")

    assert (code, document["workers"][0]["order"]) == (0, "quiet")
    assert house.rows("SELECT told, told_reason FROM youtility_tasks_taskworker") == [("quiet", "deploy")]
    assert house.rows("SELECT act, reason FROM youtility_tasks_taskauditlog ORDER BY id DESC LIMIT 1") == [
        ("quiet worker", "deploy")
    ]
    with house.connect("ops") as ops, pytest.raises(psycopg.errors.InsufficientPrivilege):
        ops.execute("UPDATE youtility_tasks_taskworker SET status = 'lost'")
    for part in ("web", "task"):
        with house.connect(part, A) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("UPDATE youtility_tasks_taskworker SET told = 'drain'")


@pytest.mark.parametrize(("tenant_id", "part"), [(A, "web"), (None, "ops")])
def test_each_pane_of_the_monitor_is_seen_as_that_part(
    manage: Manage, house: House, tenant_id: int | None, part: str
) -> None:
    async def look() -> list[str]:
        with Desk(tenant_id) as desk:
            return [rows.sums(await desk.ask(lambda pane=pane: desk.look(pane, JobFilter()))) for pane in Pane]

    with house.settled(), roles.acting(part):
        seen = asyncio.run(look())

    assert len(seen) == len(Pane) and all(f"failed {1 if tenant_id else 2}" in each for each in seen)
