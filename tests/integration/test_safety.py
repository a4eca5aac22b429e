"""On what a worker refuses to run: commits that can be lost, roles that no policy binds, another database."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from youtility_tasks import conf, queries
from youtility_tasks.checks import check_settings
from youtility_tasks.doctor import safety
from youtility_tasks.errors import CommitsCanBeLost, ConfigurationError, NoStandby, RoleTooPowerful, UnsafeDatabase

pytestmark = pytest.mark.django_db(transaction=True)


def session(**found: Any) -> safety._Session:
    good = {"pid": 1, "synchronous_commit": "on", "fsync": "on", "role": "worker", "is_superuser": False}
    return safety._Session(**{**good, "bypasses_rls": False, "database": "d", **found})


@pytest.mark.parametrize(
    ("found", "kind", "says"),
    [
        ({"synchronous_commit": "off"}, CommitsCanBeLost, "synchronous_commit = 'off'; right is 'on'.*Set synchronous_commit = on"),
        ({"fsync": "off"}, CommitsCanBeLost, "fsync = 'off'; right is 'on'.*Set fsync = on"),
        ({"is_superuser": True}, RoleTooPowerful, "role 'worker' is SUPERUSER; right is.*NOSUPERUSER"),
        ({"bypasses_rls": True}, RoleTooPowerful, "role 'worker' is BYPASSRLS; right is.*NOBYPASSRLS"),
    ],
    ids=str,
)  # fmt: skip
def test_each_weakness_is_refused_by_its_own_error(
    monkeypatch: pytest.MonkeyPatch, settings: Any, found: dict[str, Any], kind: type[UnsafeDatabase], says: str
) -> None:
    settings.YOUTILITY_TASKS = {}
    monkeypatch.setattr(safety, "_workers_way", lambda **_: (session(**found), None))

    with pytest.raises(kind, match=says):
        safety.refuse_unsafe_database()

    assert not safety.database_is_safe().ok


@pytest.mark.parametrize("commit", ["on", "local", "remote_write", "remote_apply"])
def test_a_sound_session_is_accepted_in_silence(
    monkeypatch: pytest.MonkeyPatch, settings: Any, caplog: pytest.LogCaptureFixture, commit: str
) -> None:
    settings.YOUTILITY_TASKS = {}
    monkeypatch.setattr(safety, "_workers_way", lambda **_: (session(synchronous_commit=commit), None))

    safety.refuse_unsafe_database()

    assert safety.database_is_safe().ok
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "NOT FOR PRODUCTION, the setting roles is None"
    ]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"standbys": ""}, "synchronous_standby_names = ''; right is for example 'ANY 1"),
        (
            {"standbys": "*", "synchronous_commit": "local"},
            "synchronous_commit = 'local'; right is 'on' or 'remote_apply'",
        ),
        ({"standbys": "*", "synchronous_commit": "remote_write"}, "synchronous_commit = 'remote_write'"),
    ],
    ids=str,
)
def test_who_promises_a_standby_has_one(
    monkeypatch: pytest.MonkeyPatch, settings: Any, found: dict[str, Any], says: str
) -> None:
    settings.YOUTILITY_TASKS = {"acknowledged_by": "standby"}
    monkeypatch.setattr(safety, "_workers_way", lambda **_: (session(**found), None))

    with pytest.raises(NoStandby, match=says):
        safety.refuse_unsafe_database()

    monkeypatch.setattr(safety, "_workers_way", lambda **_: (session(standbys="ANY 1 (a, b)"), None))
    safety.refuse_unsafe_database()


def test_a_real_session_is_seen_as_it_is(cluster: Any, fresh_database: Any, settings: Any) -> None:
    cluster.run("DROP ROLE IF EXISTS yt_bypass")
    cluster.run("CREATE ROLE yt_bypass LOGIN BYPASSRLS PASSWORD 'x'")
    try:
        weak = make_conninfo(fresh_database.url, user="yt_bypass", password="x", options="-c synchronous_commit=off")
        settings.YOUTILITY_TASKS = {"direct_database": weak}

        own, pooler = safety._workers_way()

        assert pooler is None
        assert (own.role, own.is_superuser, own.bypasses_rls, own.synchronous_commit) == (
            "yt_bypass",
            False,
            True,
            "off",
        )
    finally:
        cluster.run("DROP ROLE yt_bypass")


def test_a_way_around_that_leads_elsewhere_is_refused_even_in_development(fresh_database: Any, settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"direct_database": fresh_database.url, "allow_unsafe_database": True}

    with pytest.raises(UnsafeDatabase, match=r"leads to yt_.* and Django is connected to yt_"):
        safety.refuse_unsafe_database()


def test_a_pooler_in_transaction_mode_is_refused_even_in_development(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.YOUTILITY_TASKS = {"allow_unsafe_database": True}
    monkeypatch.setattr(safety, "_workers_way", lambda **_: (session(), "two connections met in session 5"))

    with pytest.raises(UnsafeDatabase, match="two connections met in session 5"):
        safety.refuse_unsafe_database()


def test_the_way_around_may_be_an_alias(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"direct_database": "default", "allow_unsafe_database": True}

    safety.refuse_unsafe_database()

    assert check_settings(None) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("defualt", "Did you mean 'default'"),
        ("host=x port", "is no DSN"),
        (5, "right is an alias of DATABASES or a DSN"),
    ],
)
def test_a_way_around_that_cannot_be_is_a_mistake_in_the_settings(settings: Any, given: Any, says: str) -> None:
    settings.YOUTILITY_TASKS = {"direct_database": given}

    (found,) = check_settings(None)

    assert found.id == "youtility_tasks.E001"
    assert says in found.msg


def test_the_switch_is_a_switch(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"allow_unsafe_database": "no"}

    with pytest.raises(ConfigurationError, match="'no'; right is True or False"):
        conf.settings()


def test_what_is_asked_first_goes_a_workers_way_and_needs_no_connection_of_its_own(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"allow_unsafe_database": True}
    seen: list[int] = []
    connection.close()

    safety.refuse_unsafe_database(first=lambda: seen.append(queries.fetch("session", {})[0][0]))

    assert len(seen) == 1
    assert connection.connection is None


def test_what_is_asked_first_may_refuse(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"allow_unsafe_database": True}

    def refuse() -> None:
        raise ConfigurationError("not set up")

    with pytest.raises(ConfigurationError, match="not set up"):
        safety.refuse_unsafe_database(first=refuse)
