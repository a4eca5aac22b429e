"""Operations over HTTP: previewed, begun, followed, stopped, undone; what cannot be meant is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.conftest import acme, add_task, api, enqueue, fail_task, other_tenant, person
from tests.api.speaking import ACME, Api
from youtility_tasks.models import Job
from youtility_tasks.operations import carrying

__all__ = ["acme", "add_task", "api", "enqueue", "fail_task", "other_tenant", "person"]

pytestmark = pytest.mark.django_db


def test_an_operation_from_its_preview_to_its_undoing(api: Callable[..., Api], add_task: Any, enqueue: Any) -> None:
    caller = api("operator")
    ids = [enqueue(ACME, add_task, number=n) for n in range(3)]
    wanted = {"act": "cancel", "search": "task:add"}

    seen = caller.send("post", "operations/preview/", wanted).json
    assert (seen["count"], seen["by_task"], seen["can_be_undone"]) == (3, {"add": 3}, True)
    begun = caller.send("post", "operations/", {**wanted, "reason": "too many"})
    assert begun.status == 201
    row = begun.json["operation"]
    assert (row["status"], row["jobs"], row["tenant"], row["filter"]) == ("running", 3, ACME, {"task_names": ["add"]})

    carrying.carry_on(row["id"], ACME)
    assert not Job.objects.exists()
    assert caller.get(f"operations/{row['id']}/").json["operation"]["progress"] == 1.0
    assert caller.send("post", f"operations/{row['id']}/stop/", {}).status == 409
    undo = caller.send("post", f"operations/{row['id']}/undo/", {"reason": "after all"}).json["operation"]
    carrying.carry_on(undo["id"], ACME)
    assert set(Job.objects.values_list("pk", flat=True)) == set(ids)
    assert [each["id"] for each in caller.get("operations/").json["operations"]] == [undo["id"], row["id"]]


def test_what_cannot_be_meant_is_told(api: Callable[..., Api]) -> None:
    caller = api("operator")
    for body, status in (
        ({"act": "explode"}, 422),
        ({"act": "retry", "search": "taks:x"}, 422),
        ({"act": "retry", "search": "tenant:8"}, 409),
        ({"act": "discard"}, 409),
        ({"act": "priority"}, 409),
        ({"act": "retry", "serach": ""}, 422),
    ):
        assert caller.send("post", "operations/", body).status == status, body
    assert caller.get("operations/99/").status == 404
