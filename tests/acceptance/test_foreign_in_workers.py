"""Tasks of a package that has never heard of us, in a real worker's child."""

from __future__ import annotations

import pytest

from tests.acceptance.crew import Crew, until

PLAIN = "tests.acceptance.app.plain"


def put(crew: Crew, name: str, *args: str) -> int:
    return crew.queue.put(f"{PLAIN}.{name}", args=list(args), kwargs={}, using={"priority": -37})


@pytest.mark.parametrize("tenant_id", [0, 7])
@pytest.mark.parametrize("name", ["tells", "tells_async"])
def test_a_child_tells_a_task_and_who_listens_all_that_is_known(shared: Crew, name: str, tenant_id: int) -> None:
    job_id = shared.queue.put(
        f"{PLAIN}.{name}", tenant_id=tenant_id, args=["w"], kwargs={}, using={"priority": -37, "backend": "gone"}
    )
    other = shared.queue.put(f"{PLAIN}.{name}", tenant_id=tenant_id, args=["w"], kwargs={}, using={"priority": -37})

    ended = [shared.queue.ending(each) for each in (job_id, other)]

    assert [each["result"] for each in ended] == [
        [1, str(job_id), "RUNNING", True, 1, 0, "default", "w"],
        [1, str(other), "RUNNING", True, 1, -37, "default", "w"],
    ]
    heard = until(lambda: len(found := of(shared, other)) >= 2 and found, why="both signals")
    assert [(each["signal"], each["sender"]) for each in heard] == [
        ("started", "ProcrastinateBackend"),
        ("finished", "ProcrastinateBackend"),
    ]
    assert heard[0]["told"] == [str(other), "RUNNING", True, 1, -37, "default"]
    assert heard[1]["told"] == [str(other), "SUCCESSFUL", True, 1, -37, "default"]
    assert (heard[1]["returned"], heard[1]["is_finished"]) == (ended[1]["result"], True)


@pytest.mark.parametrize(
    ("name", "args", "error_class"),
    [("breaks", ["why"], "builtins.LookupError"), ("returns_what_is_no_json", [], "builtins.TypeError")],
)
def test_who_listens_in_a_child_is_told_the_error(shared: Crew, name: str, args: list[str], error_class: str) -> None:
    job_id = put(shared, name, *args)

    ended = shared.queue.ending(job_id)

    assert (ended["outcome"], ended["error_class"]) == ("failed", error_class)
    heard = until(lambda: len(found := of(shared, job_id)) >= 2 and found, why="both signals")
    assert heard[1]["errors"] == [error_class]


def of(crew: Crew, job_id: int) -> list[dict[str, object]]:
    return [each for each in crew.diary("signal") if each["told"][0] == str(job_id)]
