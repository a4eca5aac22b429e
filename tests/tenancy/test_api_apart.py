"""The API under real roles: the database itself keeps tenants apart, whatever the views forget to ask."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import ProgrammingError, connection, connections, transaction
from django.test import Client

from tests.api.speaking import Api
from tests.api.test_api_matrix import BODIES, MAY
from tests.tenancy.ground import A, B, House
from youtility_tasks import members, membership, registry, tenants, tokens
from youtility_tasks.api.endpoints import ENDPOINTS
from youtility_tasks.errors import ConfigurationError
from youtility_tasks.models import ApiToken, Job
from youtility_tasks.models.jobs import JobQuerySet
from youtility_tasks.tenancy import roles

pytestmark = pytest.mark.usefixtures("django_db_setup")


@pytest.fixture
def web(house: House, django_db_blocker: Any) -> Iterator[House]:
    ContentType.objects.clear_cache()
    more = {"membership_resolver": None, "allow_unsafe_database": True}
    with django_db_blocker.unblock(), house.settled(**more):
        roles.act_as("web")
        yield house
    ContentType.objects.clear_cache()


@pytest.fixture
def ann(web: House) -> Api:
    """An admin of A with a token."""
    user = User.objects.create_user("ann")
    members.grant(A, "ann", "admin")
    with tenants.tenant(A):
        _, text = tokens.create(user, "hers", tenant_id=A)
    return Api(Client(), Authorization=f"Bearer {text}")


@pytest.fixture
def ops(web: House) -> Api:
    """An operator of all with a token, which only an operator's connection can make."""
    user = User.objects.create_user("olga")
    user.user_permissions.add(Permission.objects.get(codename="ops", content_type__app_label="youtility_tasks"))
    with roles.acting("ops"):
        _, text = tokens.create(user, "hers")
    return Api(Client(), Authorization=f"Bearer {text}")


def ids(house: House, who: int) -> set[int]:
    live = house.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = %s", who)
    return {pk for (pk,) in live} | {1_000_000 + who}


def test_a_member_sees_the_tenants_rows_with_their_content_and_no_others(web: House, ann: Api) -> None:
    listed = ann.get("jobs/")
    waits = min(ids(web, A) - {1_000_000 + A})

    assert {line["id"] for line in listed["jobs"]} == ids(web, A)
    shown = ann.get(f"jobs/{waits}/")
    assert shown["job"]["args"] == {"secret": "of Acme"}
    assert registry.resolve("t") is None, "a test of this process has left a task of the ground's name"
    assert shown["why"]["because"] == "unknown_task"
    for theirs in ids(web, B):
        assert ann.get(f"jobs/{theirs}/").status == 404
    for path in (
        "queues/",
        "limits/",
        "schedules/",
        "workflows/",
        "audit/",
        "tenants/",
        "members/",
        "holidays/",
        "templates/",
        "metrics/series/",
        "metrics/summary/",
    ):
        answer = ann.get(path)
        assert answer.status == 200 and "Bolt" not in json.dumps(answer.json), path


def test_the_database_holds_where_a_view_forgets_whose_rows_it_reads(
    web: House, ann: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobQuerySet, "for_tenant", lambda self, tenant_id: self)

    assert {line["id"] for line in ann.get("jobs/", status="todo")["jobs"]} <= ids(web, A)


def test_an_operator_sees_everybodys_metadata_on_a_connection_of_the_request_alone(web: House, ops: Api) -> None:
    listed = ops.get("jobs/")

    assert {line["id"] for line in listed["jobs"]} == ids(web, A) | ids(web, B)
    for path in ("jobs/", "queues/", "limits/", "schedules/", "workflows/", "workers/", "tenants/", "metrics/summary/"):
        answer = ops.get(path)
        assert answer.status == 200 and "secret" not in json.dumps(answer.json), (path, answer.json)
    for job_id in ids(web, B):
        shown = ops.get(f"jobs/{job_id}/")
        assert shown.status == 200 and "secret" not in json.dumps(shown.json) and shown["job"]["args"] is None
    assert roles.acting_as() == "web" and connection.settings_dict["USER"] == web.login("web")
    assert Job.objects.count() == 0, "whoever is nobody sees nothing, on the connection that was there before"
    entered = web.rows(
        "SELECT count(*) FROM youtility_tasks_taskauditlog WHERE act = 'for all tenants' AND actor = 'olga (token hers)'"
    )
    assert entered[0][0] >= 8


def test_every_endpoint_answers_where_roles_keep_tenants_apart(web: House, ann: Api, ops: Api) -> None:
    (job,) = web.rows("SELECT min(id) FROM procrastinate_jobs WHERE tenant_id = 7")
    target = {
        "job_id": job[0],
        "schedule_id": 1,
        "workflow_id": 1,
        "redrive_id": 1,
        "operation_id": 1,
        "worker_id": 1,
        "queue": "email",
        "task": "send_ticket_email",
        "tenant_id": A,
        "day": "2027-08-15",
    }
    bodies = {
        **BODIES,
        "submit_job": {"task": "send_ticket_email", "args": {"id": 1}},
        "create_schedule": {"name": "n", "task": "send_ticket_email", "args": {"id": 1}, "cron": "0 2 * * *"},
        "preview_new_schedule": {"task": "send_ticket_email", "args": {"id": 1}, "cron": "0 2 * * *"},
        "revoke_role": {"user": "bea"},
        "grant_role": {"user": "bea", "role": "viewer"},
    }
    User.objects.create_user("bea")
    order = {"deactivate_tenant": 2, "grant_role": 1}
    for endpoint in sorted(ENDPOINTS, key=lambda each: order.get(each.name, 0)):
        path, method = endpoint.template.format(**target), endpoint.method.lower()
        for who, caller in (("admin", ann), ("ops", ops)):
            said = None if method == "get" else bodies.get(endpoint.name, {})
            answer = caller.get(path) if method == "get" else caller.send(method, path, said)
            assert answer.status < 500, (who, endpoint.name, answer.json)
            assert (answer.status == 403) is (who not in MAY[endpoint.name]), (who, endpoint.name, answer.json)


def test_a_tenant_reads_that_an_operator_has_looked(web: House, ops: Api, ann: Api) -> None:
    assert ops.get("jobs/", tenant=A, status="failed").status == 200
    assert ops.get("jobs/", tenant=B).status == 200

    (look,) = ann.get("audit/", act="as an operator")["acts"]
    assert (look["actor"], look["target"], look["after"]["status"]) == ("olga (token hers)", "GET jobs/", ["failed"])


def test_an_operator_keeps_the_sweeps_on_the_webs_own_connection(web: House, ops: Api, ann: Api) -> None:
    made = ops.post("schedules/?tenant=0", name="hourly", task="task_every_min", cron="0 * * * *")
    ran = ops.post(f"schedules/{made['schedule']['id']}/run/?tenant=0")

    assert (made.status, ran.status) == (201, 201), (made.json, ran.json)
    assert web.rows("SELECT tenant_id FROM procrastinate_jobs WHERE id = %s", ran["job"]["id"]) == [(0,)]
    assert [each["name"] for each in ops.get("schedules/", tenant=0)["schedules"]] == ["hourly"]
    assert ann.get("schedules/")["schedules"] == [] and ann.get("schedules/", tenant=0).status == 403


def test_an_operator_acts_for_all_and_does_not_do_what_is_a_tenants_own(web: House, ops: Api) -> None:
    (dead,) = web.rows("SELECT id FROM procrastinate_jobs WHERE tenant_id = 8 AND status = 'failed'")

    assert ops.post(f"jobs/{dead[0]}/discard/", reason="by ops").status == 200
    assert ops.post("queues/email/pause/").status == 200
    for path, said in (
        ("jobs/", {"task": "send_ticket_email", "args": {"id": 1}}),
        ("schedules/", {"name": "n", "task": "t", "cron": "* * * * *"}),
    ):
        assert ops.send("post", path, said).status == 403


def test_a_token_is_read_by_a_function_alone_and_made_for_ones_own_tenant(web: House, ann: Api) -> None:
    with pytest.raises(ProgrammingError), tenants.tenant(A):
        list(ApiToken.objects.all())  # its digest
    with tenants.tenant(A):
        assert [each.username for each in tokens.listing()] == ["ann"]
    with tenants.tenant(B):
        assert tokens.listing() == []
    with pytest.raises(ProgrammingError):
        tokens.create(User.objects.get(username="ann"), "for all")
    assert web.rows("SELECT count(*) FROM youtility_tasks_apitoken") == [(1,)]
    with tenants.no_tenant(), connection.cursor() as cursor, pytest.raises(ProgrammingError):
        cursor.execute("SELECT * FROM youtility_tasks_apiallowance")


def test_a_token_is_found_whoever_asks_and_its_person_is_entered(web: House, ann: Api) -> None:
    assert ann.post("queues/email/pause/", reason="the relay is down").status == 200
    assert ann.post("queues/email/resume/").status == 200

    acts = ann.get("audit/", act="pause")["acts"]
    assert [(each["actor"], each["tenant"], each["reason"]) for each in acts] == [
        ("ann (token hers)", A, "the relay is down")
    ]


def test_whether_all_queues_are_served_is_known_to_the_web_which_sees_no_worker(web: House) -> None:
    assert Client().get("/tasks/readyz").status_code == 503
    for n, queue in enumerate(("email", "high_priority", "maintenance", "reports")):
        web.rows(
            "INSERT INTO youtility_tasks_taskworker (id, host, pid, queue_name, status, slots, children)"
            " VALUES (%s, 'h', 1, %s, 'running', 1, '[]')", n + 1, queue,
        )  # fmt: skip

    assert Client().get("/tasks/readyz").status_code == 200


def test_the_name_of_a_capped_person_is_no_operators(web: House) -> None:
    user = User.objects.create_superuser("root")
    assert membership.is_ops(user)

    assert not membership.is_ops(membership.put_under(user, membership.Cap("t", tenant_id=A)))


def user_of_the_database() -> tuple[str | None, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_user")
        return roles.acting_as(), cursor.fetchone()[0]


def test_another_thread_stays_the_web_while_a_request_is_an_operators(web: House) -> None:
    elsewhere: list[tuple[str | None, str]] = []

    def look() -> None:
        try:
            elsewhere.append(user_of_the_database())
        finally:
            connections["default"].close()

    with roles.acting_here("ops"):
        here = user_of_the_database()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(30)

    assert here == ("ops", web.login("ops"))
    assert elsewhere == [("web", web.login("web"))] == [user_of_the_database()]


def test_a_part_is_not_taken_inside_a_transaction_nor_one_that_there_is_not(web: House) -> None:
    with (
        transaction.atomic(),
        pytest.raises(ConfigurationError, match="inside a transaction"),
        roles.acting_here("ops"),
    ):
        pass
    with pytest.raises(ConfigurationError, match="roles has no user"), roles.acting_here("nobody"):
        pass
    assert user_of_the_database() == ("web", web.login("web"))


def test_an_installation_without_an_operators_user_says_so(web: House, ops: Api, settings: Any) -> None:
    without = {part: login for part, login in web.settings["roles"].items() if part != "ops"}
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "roles": without}

    answer = ops.get("jobs/")

    assert answer.status == 403 and "roles has no user for 'ops'" in answer["detail"]
