"""The catalog, and "run one" with a form made from the signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest

from tests.console.conftest import MOST, Pages
from youtility_tasks import Secret, Task, tenant
from youtility_tasks.models import Job, TaskAuditLog
from youtility_tasks.testing import run_jobs


def visit_site(
    *,
    site: int,
    note: str = "none",
    urgent: bool = False,
    how: Literal["car", "foot"] = "foot",
    rates: list[float] | None = None,
    token: Secret[str] | None = None,
) -> dict[str, Any]:
    """Visit a <b>site</b>.

    And write it down.
    """
    return {"site": site}


@pytest.fixture
def site_task(declare: Callable[..., Task]) -> Task:
    return declare(visit_site, name="visit_site", queue_name="email", timeout_s=90)


def test_every_task_is_listed_with_its_numbers(
    pages: Callable[[str], Pages], acme: int, site_task: Task, fail_task: Task, add_task: Task
) -> None:
    with tenant(acme):
        fail_task.enqueue(number=1)
        add_task.enqueue(number=1)
        run_jobs()
    viewer = pages("viewer")

    page = viewer.get("catalog/")

    lines = {line["task"]["name"]: line for line in page.context["lines"]}
    assert {"visit_site", "add", "fail"} <= lines.keys()
    assert lines["fail"]["lately"]["share"] == 0
    assert lines["fail"]["error"].error_class.endswith("ValueError")
    assert lines["add"]["lately"]["share"] == 1
    assert lines["visit_site"]["lately"] is None
    assert pages("other_admin").get("catalog/", named="fail").context["lines"][0]["error"] is None
    assert [
        each["task"]["name"] for each in viewer.get("catalog/", named="visit a", queue="email").context["lines"]
    ] == ["visit_site"]
    assert viewer.get("catalog/", queue="emial").status_code == 422


def test_a_task_shows_what_it_declares_and_its_arguments(
    pages: Callable[[str], Pages], acme: int, site_task: Task
) -> None:
    page = pages("viewer").get("catalog/visit_site/")

    assert b"Visit a &lt;b&gt;site&lt;/b&gt;." in page.content
    assert [each["name"] for each in page.context["arguments"]] == ["site", "note", "urgent", "how", "rates", "token"]
    assert page.context["arguments"][-1]["mark"] == "secret"
    assert page.context["arguments"][0]["default"] is None
    missing = pages("viewer").get("catalog/visit_sit/")
    assert (missing.status_code, b"Did you mean" in missing.content) == (404, True)


def test_the_form_is_made_from_the_signature(pages: Callable[[str], Pages], acme: int, site_task: Task) -> None:
    page = pages("operator").get("acts/run-task/", task="visit_site")

    kinds = {name: type(field).__name__ for name, field in page.context["fields"].fields.items()}
    assert kinds == {
        "arg.site": "IntegerField", "arg.note": "CharField", "arg.urgent": "TypedChoiceField", "arg.how": "TypedChoiceField",
        "arg.rates": "_Json", "arg.token": "_Sealed", "run_after": "Instant", "priority": "IntegerField",
    }  # fmt: skip
    assert b'type="password" name="arg.token"' in page.content


def test_one_is_run_later_and_more_urgently_with_a_reason(
    pages: Callable[[str], Pages], acme: int, site_task: Task
) -> None:
    said = {
        "arg.site": "7", "arg.urgent": "true", "arg.how": "car", "arg.rates": "[1.5]", "arg.token": "canary", "arg.note": "",
        "run_after": "2090-01-01T10:00", "priority": "2", "reason": "asked by phone",
    }  # fmt: skip
    done = pages("operator").post("acts/run-task/", task="visit_site", **said)

    job = Job.objects.get()
    assert done["Location"].startswith(f"/tasks/jobs/{job.pk}/")
    given = dict(job.args)
    assert "canary" not in str(given.pop("token"))
    assert given == {"site": 7, "urgent": True, "how": "car", "rates": [1.5]}
    assert (job.tenant_id, job.priority, str(job.scheduled_at)[:16]) == (acme, 9, "2090-01-01 10:00")
    assert TaskAuditLog.objects.get(act="run").reason == "asked by phone"


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"arg.site": "seven"}, "arg.site"),
        ({}, "arg.site"),
        ({"arg.site": "7", "arg.rates": "[1"}, "arg.rates"),
        ({"arg.site": "7", "arg.how": "boat"}, "arg.how"),
        ({"arg.site": "7", "priority": "11"}, "priority"),
        ({"arg.site": "7", "run_after": "tomorrow"}, "run_after"),
        ({"arg.site": "7", "arg.note": "a\x00b"}, "arg.note"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    pages: Callable[[str], Pages], acme: int, site_task: Task, said: dict[str, str], field: str
) -> None:
    page = pages("operator").post("acts/run-task/", task="visit_site", **{"arg.token": "canary", **said})

    assert (page.status_code, list(page.context["fields"].errors)) == (422, [field])
    assert b"canary" not in page.content
    assert not Job.objects.exists()


def test_the_tasks_own_check_is_shown(pages: Callable[[str], Pages], acme: int, declare: Callable[..., Task]) -> None:
    declare(guarded, name="guarded", guard=_refuse)

    page = pages("operator").post("acts/run-task/", task="guarded", **{"arg.site": "1"})

    assert page.status_code == 422
    assert "site 1 is closed" in page.context["fields"].errors["arg.site"][0]


def guarded(*, site: int) -> None:
    """Guarded."""


def _refuse(arguments: dict[str, Any]) -> None:
    from youtility_tasks.errors import WrongArguments

    raise WrongArguments(f"'site' is {arguments['site']}, and site {arguments['site']} is closed.")


MATRIX = [
    ("catalog/", {"viewer": 200, "operator": 200, "admin": 200, "other_admin": 200, "ops": 200, "nobody": 403}),
    ("catalog/add/", {"viewer": 200, "operator": 200, "other_admin": 200, "ops": 200, "nobody": 403}),
    ("acts/run-task/?task=add", {"viewer": 403, "operator": 200, "admin": 200, "other_admin": 200, "ops": 403, "nobody": 403}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "expected"), MATRIX, ids=[path for path, _ in MATRIX])
def test_who_may_come_in_to_the_catalog(
    pages: Callable[[str], Pages], acme: int, add_task: Task, path: str, expected: dict[str, int]
) -> None:
    assert {kind: pages(kind).get(path).status_code for kind in expected} == expected
    assert pages("anonymous").get(path)["Location"].startswith("/tasks/sign-in/")
    if path.startswith("acts/"):
        for kind in ("viewer", "ops", "nobody"):
            assert pages(kind).post(path, task="add", reason="x").status_code == 403
        assert not Job.objects.exists()


def test_the_catalog_takes_few_statements(
    pages: Callable[[str], Pages], acme: int, add_task: Task, django_assert_max_num_queries: Any
) -> None:
    viewer = pages("viewer")
    for path in ("catalog/", "catalog/add/"):
        with django_assert_max_num_queries(MOST):
            viewer.get(path)
