"""The pages of workflows, without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.console.conftest import MOST, Pages
from youtility_tasks import Run, Task, Workflow, membership, schedules, tenant
from youtility_tasks.errors import NotAllowed
from youtility_tasks.models import ScheduledTask, TaskAuditLog, WorkflowSignal
from youtility_tasks.testing import run_jobs
from youtility_tasks.workflows import looking, templates
from youtility_tasks.workflows.graph import FAILURE
from youtility_tasks.workflows.runs import RetryMode


def _flow(add: Task, fail: Task | None = None) -> Workflow:
    flow = Workflow("report", deadline=timedelta(hours=2))
    made = flow.step(add, name="make")
    asked = flow.signal("approve", after=made)
    flow.step(fail or add, name="send </script><b>x</b>", after=asked)
    flow.step(add, name="undo", after={made: FAILURE})
    return flow


@pytest.fixture
def run(acme: int, add_task: Task) -> Run:
    """It waits for its signal."""
    with tenant(acme):
        started = _flow(add_task).start({"canary": "tenant's own"})
        run_jobs()
    return started


def test_the_list_counts_steps_and_shows_one_tenants_runs(
    pages: Callable[[str], Pages], run: Run, other_tenant: int, add_task: Task
) -> None:
    with tenant(other_tenant):
        Workflow("of others").chain(add_task)[0].flow.start()

    viewer = pages("viewer").get("workflows/")
    ops = pages("ops").get("workflows/")

    assert [line["row"].name for line in viewer.context["lines"]] == ["report"]
    assert viewer.context["lines"][0]["words"] == "1 succeeded, 1 skipped, 1 waiting, 1 blocked"
    assert [line["row"].name for line in ops.context["lines"]] == ["of others", "report"]
    assert pages("viewer").get("workflows/", status="failed").context["lines"] == []
    assert len(pages("viewer").get("workflows/", status="running", name="report").context["lines"]) == 1
    assert pages("viewer").get("workflows/", status="runing").status_code == 422


def test_pages_of_runs_go_on_where_the_last_one_ended(
    pages: Callable[[str], Pages], acme: int, add_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("youtility_tasks.console.workflows._PAGE", 2)
    flow = Workflow("one")
    flow.step(add_task)
    with tenant(acme):
        ids = [flow.start().id for _ in range(5)]
    seen: list[int] = []
    before: int | None = None
    for _ in range(3):
        page = pages("viewer").get("workflows/", **({"before": before} if before else {}))
        seen += [line["row"].pk for line in page.context["lines"]]
        before = page.context["following"]

    assert seen == sorted(ids, reverse=True)
    assert before is None


def test_a_run_says_what_it_waits_for_and_hostile_names_are_text(pages: Callable[[str], Pages], run: Run) -> None:
    page = pages("operator").get(f"workflows/{run.id}/")

    assert "nobody has sent it" in page.content.decode()
    assert b"</script><b>" not in page.content
    assert next(each["name"] for each in page.context["picture"]["nodes"]) == "make"
    assert "tenant&#x27;s own" in page.content.decode()
    ops = pages("ops").get(f"workflows/{run.id}/")
    assert ops.status_code == 200
    assert "own&quot;" not in ops.content.decode()


def test_the_states_are_one_small_answer(pages: Callable[[str], Pages], run: Run) -> None:
    viewer = pages("viewer")
    token = _token(viewer, run)

    with CaptureQueriesContext(connection) as captured:
        page = viewer.get("live/workflow/", since="2001-01-01T00:00:00", token=token)

    assert len(captured.captured_queries) == 1
    told = json.loads(page.content)
    assert told["status"] == "running"
    assert sorted(each["status"] for each in told["moved"]) == ["skipped", "succeeded", "waiting"]
    assert page["Content-Type"] == "application/json"


def test_the_token_of_the_states_is_for_its_session_and_for_nothing_else(
    pages: Callable[[str], Pages], run: Run
) -> None:
    viewer = pages("viewer")
    token = _token(viewer, run)

    assert pages("operator").get("live/workflow/", token=token).status_code == 204
    assert viewer.get("live/workflow/", token=token[:-2] + "xx").status_code == 204
    assert viewer.get("live/pulse/", token=token).status_code == 204
    assert viewer.get("live/workflow/", token=token).status_code == 200


def _token(pages: Pages, run: Run) -> str:
    found = re.search(r'id="steps" data-token="([^"]+)"', pages.get(f"workflows/{run.id}/").content.decode())
    assert found is not None
    return found[1]


def test_a_signal_is_sent_with_a_payload_and_a_reason(pages: Callable[[str], Pages], run: Run) -> None:
    operator = pages("operator")

    wrong = operator.post("acts/signal-workflow/", workflow=run.id, signal="approve", payload="{no")
    done = operator.post(
        "acts/signal-workflow/", workflow=run.id, signal="approve", payload='{"ok": true}', reason="by phone"
    )
    again = operator.post("acts/signal-workflow/", workflow=run.id, signal="approve", payload="")
    unknown = operator.post("acts/signal-workflow/", workflow=run.id, signal="aprove", payload="")

    assert (wrong.status_code, wrong.context["fields"].errors["payload"]) == (422, ["Enter a valid JSON."])
    assert done.status_code == 303
    assert WorkflowSignal.objects.get(workflow_id=run.id).payload == {"ok": True}
    assert TaskAuditLog.objects.get(act="signal workflow").reason == "by phone"
    assert again.status_code == unknown.status_code == 409
    assert b"it has &#x27;approve&#x27;" in unknown.content


def test_a_cancel_says_what_it_stops_and_a_retry_what_it_would_run(pages: Callable[[str], Pages], run: Run) -> None:
    operator = pages("operator")

    asked = operator.get("acts/cancel-workflow/", workflow=run.id)
    assert operator.post("acts/cancel-workflow/", workflow=run.id).status_code == 422
    operator.post("acts/cancel-workflow/", workflow=run.id, reason="wrong month")
    would = operator.get("acts/retry-workflow/", workflow=run.id)
    operator.post("acts/retry-workflow/", workflow=run.id, mode="all", reason="right month")

    assert "Steps that have not begun and will not: 1." in " ".join(asked.context["proposal"].touches)
    assert "Everything: 4 steps (make, approve" in " ".join(would.context["proposal"].touches)
    assert run.status == "running"
    assert [each.act for each in TaskAuditLog.objects.filter(act__contains="workflow").order_by("pk")] == [
        "cancel workflow", "retry workflow",
    ]  # fmt: skip


def test_who_may_not_retry_may_not_try_either(run: Run, acme: int, person: Callable[[str], User]) -> None:
    with tenant(acme), membership.acting(person("viewer")), pytest.raises(NotAllowed):
        looking.would_retry(run.id, RetryMode.ALL)


def test_a_template_is_drawn_and_started(pages: Callable[[str], Pages], acme: int, add_task: Task) -> None:
    with tenant(acme):
        templates.save(_flow(add_task))
    operator = pages("operator")
    listed = operator.get("workflows/templates/")
    pk = listed.context["found"][0][0]["pk"]

    drawn = operator.get(f"workflows/templates/{pk}/")
    wrong = operator.post("acts/start-workflow/", template="report", version=1, begun_with="[1]")
    done = operator.post(
        "acts/start-workflow/", template="report", version=1, begun_with='{"a": 1}', key="k", reason="now"
    )

    assert len(drawn.context["picture"]["nodes"]) == 4
    assert list(wrong.context["fields"].errors) == ["begun_with"]
    assert "/tasks/workflows/" in done["Location"]
    assert pages("viewer").get("acts/start-workflow/", template="report", version=1).status_code == 403
    assert operator.get("acts/start-workflow/", template="report", version=9).status_code == 404
    assert pages("other_admin").get(f"workflows/templates/{pk}/").status_code == 404


MATRIX = [
    ("workflows/", {"viewer": 200, "operator": 200, "admin": 200, "other_admin": 200, "ops": 200, "nobody": 403}),
    ("workflows/{id}/", {"viewer": 200, "operator": 200, "admin": 200, "other_admin": 404, "ops": 200, "nobody": 403}),
    ("workflows/templates/", {"viewer": 200, "operator": 200, "other_admin": 200, "ops": 200, "nobody": 403}),
    ("acts/cancel-workflow/?workflow={id}", {"viewer": 403, "operator": 200, "admin": 200, "other_admin": 404, "ops": 200, "nobody": 403}),
    ("acts/signal-workflow/?workflow={id}&signal=approve", {"viewer": 403, "operator": 200, "admin": 200, "other_admin": 404, "ops": 403, "nobody": 403}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "expected"), MATRIX, ids=[path for path, _ in MATRIX])
def test_who_may_come_in_to_workflows(
    pages: Callable[[str], Pages], run: Run, path: str, expected: dict[str, int]
) -> None:
    at = path.format(id=run.id)

    assert {kind: pages(kind).get(at).status_code for kind in expected} == expected
    assert pages("anonymous").get(at)["Location"].startswith("/tasks/sign-in/")
    if path.startswith("acts/"):
        said = {"workflow": run.id, "signal": "approve", "payload": "", "reason": "x"}
        for kind, status in expected.items():
            if status in (403, 404):
                assert pages(kind).post(at, **said).status_code in (403, 404, 409, 422)
        assert run.status == "running"


def test_pages_of_workflows_take_few_statements(
    pages: Callable[[str], Pages], run: Run, django_assert_max_num_queries: Any
) -> None:
    viewer = pages("viewer")
    for path in ("workflows/", f"workflows/{run.id}/", "workflows/templates/"):
        with django_assert_max_num_queries(MOST):
            viewer.get(path)


def test_a_tenants_people_read_no_words_of_the_machinery(
    pages: Callable[[str], Pages], run: Run, acme: int, add_task: Task
) -> None:
    with tenant(acme):
        row = schedules.create("nightly", "add", cron="0 2 * * *")
    ScheduledTask.objects.update(next_at=timezone.now() - timedelta(minutes=9))
    admin = pages("admin")
    acts = (
        f"change-schedule/?schedule={row.pk}",
        f"run-schedule/?schedule={row.pk}",
        f"cancel-workflow/?workflow={run.id}",
        "new-schedule/",
    )
    for path in (
        "schedules/", f"schedules/{row.pk}/", "schedules/holidays/", "workflows/", f"workflows/{run.id}/", "workflows/templates/", "catalog/add/",
        *(f"acts/{act}" for act in acts),
    ):  # fmt: skip
        said = admin.get(path).content.decode()
        assert not re.search(r"\b(workers?|hosts?|pids?|PostgreSQL|databases?)\b", said, re.IGNORECASE), path


def test_a_long_error_is_shown_by_its_first_words(
    pages: Callable[[str], Pages], acme: int, declare: Callable[..., Task]
) -> None:
    flow = Workflow("long")
    flow.step(declare(fail_at_length, name="fail_at_length"))
    with tenant(acme):
        run = flow.start()
        run_jobs()

    page = pages("viewer").get(f"workflows/{run.id}/")

    assert b"&lt;i&gt;long" in page.content
    assert len(page.content) < 60_000


def fail_at_length() -> None:
    raise ValueError("<i>long " * 130_000)
