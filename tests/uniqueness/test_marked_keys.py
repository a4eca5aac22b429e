"""Keys made of marked arguments: the same for the same value, never its value, and carried along by a new key."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.desk import rows
from tests.integration.mutants import undone
from tests.integration.test_marked_arguments import KEY_1, KEY_2, keys, send
from youtility_tasks import Debounce, Task, Unique, errors, tenant
from youtility_tasks.models import Job
from youtility_tasks.upkeep import rekey

pytestmark = pytest.mark.django_db

RULES = [
    Unique(by="token", while_="waiting"),
    Unique(by=("token", "n")),
    Unique(while_="until_done"),
    Unique(by="token", period_s=60),
    Unique(key=lambda args: f"to {args['token']}"),
    Debounce(30, by="token"),
]


def under(task: Task, rule: Unique | Debounce) -> Task:
    return task.using(debounce=rule) if isinstance(rule, Debounce) else task.using(unique=rule)


@pytest.mark.parametrize(
    "rule", RULES, ids=["while it waits", "of two", "until done", "for a period", "a function", "debounced"]
)
def test_calls_with_the_same_secret_are_one_and_no_table_shows_it(
    declare: Callable[..., Task], acme: int, rule: Unique | Debounce
) -> None:
    task = under(declare(send), rule)
    with tenant(acme):
        first = task.enqueue(token="canary-1", phone="canary-2")
        again = task.enqueue(token="canary-1", phone="canary-2")
        other = task.enqueue(token="canary-3", phone="canary-2")

    assert (again.id, again.is_new, other.is_new) == (first.id, False, True)
    stored = rows("SELECT row_to_json(j)::text FROM procrastinate_jobs j")
    stored += rows("SELECT row_to_json(k)::text FROM youtility_tasks_uniquekey k")
    assert "canary" not in repr(stored) and "canary" not in repr(again)


def test_a_key_that_would_show_a_marked_value_is_refused(declare: Callable[..., Task], acme: int) -> None:
    task = declare(send)
    rules = [Unique(key="for canary-1", while_=each) for each in ("waiting", "waiting_or_running", "until_done")]  # type: ignore[arg-type]
    for rule in (*rules, Unique(key="for canary-1", period_s=60), Debounce(30, key="for canary-1")):
        with tenant(acme), pytest.raises(errors.SecretInKey, match=r"holds the value of an argument marked \[secret\]"):
            under(task, rule).enqueue(token="canary-1")
    assert not Job.objects.exists()


def test_one_secret_has_another_key_for_each_tenant(declare: Callable[..., Task], acme: int, other_tenant: int) -> None:
    task = declare(send, unique=Unique(by="token"))
    for client in (acme, other_tenant):
        with tenant(client):
            task.enqueue(token="canary-1")

    assert len({key for (key,) in rows("SELECT unique_key FROM procrastinate_jobs")}) == 2


def test_keys_follow_when_arguments_are_sealed_anew(declare: Callable[..., Task], acme: int) -> None:
    declared = declare(send)
    for rule in RULES:
        if isinstance(rule, Unique) and rule.period_s is not None:
            continue
        with undone():
            task = under(declared, rule)
            with keys(old=KEY_1), tenant(acme):
                first = task.enqueue(token="canary-1")
            with keys(new=KEY_2, old=KEY_1), tenant(acme):
                with undone():
                    assert task.enqueue(token="canary-1").is_new, "until then the same value has two keys"
                assert rekey.rekey().count == 1
                again = task.enqueue(token="canary-1")
                assert (again.id, again.is_new) == (first.id, False), rule
