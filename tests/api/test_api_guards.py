"""Guards of the door taken away, one by one: what each is for then goes wrong, and a test sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from tests.api.speaking import ACME, Api
from tests.integration.mutants import definition
from youtility_tasks import membership, queries, tokens
from youtility_tasks.api import callers, reading
from youtility_tasks.models import ApiToken, Job

pytestmark = pytest.mark.django_db


def session_without_its_token(api: Callable[..., Api], person: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person("operator"))
    assert Api(client).post("jobs/cancel/", ids=[1]).status == 403


def more_than_the_rate(api: Callable[..., Api], person: Any) -> None:
    caller = api("viewer")
    assert 429 in [caller.get("tasks/").status for _ in range(4)]


def smaller_role(api: Callable[..., Api], person: Any) -> None:
    assert api("admin", role="viewer").post("jobs/cancel/", ids=[1]).status == 403


def one_tenants_token(api: Callable[..., Api], person: Any) -> None:
    assert api("superuser", tenant_id=ACME).get("workers/").status == 403


def revoked(api: Callable[..., Api], person: Any) -> None:
    caller = api("viewer")
    tokens.revoke(ApiToken.objects.get().pk)
    assert caller.get("tasks/").status == 401


def expired(api: Callable[..., Api], person: Any) -> None:
    caller = api("viewer")
    ApiToken.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert caller.get("tasks/").status == 401


def too_large(api: Callable[..., Api], person: Any) -> None:
    assert (
        api("operator").raw("POST", "jobs/cancel/", b'{"ids": [1], "reason": "' + b" " * 300_000 + b'"}').status == 413
    )


def not_finite(api: Callable[..., Api], person: Any) -> None:
    assert api("operator").raw("POST", "jobs/cancel/", b'{"ids": [1e999]}').status == 400


def slow(api: Callable[..., Api], person: Any) -> None:
    assert api("viewer").get("jobs/").status == 503


SCENES = (
    session_without_its_token, more_than_the_rate, smaller_role, one_tenants_token, revoked, expired, too_large, not_finite, slow,
)  # fmt: skip


def take_away(scene: Callable[..., None], patch: pytest.MonkeyPatch) -> None:
    """The guard that the scene is about."""
    match scene.__name__:
        case "session_without_its_token":
            patch.setattr(callers, "_check_csrf", lambda request: None)
        case "more_than_the_rate":
            patch.setattr(tokens, "take", lambda who: 0.0)
        case "smaller_role" | "one_tenants_token":
            patch.setattr(membership, "_cap_of", lambda user: None)
        case "revoked":
            mutate("youtility_tasks_api_token_v1", " AND t.revoked_at IS NULL")
        case "expired":
            mutate("youtility_tasks_api_token_v1", " AND t.expires_at > clock_timestamp()")
        case "too_large":
            patch.setattr(reading, "_too_large", lambda most: None)
        case "not_finite":
            patch.setattr(reading, "_finite", float)
        case "slow":
            fetch = queries.fetch
            patch.setattr(
                queries, "fetch", lambda name, given: [] if name == "bound_transaction" else fetch(name, given)
            )


def mutate(function: str, without: str) -> None:
    text = definition(function)
    assert without in text
    with connection.cursor() as cursor:
        cursor.execute(text.replace(without, "").replace("%", "%%"))


@pytest.fixture
def narrow(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Little of everything; of time only where the scene is about it, since any statement may be slow for a moment."""
    settings.YOUTILITY_TASKS = {
        **settings.YOUTILITY_TASKS,
        "api_burst": 3, "api_rate_per_s": 0.001, "api_max_body_bytes": 100_000,
    }  # fmt: skip
    if request.node.callspec.params["scene"] is slow:
        settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "api_statement_s": 0.1}

        def sleep(*_: Any, **__: Any) -> list[Any]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.3)")
            return []

        monkeypatch.setattr("youtility_tasks.listing.jobs", sleep)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_guard_holds(scene: Callable[..., None], api: Any, person: Any, narrow: None) -> None:
    scene(api, person)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_guard_that_is_gone_is_missed(
    scene: Callable[..., None], api: Any, person: Any, narrow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(scene, monkeypatch)
    with pytest.raises(AssertionError):
        scene(api, person)


@pytest.mark.django_db(transaction=True)
def test_as_many_requests_as_the_burst_get_through_however_many_processes_ask() -> None:
    """Each on a connection of its own, all at once."""
    info = connection.get_connection_params()
    conninfo = {key: info[key] for key in ("dbname", "user", "host", "port", "password") if info.get(key)}
    waits: list[float] = []
    begin = threading.Barrier(4)

    def ask() -> None:
        with psycopg.connect(**conninfo, autocommit=True) as mine:
            begin.wait(30)
            for _ in range(25):
                cursor = mine.execute("SELECT youtility_tasks_api_take_v1('user:1', 0.0001, 37)")
                waits.append(cursor.fetchall()[0][0])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)

    assert sorted(waits)[:38].count(0.0) == 37 and len(waits) == 100
    assert min(wait for wait in waits if wait) > 9_000
    assert Job.objects.count() == 0
