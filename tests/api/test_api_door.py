"""Who gets in, how often, and what is said to those who do not: tokens, sessions, rates, bodies, a database that is away."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.urls import Resolver404, resolve

from tests.api.speaking import ACME, Api
from youtility_tasks import health, membership, queries, tokens
from youtility_tasks.errors import NotAllowed, Refused
from youtility_tasks.models import ApiAllowance, ApiToken, Job, TaskAuditLog

pytestmark = pytest.mark.django_db


# -- tokens


def test_only_a_digest_of_a_token_is_stored_and_its_making_is_entered(person):
    made, text = tokens.create(person("viewer"), "nightly report", tenant_id=ACME, days=30, reason="asked for")

    row = ApiToken.objects.values().get()
    assert row["digest"] == hashlib.sha256(text.encode()).hexdigest() and len(text) == 47
    assert text not in json.dumps(list(TaskAuditLog.objects.values()), default=str)
    entered = TaskAuditLog.objects.get(act="create token")
    assert (entered.tenant_id, entered.reason) == (ACME, "asked for")
    assert timedelta(days=29) < made.expires_at - datetime.now(UTC) <= timedelta(days=30)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTph", "Bearer ytt_short", "Bearer " + "x" * 10_000]
)
def test_what_is_no_token_opens_nothing(acme, header):
    answer = Api(Client(), Authorization=header).get("jobs/")

    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_that_was_revoked_or_has_expired_opens_nothing_from_then_on(api, person):
    caller = api("viewer")
    assert caller.get("jobs/").status == 200

    tokens.revoke(ApiToken.objects.get().pk)
    assert caller.get("jobs/").status == 401

    other = api("viewer")
    ApiToken.objects.filter(revoked_at=None).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert other.get("jobs/").status == 401


def test_a_token_of_somebody_who_left_opens_nothing(api, person):
    caller = api("viewer")
    User.objects.filter(username="viewer").update(is_active=False)

    assert caller.get("jobs/").status == 401


def test_what_its_owner_may_no_longer_a_token_may_not_either(api, person, acme):
    caller = api("operator")
    membership_before = caller.post("jobs/cancel/", ids=[1]).status
    person("operator").task_memberships.update(role="viewer")

    assert (membership_before, caller.post("jobs/cancel/", ids=[1]).status) == (200, 403)


def test_that_a_token_was_used_is_noted_once_a_minute(api):
    caller = api("viewer")
    caller.get("jobs/")
    first = ApiToken.objects.get().last_used_at
    caller.get("jobs/")
    second = ApiToken.objects.get().last_used_at
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=2))
    caller.get("jobs/")

    assert first == second
    assert ApiToken.objects.get().last_used_at > first - timedelta(minutes=2)


def test_a_token_is_made_by_an_admin_of_the_tenant_and_by_nobody_less(person):
    for who, tenant_id in (("operator", ACME), ("other_admin", ACME), ("admin", None)):
        with membership.acting(person(who)), pytest.raises(NotAllowed):
            tokens.create(person("viewer"), "t", tenant_id=tenant_id)
    assert not ApiToken.objects.exists()

    with membership.acting(person("admin")):
        made, _ = tokens.create(person("viewer"), "t", tenant_id=ACME)
        tokens.revoke(made.pk)
    with membership.acting(person("admin")), pytest.raises(Refused, match="already"):
        tokens.revoke(made.pk)


@pytest.mark.parametrize(
    "wrong", [{"name": " "}, {"name": "x" * 101}, {"role": "king"}, {"days": 0}, {"days": 9_999}, {"tenant_id": 99}]
)
def test_a_token_that_cannot_be_meant_is_refused(person, wrong):
    given: dict[str, Any] = {"name": "t", **wrong}

    with pytest.raises(Refused):
        tokens.create(person("viewer"), **given)
    assert not ApiToken.objects.exists()


def test_a_change_of_a_token_by_sql_is_entered_and_that_it_was_used_is_not(person):
    made, text = tokens.create(person("viewer"), "t")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        TaskAuditLog.objects.all().delete() if False else None
        before = TaskAuditLog.objects.count()
        tokens.find(text)
        assert TaskAuditLog.objects.count() == before
        cursor.execute("UPDATE youtility_tasks_apitoken SET role = 'admin' WHERE id = %s", [made.pk])

    assert TaskAuditLog.objects.first().act == "changed by SQL"


# -- sessions


def test_a_session_may_look_and_needs_its_csrf_token_to_change_something(person, add_task):
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("operator"))
    api = Api(client)

    assert api.get("jobs/").status == 200
    refused = api.post("jobs/", task="add")
    assert (refused.status, refused["type"].rpartition(":")[2], Job.objects.count()) == (403, "csrf", 0)

    client.cookies["csrftoken"] = "a" * 32
    assert api.send("post", "jobs/", {"task": "add"}, **{"X-CSRFToken": "a" * 32}).status == 201


def test_a_token_counts_alone_whatever_session_comes_with_it(person, api):
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("admin"))
    _, text = tokens.create(person("viewer"), "t")

    assert Api(client, Authorization=f"Bearer {text}").post("jobs/cancel/", ids=[1]).status == 403
    assert Api(client, Authorization="Bearer nonsense").get("jobs/").status == 401


# -- rates


def test_too_many_requests_are_told_when_to_come_again_and_others_are_not_kept(settings, api):
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "api_burst": 3, "api_rate_per_s": 0.001}
    busy, calm = api("viewer"), api("operator")

    statuses = [busy.get("jobs/").status for _ in range(5)]
    late = busy.get("jobs/")

    assert statuses == [200, 200, 200, 429, 429] and calm.get("jobs/").status == 200
    assert 900 < int(late.headers["Retry-After"]) <= 1_000 and "0.001 requests a second" in late["detail"]


def test_what_was_taken_comes_back_with_time(settings, api):
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "api_burst": 1, "api_rate_per_s": 0.1}
    caller = api("viewer")
    assert [caller.get("jobs/").status for _ in range(2)] == [200, 429]

    ApiAllowance.objects.update(full_at=datetime.now(UTC) - timedelta(seconds=1))

    assert caller.get("jobs/").status == 200


def test_sessions_are_counted_by_person(settings, person):
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "api_burst": 2, "api_rate_per_s": 0.001}
    statuses = []
    for _ in range(3):
        client = Client()
        client.force_login(person("viewer"))
        statuses.append(Api(client).get("jobs/").status)

    assert statuses == [200, 200, 429]


# -- what is said


DEEP = b'{"task": "add", "args": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"{", "application/json", 400, "not JSON"),
        (b"\xff\xfe", "application/json", 400, "not JSON"),
        (DEEP, "application/json", 400, "nested too deep"),
        (b'{"task": NaN}', "application/json", 400, "NaN"),
        (b'{"task": "add", "args": {"number": 1e999}}', "application/json", 400, "too large a number"),
        (b'{"task": "add", "args": {"number": ' + b"9" * 5_000 + b"}}", "application/json", 400, "5000 digits"),
        (b'{"task": "add", "task": "fail"}', "application/json", 400, "given twice"),
        (b'{"task": "a\\u0000dd"}', "application/json", 422, "NUL"),
        (b'{"task": "add", "args": {"number": "\\ud800"}}', "application/json", 422, "surrogate"),
        (b'{"task": "add", "args": {"n\\u0000": 1}}', "application/json", 422, "NUL"),
        (b"[]", "application/json", 422, "right is an object"),
        (b"task=add", "application/x-www-form-urlencoded", 415, "application/json"),
        (b'{"task": "add"}', "text/plain", 415, "application/json"),
        (b'{"reason": "' + b"x" * 1_100_000 + b'"}', "application/json", 413, "api_max_body_bytes"),
    ],
    ids=str,
)
def test_a_body_that_cannot_be_read_is_refused_with_what_would_be_right(
    api, add_task, body, content_type, status, words
):
    answer = api("operator").raw("POST", "jobs/", body, content_type)

    assert answer.status == status and words in answer["detail"], answer.json
    assert {"type", "title", "status", "detail"} <= answer.json.keys() and Job.objects.count() == 0


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=501", "limit=x", "limit=1.0", "limit=%D9%A3", "limit=" + "9" * 5_000, "limit=1&limit=2", "cursor=x",
        "cursor=MTp4", "status=lost", "since=yesterday", "since=2026-11-26", "since=2026-11-26T10:00:00", "colour=red", "tenant=0", "tenant=99999999999",
        "search=%00", "queue=", "task=" + "x" * 200,
    ],
)  # fmt: skip
def test_a_word_that_cannot_be_meant_is_refused(api, query):
    answer = api("viewer").get(f"jobs/?{query}")

    assert answer.status == 422 and answer["errors"][0]["at"].startswith("query."), answer.json


def test_a_request_of_thousands_of_words_is_refused(api):
    answer = api("viewer").get("jobs/?" + "&".join(f"a{n}=1" for n in range(2_000)))

    assert answer.status == 400 and answer["type"].endswith(":not-readable")


def test_what_is_not_there_and_what_is_not_done_there_are_problems_too(api):
    viewer = api("viewer")

    for path in (
        "",
        "nothing/",
        "jobs",
        "jobs/0/",
        "jobs/abc/",
        "jobs/99999999999999999999/",
        "jobs/%0A1/",
        "holidays/2026-13-01/",
    ):
        answer = viewer.get(path)
        assert answer.status == 404 and answer.headers["Content-Type"] == "application/problem+json", path
    answer = viewer.send("put", "jobs/")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


def test_a_database_that_does_not_answer_is_told_as_that(api, monkeypatch):
    caller = api("viewer")

    def away(*_: Any) -> Any:
        raise OperationalError("the server closed the connection\nat some address")

    monkeypatch.setattr(queries, "fetch", away)
    answer = caller.get("jobs/")

    assert answer.status == 503 and answer.headers["Retry-After"] and "address" not in json.dumps(answer.json)


def test_a_session_is_told_too_that_the_database_does_not_answer(person, monkeypatch):
    client = Client(raise_request_exception=False)
    client.force_login(person("viewer"))

    def away(*_: Any) -> Any:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.load", away)

    assert Api(client).get("jobs/").status == 503
    assert client.get("/admin/").status_code == 500, "other views are the site's own"


def test_a_statement_that_takes_too_long_is_ended(api, monkeypatch, settings):
    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "api_statement_s": 0.05}

    def slow(*_: Any, **__: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(30)")

    caller = api("viewer")
    monkeypatch.setattr("youtility_tasks.listing.jobs", slow)

    assert caller.get("jobs/").status == 503


def test_a_fault_of_ours_is_logged_and_shows_nothing(api, monkeypatch, caplog):
    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("an inner secret")

    monkeypatch.setattr("youtility_tasks.listing.jobs", broken)
    answer = api("viewer").get("jobs/")

    assert answer.status == 500 and "secret" not in json.dumps(answer.json) and "an inner secret" in caplog.text


# -- health


def test_a_process_that_answers_is_healthy_and_one_without_workers_is_not_ready(client, caplog, db):
    assert client.get("/tasks/healthz").json() == {"ok": True}
    unready = client.get("/tasks/readyz")
    assert (unready.status_code, unready.json()) == (
        503,
        {"ok": False},
    ) and "no live worker serves email" in caplog.text

    with connection.cursor() as cursor:
        for n, queue in enumerate(("email", "high_priority", "maintenance", "reports")):
            cursor.execute(
                "INSERT INTO youtility_tasks_taskworker (id, host, pid, queue_name, status, slots, children)"
                " VALUES (%s, 'h', 1, %s, 'running', 1, '[]')",
                [n + 1, queue],
            )
    assert client.get("/tasks/readyz").json() == {"ok": True}


def test_a_database_that_lacks_migrations_is_not_ready(client, monkeypatch, caplog, db):
    monkeypatch.setattr(health, "_is_migrated", False)
    monkeypatch.setattr("youtility_tasks.doctor.steps.pending", lambda: ["youtility_tasks.0099_more"])

    assert client.get("/tasks/readyz").status_code == 503 and "0099_more" in caplog.text


def test_health_is_told_to_somebody_signed_in_without_reading_who_they_are(
    client, db, django_assert_num_queries
) -> None:
    client.force_login(User.objects.create_user("somebody"))

    with django_assert_num_queries(0):
        assert client.get("/tasks/healthz").json() == {"ok": True}


def test_an_application_includes_the_urls_where_it_likes():
    assert resolve("/tasks/healthz").func is health.healthz
    with pytest.raises(Resolver404):
        resolve("/tasks/nothing")
