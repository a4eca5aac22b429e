"""The API and the commands say the same of the same things, and neither says what is marked secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from tests.api.speaking import ACME
from youtility_tasks import Pii, Secret, Workflow, controls, dead_letters, schedules, tenant
from youtility_tasks.dead_letters import Letters
from youtility_tasks.models import TaskAuditLog
from youtility_tasks.testing import run_jobs
from youtility_tasks.workflows import templates

pytestmark = pytest.mark.django_db

SECRET, PERSON = "canary-4711", "ann@example.org"


@pytest.fixture
def manage(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What a command says as JSON, for Acme."""

    def run(*words: object) -> Any:
        capsys.readouterr()
        call_command("manage_task_queue", *map(str, words), "--tenant", str(ACME), "--json")
        return json.loads(capsys.readouterr().out)

    return run


def without(document: Any, *names: str) -> Any:
    """Less what moves between two looks."""
    if isinstance(document, dict):
        return {name: without(each, *names) for name, each in document.items() if name not in names}
    return [without(each, *names) for each in document] if isinstance(document, list) else document


def test_what_the_api_shows_is_what_the_commands_show(api, manage, enqueue, add_task, fail_task, acme):
    waits, dead = enqueue(acme, add_task, number=1), enqueue(acme, fail_task)
    run_jobs("email")
    with tenant(acme):
        dead_letters.redrive(Letters(task_name="nothing"), rate_per_s=2, reason="to see")
        controls.limit(queue="reports", running=2)
        schedules.create("nightly", "add", cron="0 2 * * *")
        flow = Workflow("one step")
        flow.step(add_task)
        templates.save(flow)
        run = flow.start()
    viewer = api("viewer")

    assert viewer.get("jobs/")["jobs"] == manage("jobs")["jobs"]
    shown, said = viewer.get(f"jobs/{dead}/"), manage("show", dead, "--args")
    assert (shown["job"], shown["attempts"]) == (said["job"], said["attempts"])
    assert viewer.get(f"jobs/{waits}/why/").json == manage("why", waits) == viewer.get(f"jobs/{waits}/")["why"]
    moves = ("at", "oldest_seconds")
    assert without(viewer.get("queues/").json, *moves) == without(manage("stats"), *moves)
    letters = manage("dead-letters")
    assert viewer.get("dead-letters/")["dead_letters"] == letters["dead_letters"] != []
    assert viewer.get("dead-letters/groups/")["groups"] == letters["groups"] != []
    assert viewer.get("dead-letters/redrives/")["redrives"] == manage("dead-letters", "redrives")["redrives"] != []
    lately = without(viewer.get("metrics/summary/", by="task").json, "since", "until", "per_second")
    assert lately == without(manage("stats", "--by", "task")["ended"], "since", "until", "per_second")
    assert lately["rows"][0]["outcomes"] == {"failed": 1}
    assert viewer.get("limits/")["controls"] == manage("limits")["controls"]
    assert viewer.get("schedules/")["schedules"] == manage("schedule")["schedules"]
    assert viewer.get("workflows/")["workflows"] == manage("workflow")["workflows"]
    assert viewer.get(f"workflows/{run.id}/").json == manage("workflow", "show", run.id)
    assert viewer.get("templates/")["templates"] == manage("workflow", "templates")["templates"]
    assert len(viewer.get("tasks/")["tasks"]) > 30


def sign(*, token: Secret[str], mail: Pii[str], number: int = 0) -> None:
    raise ValueError(f"it did not work with {token} for {mail}")


def test_marked_arguments_are_in_no_answer(api, declare, acme):
    declare(sign, name="sign", queue_name="email")
    operator = api("operator")

    made = operator.post("jobs/", task="sign", args={"token": SECRET, "mail": PERSON, "number": 3})
    wrong = operator.post("jobs/", task="sign", args={"token": SECRET, "mail": PERSON, "nmber": 3})
    twice = operator.post("jobs/", task="sign", args={"token": SECRET, "mail": PERSON}, unique=f"of {SECRET}")
    run_jobs("email")
    shown = operator.get(f"jobs/{made['job']['id']}/")
    scheduled = api("admin").post(
        "schedules/", name="n", task="sign", cron="0 2 * * *", args={"token": SECRET, "mail": PERSON}
    )
    seen = api("admin").get("schedules/")

    assert made.status == 201 and shown["job"]["args"]["number"] == 3 and shown["attempts"]
    assert (wrong.status, twice.status, scheduled.status) == (422, 422, 201)
    said = json.dumps(
        [
            each.json
            for each in (made, wrong, twice, shown, operator.get("jobs/"), scheduled, seen, api("admin").get("audit/"))
        ]
    )
    assert SECRET not in said and PERSON not in said
    assert SECRET not in json.dumps(list(TaskAuditLog.objects.values()), default=str)
