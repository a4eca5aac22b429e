"""Each of the 32 tasks is called as Celery's call sites call it, and stores what the call by name stores."""

from __future__ import annotations

from typing import Any

import pytest

import task_catalog.tasks  # noqa: F401 - registers the 32
from tests.catalog.adoption.estate import Estate
from tests.catalog.test_registry import ARGUMENTS, ROWS
from youtility_tasks import errors, registry, tenant
from youtility_tasks.models import Job

pytestmark = pytest.mark.django_db


def stored(call: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """What a call stores; its job is taken away again, since some tasks wait only once."""
    job = Job.objects.get(pk=call(*args, **kwargs).id)
    job.delete()
    args_of_job: dict[str, Any] = job.args
    return args_of_job


@pytest.mark.parametrize("name", ROWS)
def test_a_call_by_position_stores_the_same_arguments_as_the_call_by_name(acme: Estate, name: str) -> None:
    task, call = registry.get(name), acme.call(name)
    values = list(call.values())

    with tenant(acme.id):
        by_name = stored(task.enqueue, **call)
        by_position = stored(task.delay, *values)
        applied = stored(task.apply_async, values, countdown=5)
        half = len(values) // 2
        mixed = stored(task.apply_async, values[:half], dict(list(call.items())[half:]), expires=60)

    assert [*call] == [each.partition("=")[0] for each in ARGUMENTS[name].split()], "the call is not the catalogue's"
    assert by_name == by_position == applied == mixed == call


@pytest.mark.parametrize("name", ROWS)
def test_one_argument_too_many_is_refused_with_the_right_order(acme: Estate, name: str) -> None:
    task, call = registry.get(name), acme.call(name)

    with tenant(acme.id), pytest.raises(errors.WrongArguments, match=", ".join(call) or "none"):
        task.delay(*call.values(), "one too many")

    assert not Job.objects.exists()
