"""Dead letters over HTTP: grouped, listed, redriven, discarded; what is past its retention, and what the doctor finds."""

from __future__ import annotations

import functools
import itertools
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.api.speaking import ACME, OTHER, Api
from youtility_tasks import dead_letters, tenant
from youtility_tasks.dead_letters import Letters
from youtility_tasks.models import Job, Redrive, TaskAuditLog, TaskExecutionHistory
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db
PATH = "dead-letters/"


def grumble(*, number: int = 0) -> None:
    raise LookupError(f"there is no such thing as {number}")


@pytest.fixture
def letters(enqueue: Any, declare: Any, fail_task: Any, acme: int, other_tenant: int) -> dict[str, list[int]]:
    """Of Acme three that failed and two that grumbled, of the other tenant one that failed."""
    grumbles = declare(grumble, name="grumble", queue_name="reports")
    made = {
        "fail": [enqueue(acme, fail_task, number=n) for n in range(3)],
        "grumble": [enqueue(acme, grumbles, number=n) for n in range(2)],
        "other": [enqueue(other_tenant, fail_task)],
    }
    for _ in range(5):
        Job.objects.filter(status="todo").update(scheduled_at=None)
        run_jobs()
    assert Job.objects.filter(status="failed").count() == 6
    return made


def ids(answer: Any) -> list[int]:
    return [each["id"] for each in answer["dead_letters"]]


def status(*job_ids: int) -> list[str]:
    found = dict(Job.objects.filter(pk__in=job_ids).values_list("pk", "status"))
    return [found.get(job_id, "gone") for job_id in job_ids]


# -- looking


def test_letters_come_in_groups_and_one_by_one(api: Any, letters: dict[str, list[int]]) -> None:
    viewer = api("viewer")

    groups = viewer.get(f"{PATH}groups/")
    first = viewer.get(f"{PATH}groups/", limit=1)
    fingerprint = groups["groups"][1]["fingerprint"]

    assert [(each["task"], each["count"], each["tenants"]) for each in groups["groups"]] == [
        ("fail", 3, 1),
        ("grumble", 2, 1),
    ]
    assert groups["groups"][1]["example"]["job"] == letters["grumble"][-1]
    assert "no such thing as 1" in groups["groups"][1]["example"]["error_message"]
    assert (len(first["groups"]), first["has_more"], groups["has_more"]) == (1, True, False)
    assert ids(viewer.get(PATH)) == sorted([*letters["fail"], *letters["grumble"]], reverse=True)
    assert ids(viewer.get(PATH, fingerprint=fingerprint)) == letters["grumble"][::-1]
    assert ids(viewer.get(PATH, task="fail", queue="email")) == letters["fail"][::-1]
    assert ids(viewer.get(PATH, since=(timezone.now() + timedelta(hours=1)).isoformat())) == []
    assert ids(api("other_admin").get(PATH)) == letters["other"]
    assert sum(each["count"] for each in api("ops").get(f"{PATH}groups/")["groups"]) == 6


def test_letters_come_by_pages(api: Any, letters: dict[str, list[int]]) -> None:
    viewer, found, cursor = api("viewer"), [], None
    while True:
        page = viewer.get(PATH, limit=2, **({"cursor": cursor} if cursor else {}))
        found += ids(page)
        cursor = page["next"]
        if cursor is None:
            break

    assert found == sorted([*letters["fail"], *letters["grumble"]], reverse=True)


@pytest.mark.parametrize(
    "query", [{"fingerprint": "x"}, {"since": "yesterday"}, {"limit": 0}, {"task": ""}, {"status": "todo"}]
)
def test_a_filter_that_cannot_be_meant_is_refused(api: Any, acme: int, query: dict[str, Any]) -> None:
    assert api("viewer").get(PATH, **query).status == 422


# -- redriving


def test_a_redrive_moves_the_chosen_letters_of_the_tenant_alone(api: Any, letters: dict[str, list[int]]) -> None:
    operator = api("operator")

    would = operator.post(f"{PATH}redrives/preview/", task="fail", rate_per_s=2)
    made = operator.post(f"{PATH}redrives/", task="fail", rate_per_s=2, reason="the server is back")

    row = made["redrive"]
    assert (would["letters"], made.status) == (3, 201)
    assert (row["status"], row["letters"], row["done"], row["refused_count"]) == ("ended", 3, 3, 0)
    assert (row["tenant"], row["filter"]["task"], row["rate_per_s"], row["set"]) == (ACME, "fail", 2, [])
    assert (row["started_by"], row["reason"]) == ("operator (token test)", "the server is back")
    due = [each.scheduled_at for each in Job.objects.filter(pk__in=letters["fail"]).order_by("pk")]
    assert [(b - a).total_seconds() for a, b in itertools.pairwise(due)] == [0.5, 0.5]
    assert status(*letters["grumble"], *letters["other"]) == ["failed"] * 3
    assert operator.get(f"{PATH}redrives/{row['id']}/")["redrive"] == row
    assert [each["id"] for each in operator.get(f"{PATH}redrives/")["redrives"]] == [row["id"]]
    assert TaskAuditLog.objects.get(act="redrive", target=f"redrive {row['id']}").tenant_id == ACME


def test_a_redrive_gives_arguments_anew_and_tells_their_names(api: Any, letters: dict[str, list[int]]) -> None:
    operator = api("operator")

    made = operator.post(f"{PATH}redrives/", task="grumble", set={"number": 9})

    assert (made["redrive"]["set"], made["redrive"]["done"]) == (["number"], 2)
    assert {job.args["number"] for job in Job.objects.filter(pk__in=letters["grumble"])} == {9}


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ({}, 422, "Which letters"),
        ({"task": "fail", "all": True}, 422, "not both"),
        ({"task": "fail", "rate_per_s": 0}, 422, "rate_per_s"),
        ({"task": "fail", "set": {"nmber": 1}}, 422, "takes no argument 'nmber'"),
        ({"queue": "email", "set": {"number": 1}}, 409, "name the task"),
        ({"task": "fail", "after": 3}, 422, "after"),
    ],
)
def test_a_redrive_that_cannot_be_meant_moves_nothing(
    api: Any, letters: dict[str, list[int]], said: dict[str, Any], code: int, words: str
) -> None:
    for path in (f"{PATH}redrives/", f"{PATH}redrives/preview/"):
        answer = api("operator").post(path, **said)
        assert (answer.status, words in answer["detail"]) == (code, True), answer.json
    assert set(status(*letters["fail"])) == {"failed"} and not Redrive.objects.exists()


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request's time is over with its first letter."""
    monkeypatch.setattr("youtility_tasks.api.dead_letters.SECONDS_OF_A_REQUEST", 0)
    for name in ("redrive", "go_on"):
        monkeypatch.setattr(dead_letters, name, functools.partial(getattr(dead_letters, name), batch=1))


def test_a_redrive_that_takes_longer_than_a_request_goes_on_by_the_next(
    api: Any, letters: dict[str, list[int]], slowly: None
) -> None:
    operator = api("operator")
    begun = operator.post(f"{PATH}redrives/", task="fail")["redrive"]
    path = f"{PATH}redrives/{begun['id']}/"

    seen = [begun, *(operator.post(f"{path}resume/")["redrive"] for _ in range(2)), operator.get(path)["redrive"]]
    over = operator.post(f"{path}resume/")["redrive"]

    assert [each["done"] for each in seen] == [1, 2, 3, 3]
    assert {each["status"] for each in seen} == {"unfinished"}
    assert (over["status"], over["done"], set(status(*letters["fail"]))) == ("ended", 3, {"todo"})


def test_the_same_again_goes_on_with_it(api: Any, letters: dict[str, list[int]], slowly: None) -> None:
    operator = api("operator")

    begun, again = (operator.post(f"{PATH}redrives/", task="fail")["redrive"] for _ in range(2))

    assert (again["id"], begun["done"], again["done"]) == (begun["id"], 1, 2)


def test_a_redrive_is_stopped_and_moves_no_more(api: Any, letters: dict[str, list[int]], slowly: None) -> None:
    operator = api("operator")
    path = f"{PATH}redrives/{operator.post(f'{PATH}redrives/', task='fail')['redrive']['id']}/"

    stopped = operator.post(f"{path}stop/", reason="enough")
    again = operator.post(f"{path}stop/")
    resumed = operator.post(f"{path}resume/")

    assert (stopped["redrive"]["status"], again.status, resumed["redrive"]["done"]) == ("stopped", 409, 1)
    assert status(*letters["fail"]) == ["todo", "failed", "failed"]
    assert TaskAuditLog.objects.get(act="stop redrive").reason == "enough"


def test_anothers_redrive_is_none(api: Any, letters: dict[str, list[int]]) -> None:
    with tenant(OTHER):
        theirs = dead_letters.redrive(Letters(task_name="fail"), batch=1, most_s=0)
    operator = api("operator")

    assert operator.get(f"{PATH}redrives/")["redrives"] == []
    for answer in (
        operator.get(f"{PATH}redrives/{theirs.pk}/"),
        operator.post(f"{PATH}redrives/{theirs.pk}/resume/"),
        operator.post(f"{PATH}redrives/{theirs.pk}/stop/"),
    ):
        assert (answer.status, answer["type"].rpartition(":")[2]) == (404, "redrive-not-found")


def test_redrives_come_by_pages(api: Any, acme: int) -> None:
    with tenant(ACME):
        made = [dead_letters.redrive(Letters(task_name=f"t{n}")).pk for n in range(3)]
    viewer = api("viewer")

    first = viewer.get(f"{PATH}redrives/", limit=2)
    second = viewer.get(f"{PATH}redrives/", limit=2, cursor=first["next"])

    assert [each["id"] for page in (first, second) for each in page["redrives"]] == made[::-1]
    assert second["next"] is None


def test_an_operator_of_all_redrives_without_arguments(api: Any, letters: dict[str, list[int]]) -> None:
    ops = api("ops")

    refused = ops.post(f"{PATH}redrives/?tenant={ACME}", task="fail", set={"number": 1})
    made = ops.post(f"{PATH}redrives/", task="fail")

    assert (refused.status, made["redrive"]["tenant"], made["redrive"]["done"]) == (403, None, 4)
    assert {job.args.get("number", 0) for job in Job.objects.filter(pk__in=letters["fail"])} == {0, 1, 2}


def test_a_single_letter_gets_other_arguments(api: Any, letters: dict[str, list[int]]) -> None:
    operator, (first, second, _) = api("operator"), letters["fail"]

    wrong = operator.post(f"jobs/{first}/retry/", set={"nmber": 1})
    right = operator.post(f"jobs/{first}/retry/", set={"number": 7}, reason="it was a slip")
    as_it_is = operator.post(f"jobs/{second}/retry/", reason="as it is")

    assert (wrong.status, right["job"]["becomes"], as_it_is["job"]["becomes"]) == (422, "todo", "todo")
    assert [Job.objects.get(pk=each).args["number"] for each in (first, second)] == [7, 1]
    assert api("ops").post(f"jobs/{letters['fail'][2]}/retry/", set={"number": 7}).status == 403
    operator.post("jobs/retry/", ids=letters["grumble"], reason="all of them")
    said = TaskAuditLog.objects.filter(act="retry").order_by("pk").values_list("reason", flat=True)
    assert list(said) == ["it was a slip", "as it is", "all of them"]


# -- discarding


def test_letters_are_discarded_with_a_reason_until_there_are_no_more(api: Any, letters: dict[str, list[int]]) -> None:
    operator = api("operator")

    would = operator.post(f"{PATH}discard/preview/", task="fail")
    first = operator.post(f"{PATH}discard/", task="fail", most=2, reason="of a test")
    second = operator.post(f"{PATH}discard/", task="fail", most=2, reason="of a test")

    assert would["letters"] == 3
    assert ([each["id"] for each in first["done"]], first["has_more"]) == (letters["fail"][:2], True)
    assert ([each["id"] for each in second["done"]], second["has_more"]) == (letters["fail"][2:], False)
    assert status(*letters["fail"]) == ["gone"] * 3 and set(status(*letters["grumble"])) == {"failed"}
    assert status(*letters["other"]) == ["failed"]
    assert TaskAuditLog.objects.filter(act="discard", reason="of a test", tenant_id=ACME).count() == 2


@pytest.mark.parametrize("said", [{"task": "fail"}, {"task": "fail", "reason": " "}, {"reason": "why not"}])
def test_nothing_is_discarded_without_reason_or_choice(
    api: Any, letters: dict[str, list[int]], said: dict[str, Any]
) -> None:
    assert api("operator").post(f"{PATH}discard/", **said).status == 422
    assert set(status(*letters["fail"])) == {"failed"}


# -- the installation


def test_what_is_past_its_retention_is_shown_to_operators_and_stays(api: Any, letters: dict[str, list[int]]) -> None:
    Job.objects.filter(pk__in=letters["fail"]).delete()
    old = TaskExecutionHistory.objects.filter(job_id__in=letters["fail"])
    old.update(finished_at=timezone.now() - timedelta(days=400))
    ops: Api = api("ops")

    shown = ops.get("cleanup/")

    assert (shown["dry_run"], shown["attempts"], shown["attempts_by_outcome"]) == (True, 3, {"failed": 3})
    assert (shown["kept_days"], shown["redrives"]) == (365, 0)
    assert ops.get("cleanup/", older_than=500)["attempts"] == 0
    assert ops.get("cleanup/", tenant=OTHER)["attempts"] == 0
    assert old.count() == 3
    assert api("admin").get("cleanup/").status == 403


def test_the_doctor_is_asked_by_operators(api: Any, acme: int) -> None:
    found = api("ops").get("doctor/")

    names = {each["name"] for each in found["checks"]}
    assert {"database", "schema", "workers", "dead letters"} <= names
    assert "declared schedules" not in names, "it lets the whole process be another user"
    assert found["ok"] == all(each["ok"] for each in found["checks"])
    assert not next(each for each in found["checks"] if each["name"] == "workers")["ok"]
    assert api("admin").get("doctor/").status == 403
