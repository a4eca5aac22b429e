"""Settings are read once, and a mistake in them is an error that says what would be right."""

from __future__ import annotations

import ast
import inspect
import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests import warm
from youtility_tasks import conf, queues
from youtility_tasks.checks import check_settings
from youtility_tasks.errors import ConfigurationError, UnknownQueue

ROOT = Path(__file__).resolve().parents[2]


def nothing() -> None:
    return None


def test_the_defaults_keep_what_the_design_promises() -> None:
    default = conf.Settings()

    assert (default.lease_s, default.heartbeat_interval_s, default.statement_deadline_s) == (10, 3, 5)
    assert (default.max_args_bytes, default.max_crashes) == (256 * 1024, 3)
    # A host that is gone is rescued within 15 s: its lease, and at most one more look.
    assert default.lease_s + default.rescue_interval_s <= 15


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        conf.Settings().lease_s = 1  # type: ignore[misc]


def test_an_unknown_key_is_refused_with_the_nearest_one(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"lease_seconds": 5}

    with pytest.raises(ConfigurationError, match=r"no key 'lease_seconds'; known: .*lease_s, .*Did you mean 'lease_s'"):
        conf.settings()


def test_a_change_in_the_settings_is_seen(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"max_crashes": 7}
    assert conf.settings().max_crashes == 7

    settings.YOUTILITY_TASKS = {}
    assert conf.settings().max_crashes == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"lease_s": 5, "heartbeat_interval_s": 3}, "a lease must outlast three heartbeats"),
        ({"lease_s": "10"}, "lease_s is '10'; right is"),
        ({"max_crashes": 2.5}, "max_crashes is 2.5; right is"),
        ({"max_crashes": 0}, "max_crashes is 0; right is"),
        ({"poll_interval_s": 0}, "poll_interval_s is 0; right is"),
        ({"heartbeat_interval_s": -1}, "heartbeat_interval_s is -1; right is"),
        ({"statement_deadline_s": float("nan")}, "statement_deadline_s is nan; right is"),
        ({"claim_batch": True}, "claim_batch is True; right is"),
        ({"history_retention_days": 0}, "history_retention_days is 0; right is"),
        ({"retention_days_by_outcome": {"succeded": 3}}, "has the key 'succeded'; known: .*Did you mean 'succeeded'"),
        ({"retention_days_by_outcome": {"succeeded": 0}}, r"retention_days_by_outcome\['succeeded'\] is 0; right is"),
        ({"retention_days_by_task": {"heartbeat": "3"}}, r"retention_days_by_task\['heartbeat'\] is '3'; right is"),
        ({"retention_days_by_task": {7: 3}}, "has the key 7; right is a name"),
        ({"retention_days_by_task": 30}, "retention_days_by_task is 30; right is a dict"),
        (["lease_s"], r"YOUTILITY_TASKS is \['lease_s'\]; right is a dict"),
        (None, "YOUTILITY_TASKS is None; right is a dict"),
        ({"database": None}, "database is None; right is an alias"),
        ({"roles": "tq"}, "roles is of type str; right is {'worker'"),
        ({"roles": {"web": {"USER": "a"}}}, "roles lacks worker, task; right is"),
        ({"roles": {"wep": {"USER": "a"}}}, "roles has the key 'wep'; known: .*Did you mean 'web'"),
        (
            {"roles": {"web": {"USER": "a", "HOST": "b"}}},
            r"roles\['web'\] has \['HOST', 'USER'\]; right are USER and PASSWORD",
        ),
        ({"roles": {"web": {}}}, r"roles\['web'\] has no keys"),
        (
            {"roles": {part: {"USER": "a"} for part in ("worker", "task", "web")}},
            "names the users .*; right is another one for each",
        ),
        ({"role_prefix": "Tq-"}, "role_prefix is 'Tq-'; right are small letters"),
        ({"tenant_key": "short"}, "tenant_key is no text of at least 32 characters"),
        ({"tenant_tables": ["ticket"]}, r"tenant_tables is \['ticket'\]; right is a dict"),
        ({"shared_tables": "auth_user"}, "shared_tables is 'auth_user'; right is a list of names"),
        ({"token_s": 0}, "token_s is 0; right is"),
    ],
    ids=repr,
)
def test_a_value_that_cannot_work_is_refused(settings: Any, given: dict[str, Any], says: str) -> None:
    settings.YOUTILITY_TASKS = given

    with pytest.raises(ConfigurationError, match=says):
        conf.settings()


def test_waits_and_graces_may_be_nothing(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"retry_delay_factor": 0, "shutdown_grace_s": 0, "abort_grace_s": 0}

    assert conf.settings().retry_delay_factor == 0


def test_the_system_check_reports_a_mistake_instead_of_raising(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"leese_s": 5}

    (found,) = check_settings(None)

    assert found.id == "youtility_tasks.E001"
    assert "leese_s" in found.msg


def test_a_project_that_declares_tasks_is_told_its_mistake_by_check_and_not_by_an_import() -> None:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.acceptance.settings",
        "DATABASE_URL": "postgresql://x@127.0.0.1:1/x",
        "TEST_SETTINGS": '{"leese_s": 5}',
    }

    for words in (["check"], ["run_postgresql_worker"]):
        ran = warm.run([sys.executable, "-m", "django", *words], cwd=ROOT, env=env, capture_output=True, text=True)

        assert ran.returncode == 1
        assert "(youtility_tasks.E001) YOUTILITY_TASKS has no key 'leese_s'; known: " in ran.stderr
        assert "HINT: Correct the dict YOUTILITY_TASKS" in ran.stderr
        assert "Traceback" not in ran.stderr


def test_a_task_may_be_declared_under_wrong_settings_and_not_enqueued(
    settings: Any, declare: Callable[..., Any]
) -> None:
    settings.YOUTILITY_TASKS = {"leese_s": 5}
    declared = declare(nothing, tenant="all")

    with pytest.raises(ConfigurationError, match="no key 'leese_s'"):
        declared.enqueue()


def test_the_bundled_project_has_no_mistakes() -> None:
    assert check_settings(None) == []


def test_a_database_that_is_not_postgresql_is_reported(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.sqlite3")

    assert [found.id for found in check_settings(None)] == ["youtility_tasks.E002"]


def test_a_retention_for_a_task_that_nobody_declares_is_a_warning(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"retention_days_by_task": {"send_ticket_emial": 30}}

    (found,) = check_settings(None)

    assert (found.id, found.level) == ("youtility_tasks.W001", 30)
    assert "Did you mean 'send_ticket_email'?" in str(found.hint)


def test_postgis_is_postgresql(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    base = ModuleType("postgis.base")
    base.DatabaseWrapper = type("DatabaseWrapper", (), {"vendor": "postgresql"})  # type: ignore[attr-defined]
    for module in (ModuleType("postgis"), base):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "postgis")

    assert check_settings(None) == []


def test_an_alias_that_does_not_exist_is_reported_as_such(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"database": "queue"}

    (found,) = check_settings(None)

    assert (found.id, found.msg) == ("youtility_tasks.E002", "DATABASES has no alias 'queue'; known: default.")


def test_every_setting_says_what_it_is() -> None:
    tree = ast.parse(inspect.getsource(conf))
    (settings_class,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Settings"]
    body = settings_class.body
    explained = {
        node.target.id
        for node, after in itertools.pairwise(body)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(after, ast.Expr)
        and isinstance(after.value, ast.Constant)
    }

    assert {field.name for field in fields(conf.Settings)} == explained


# -- queues


def test_there_are_four_queues_with_room_for_more_than_one_job_each() -> None:
    known = queues.configured()

    assert set(known) == {"high_priority", "email", "reports", "maintenance"}
    assert {name: shape.slots for name, shape in known.items()} == {
        "high_priority": 4,
        "email": 4,
        "reports": 2,
        "maintenance": 3,
    }


def test_a_project_may_name_its_own_queues(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"queues": {"faces-gpu.1": {"processes": 3, "threads": 2}, "slow": {}}}

    known = queues.configured()

    assert known["faces-gpu.1"].slots == 6
    assert set(known) == {"faces-gpu.1", "slow"}
    with pytest.raises(UnknownQueue, match=r"'email'; known: faces-gpu\.1, slow"):
        queues.check("send_ticket_email", "email")


@pytest.mark.parametrize(
    "name", ["", "x" * 41, "Email", "é", "a b", "a\nb", "a'b", 'a"b', "../etc", "a;b", "a#b", "a\0", "email\n"]
)
def test_a_name_that_a_notification_could_not_carry_is_refused(settings: Any, name: str) -> None:
    settings.YOUTILITY_TASKS = {"queues": {name: {"processes": 1}}}

    with pytest.raises(ConfigurationError, match="1 to 40 of a-z, 0-9"):
        queues.configured()


@pytest.mark.parametrize(
    "numbers",
    [{"processes": 0}, {"threads": 0}, {"threads": -1}, {"workers": 2}, {"threads": 1.5}, {"threads": "2"}, 4, None],
    ids=repr,
)
def test_a_shape_that_cannot_work_is_refused(settings: Any, numbers: Any) -> None:
    settings.YOUTILITY_TASKS = {"queues": {"email": numbers}}

    with pytest.raises(ConfigurationError, match=r"YOUTILITY_TASKS\['queues'\]\['email'\]"):
        queues.configured()


@pytest.mark.parametrize("given", [["email"], "email", {7: {}}], ids=repr)
def test_queues_that_are_no_dict_of_names_are_refused(settings: Any, given: Any) -> None:
    settings.YOUTILITY_TASKS = {"queues": given}

    with pytest.raises(ConfigurationError, match=r"YOUTILITY_TASKS\['queues'\]"):
        queues.configured()


def test_a_password_of_a_role_is_in_no_error(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"roles": {"web": {"USER": "a", "PASSWORD": "hush", "HOST": "hush"}, "task": 7}}

    with pytest.raises(ConfigurationError) as refusal:
        conf.settings()

    assert "hush" not in str(refusal.value)
