"""A new key for what each tenant has in its queue, by a migrator whom row level security binds like everybody else."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connections

from tests.tenancy.ground import A, B, House
from youtility_tasks import Secret, audit, queries
from youtility_tasks.declaration import Task
from youtility_tasks.models import Job
from youtility_tasks.tenancy import owner, roles
from youtility_tasks.tenants import tenant
from youtility_tasks.upkeep import rekey

pytestmark = pytest.mark.usefixtures("django_db_setup")

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
KEYS = {"secret_keys": {"new": NEW, "old": OLD}}


def keep(*, word: Secret[str]) -> None: ...


@pytest.fixture
def sealed(house: House, declare: Callable[..., Task], django_db_blocker: Any) -> Iterator[House]:
    """Three jobs of A and two of B under the old key, and a migrator who is a member of the owner's group and nothing more."""
    migrator = f"{house.prefix}migrator"
    house.rows(f'CREATE ROLE "{migrator}" LOGIN')
    house.rows(f'GRANT "{house.group("owner")}" TO "{migrator}"')
    house.migrator = migrator
    task = declare(keep)
    with django_db_blocker.unblock():
        with house.settled(secret_keys={"old": OLD}):
            roles.act_as("web")
            for who, count in ((A, 3), (B, 2)):
                with tenant(who):
                    for n in range(count):
                        task.enqueue(word=f"word {n}")
        yield house
    house.rows(f'DROP OWNED BY "{migrator}"')
    house.rows(f'DROP ROLE "{migrator}"')


@pytest.fixture
def as_migrator(sealed: House) -> Iterator[House]:
    """This process connects as that migrator, with the new key before the old one."""
    with sealed.settled(by=sealed.url.replace("youtility@", f"{sealed.migrator}@"), **KEYS):
        roles.act_as(roles.MIGRATOR)
        yield sealed


def keys_of(house: House) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for who, key_id in house.rows(
        "SELECT tenant_id, args #>> '{word,key}' FROM procrastinate_jobs WHERE task_name = 'keep'"
    ):
        found.setdefault(who, set()).add(key_id)
    return found


def command(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("manage_task_queue", "rekey", "--json", *words, stdout=out)
    connections["default"].close()
    return dict(json.loads(out.getvalue()))


def test_every_tenants_jobs_are_sealed_anew_and_each_tenant_has_its_row_in_the_audit_log(as_migrator: House) -> None:
    assert command("--dry-run")["jobs"] == 5
    assert keys_of(as_migrator) == {A: {"old"}, B: {"old"}}
    assert as_migrator.rows("SELECT count(*) FROM youtility_tasks_taskauditlog WHERE act = 'rekey'") == [(0,)]

    document = command("--batch", "2", "--reason", "yearly")

    assert (document["ok"], document["jobs"], document["is_all"]) == (True, 5, True)
    assert keys_of(as_migrator) == {A: {"new"}, B: {"new"}}
    entered = as_migrator.rows(
        "SELECT tenant_id, act, reason, after ->> 'key', jsonb_array_length(after -> 'jobs') FROM youtility_tasks_taskauditlog"
        " WHERE act = 'rekey' ORDER BY id"
    )
    assert entered == [
        (A, "rekey", "yearly", "new", 2),
        (A, "rekey", "yearly", "new", 1),
        (B, "rekey", "yearly", "new", 2),
    ]
    assert command()["jobs"] == 0


def test_one_tenant_alone_and_no_more_than_asked_for(as_migrator: House) -> None:
    document = command("--tenant", str(A), "--limit", "2")

    assert (document["jobs"], document["is_all"]) == (2, False)
    assert keys_of(as_migrator) == {A: {"new", "old"}, B: {"old"}}
    assert command("--limit", "2")["jobs"] == 2, "the last one of A, the first of B"


def test_the_migrator_sees_one_tenant_where_he_says_so_and_nobody_elsewhere(as_migrator: House) -> None:
    assert not Job.objects.exists()
    with owner.acting(A):
        assert set(Job.objects.values_list("tenant_id", flat=True)) == {A}
        with pytest.raises(ProgrammingError, match="row-level security"):
            audit.write("rekey", "another's", tenant_id=B)
    assert not Job.objects.exists(), "and it ends with the transaction"


def forget_whose(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = queries.fetch
    monkeypatch.setattr(
        queries, "fetch", lambda name, given: fetch(name, {**given, "tenant_id": None} if given else given)
    )


def test_a_walk_that_forgets_to_ask_for_the_tenant_is_held_by_the_database(
    as_migrator: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_whose(monkeypatch)

    rekey.rekey(tenant_id=A)

    assert keys_of(as_migrator) == {A: {"new"}, B: {"old"}}


def test_and_without_the_token_it_would_not_be(as_migrator: House, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_whose(monkeypatch)
    acting = owner.acting
    monkeypatch.setattr(owner, "acting", lambda tenant_id: acting(None))
    monkeypatch.setattr(rekey, "_enter", lambda *given: None)

    rekey.rekey(tenant_id=A)

    assert keys_of(as_migrator) == {A: {"new"}, B: {"new"}}
