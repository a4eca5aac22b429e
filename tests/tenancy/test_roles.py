"""A process connects as what it is, from its start."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection, connections, transaction

from tests.tenancy.ground import House
from youtility_tasks.errors import ConfigurationError, TenantsNotApart
from youtility_tasks.tenancy import check, guard, roles

pytestmark = pytest.mark.usefixtures("django_db_setup")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("manage.py migrate", None),
        ("manage.py --settings=project.settings migrate --fake", None),
        ("manage.py --settings project.settings --verbosity 2 setup_task_queue --check", None),
        ("youtility-tasks setup_task_queue", None),
        ("manage.py", "web"),
        ("manage.py runserver", "web"),
        ("manage.py shell migrate", "web"),
        ("gunicorn project.wsgi", "web"),
        ("manage.py -v", "web"),
    ],
)
def test_what_a_process_is_follows_from_its_command(
    shared_house: House, django_db_blocker: Any, words: str, part: str | None
) -> None:
    with django_db_blocker.unblock(), shared_house.settled():
        roles.begin(words.split())
        assert roles.acting_as() == part
        with connection.cursor() as cursor:
            cursor.execute("SELECT session_user")
            assert cursor.fetchone()[0] == ("youtility" if part is None else shared_house.login(part))


def test_without_the_setting_nobody_becomes_anybody(django_db_blocker: Any) -> None:
    before = dict(connections.databases["default"])
    roles.begin(["manage.py", "runserver"])
    assert roles.acting_as() is None
    assert dict(connections.databases["default"]) == before


def test_nobody_changes_in_a_transaction(shared_house: House, django_db_blocker: Any) -> None:
    refused = pytest.raises(ConfigurationError, match="call it where the process begins")
    with django_db_blocker.unblock(), shared_house.settled(), transaction.atomic(), refused:
        roles.act_as("web")


def test_a_part_that_has_no_user_is_told(shared_house: House, django_db_blocker: Any) -> None:
    few = {part: login for part, login in shared_house.settings["roles"].items() if part != "exporter"}
    refused = pytest.raises(ConfigurationError, match="roles has no user for 'exporter'")
    with django_db_blocker.unblock(), shared_house.settled(roles=few), refused:
        roles.act_as("exporter")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER ROLE {web} BYPASSRLS", "is BYPASSRLS"),
        ("ALTER ROLE {web} SUPERUSER", "is SUPERUSER"),
        ("GRANT {owner} TO {web}", "has the rights of"),
        ("ALTER TABLE ticket OWNER TO {web}", "owns the table ticket"),
        ("ALTER TABLE ticket DISABLE ROW LEVEL SECURITY", "ticket has no row level security"),
        ("ALTER TABLE youtility_tasks_taskeffect NO FORCE ROW LEVEL SECURITY", "does not bind its owner"),
    ],
)
def test_the_web_does_not_connect_where_no_policy_would_bind_it(
    house: House, django_db_blocker: Any, statement: str, told: str
) -> None:
    house.rows(statement.format(web=house.login("web"), owner=house.group("owner")))
    with django_db_blocker.unblock(), house.settled():
        roles.act_as("web")
        for _ in range(2):
            with pytest.raises(TenantsNotApart, match=told), connection.cursor():
                pass
            assert connection.connection is None
    house.rows("ALTER TABLE ticket OWNER TO youtility")


def test_it_looks_once_a_process(shared_house: House, django_db_blocker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    voids = check.voids
    monkeypatch.setattr(check, "voids", lambda: looks.append(1) or voids())
    monkeypatch.setattr(guard, "_looked_at", set())
    with django_db_blocker.unblock(), shared_house.settled():
        roles.act_as("web")
        for _ in range(3):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            connection.close()
    assert len(looks) == 1
