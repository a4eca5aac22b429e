"""Whether it is safe to switch: what is seen, which criterion it is for, and what the exit status says."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from youtility_tasks import Task, errors, tenant
from youtility_tasks.celery_bridge import parity, routes, standing
from youtility_tasks.celery_bridge.parity import Crowd, Pairs
from youtility_tasks.models import BridgeRun, Job, Tenant
from youtility_tasks.testing import run_jobs

GOOD_THERE = Crowd(succeeded=990, failed=10, wait_p95_ms=100, run_p95_ms=100)
GOOD_HERE = Crowd(succeeded=495, failed=5, wait_p95_ms=50, run_p95_ms=80)
GOOD_PAIRS = Pairs(whole=200, compared=200, run_p95_ms=90)


def failing(
    celery: Crowd = GOOD_THERE, ours: Crowd = GOOD_HERE, pairs: Pairs = GOOD_PAIRS, least: int = 100
) -> list[str]:
    return [each.name for each in parity.criteria(celery, ours, pairs, least) if each.holds is False]


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({}, []),
        ({"pairs": Pairs()}, []),  # a canary
        ({"ours": Crowd()}, []),  # shadows alone
        ({"ours": Crowd(), "pairs": Pairs()}, ["samples"]),
        ({"ours": Crowd(succeeded=99), "pairs": Pairs()}, ["samples"]),
        ({"celery": Crowd(succeeded=99), "pairs": Pairs()}, ["samples"]),
        ({"ours": Crowd(), "pairs": Pairs(whole=99, compared=99)}, ["samples"]),
        ({"pairs": Pairs(whole=200, compared=200, odd=1)}, ["complete"]),
        ({"pairs": Pairs(whole=200, compared=200, outcomes_differ=1)}, ["outcomes"]),
        ({"pairs": Pairs(whole=200, compared=200, results_differ=1)}, ["results"]),
        ({"ours": Crowd(), "pairs": Pairs(whole=200)}, ["samples", "results"]),
        ({"ours": Crowd(succeeded=480, failed=20)}, ["failures"]),
        ({"ours": Crowd(succeeded=490, failed=9)}, []),
        ({"ours": Crowd(succeeded=500, wait_p95_ms=1_151, run_p95_ms=80)}, ["wait"]),
        ({"ours": Crowd(succeeded=500, wait_p95_ms=1_149, run_p95_ms=80)}, []),
        ({"ours": Crowd(succeeded=500, run_p95_ms=251)}, ["run"]),
        ({"ours": Crowd(), "pairs": Pairs(whole=200, compared=200, run_p95_ms=251)}, ["run"]),
    ],
)
def test_each_criterion_has_its_bound(changed: dict[str, Any], names: list[str]) -> None:
    assert failing(**changed) == names


def pair(celery_id: str, *, tenant_id: int = 7, **shadow: Any) -> None:
    base = {"task_name": "bridge_books", "tenant_id": tenant_id, "celery_id": celery_id, "attempt": 1, "digest": "d"}
    BridgeRun.objects.create(**base, side="celery", outcome="succeeded", wait_ms=10, run_ms=20)
    BridgeRun.objects.create(**{**base, "outcome": "succeeded", "run_ms": 30, **shadow}, side="shadow")


def report(**more: Any) -> parity.Report:
    (found,) = parity.reports(["bridge_books"], **more)
    return found


@pytest.mark.django_db
def test_shadows_are_held_beside_the_run_of_the_same_call(books_task: Task) -> None:
    for n in range(4):
        pair(f"c-{n}")
        pair(f"c-{n}", tenant_id=8)  # another tenant's call of that id
    pair("different", digest="e")
    pair("failed", outcome="failed", error_class="builtins.ValueError", digest="")
    pair("kept back", digest="e", kept_back="a mail")
    BridgeRun.objects.create(
        task_name="bridge_books", tenant_id=7, celery_id="odd", attempt=1, side="shadow", outcome="succeeded"
    )
    BridgeRun.objects.filter(celery_id="odd").update(finished_at=timezone.now() - timedelta(seconds=parity.GRACE_S + 1))
    BridgeRun.objects.create(
        task_name="bridge_books", tenant_id=7, celery_id="young", attempt=1, side="shadow", outcome="succeeded"
    )

    found = parity.with_differing(report(least=10))

    assert (found.pairs.whole, found.pairs.compared, found.pairs.odd) == (11, 10, 1)
    assert (found.pairs.outcomes_differ, found.pairs.results_differ) == (1, 1)
    assert found.failing == ["complete", "outcomes", "results"]
    assert {(each.celery_id, each.celery, each.ours) for each in found.differing} == {
        ("different", "succeeded", "succeeded"),
        ("failed", "succeeded", "failed (builtins.ValueError)"),
    }


@pytest.mark.django_db
def test_a_first_attempt_that_celery_repeats_is_a_failure_to_its_shadow_and_a_double_delivery_counts_once(
    books_task: Task,
) -> None:
    base = {"task_name": "bridge_books", "tenant_id": 7, "celery_id": "c"}
    BridgeRun.objects.create(**base, side="celery", attempt=1, outcome="retry", wait_ms=5)
    for _ in range(2):
        BridgeRun.objects.create(**base, side="celery", attempt=2, outcome="succeeded", wait_ms=9_000)
    BridgeRun.objects.create(**base, side="shadow", attempt=1, outcome="failed")

    found = report()

    assert found.pairs.outcomes_differ == 0
    assert (found.celery.ended, found.celery.retried, found.celery.wait_p95_ms) == (1, 1, 5)


@pytest.mark.django_db
def test_our_own_attempts_are_the_other_crowd(books_task: Task) -> None:
    acme = Tenant.objects.create(id=7, name="Acme").pk
    with tenant(acme):
        books_task.enqueue(number=1)
    run_jobs()
    found = report()
    assert (found.ours.ended, found.ours.failed) == (1, 0)
    assert found.failing == ["samples"]


@pytest.mark.django_db
def test_what_ended_before_is_not_looked_at(books_task: Task) -> None:
    pair("old", digest="e")
    BridgeRun.objects.update(finished_at=timezone.now() - timedelta(days=2))
    assert report().pairs.whole == 0
    assert report(since=timezone.now() - timedelta(days=3)).pairs.results_differ == 1
    with pytest.raises(errors.WrongSpan, match="not past yet"):
        report(since=timezone.now() + timedelta(hours=1))


def say(*words: str) -> tuple[int, Any, str]:
    """Exit status, document, and what stderr was told."""
    out, err = StringIO(), StringIO()
    code: Any = 0
    try:
        call_command("celery_bridge", *words, stdout=out, stderr=err)
    except SystemExit as ended:
        code = ended.code
    text = out.getvalue()
    return code, json.loads(text) if "--json" in words and text else text, err.getvalue()


@pytest.mark.django_db
def test_parity_exits_0_when_it_is_safe_1_when_it_is_not_and_2_when_nothing_can_be_meant(books_task: Task) -> None:
    for n in range(3):
        pair(f"c-{n}")
    assert say("parity", "bridge_books", "--least", "3")[0] == 0
    code, document, _ = say("parity", "bridge_books", "--json")
    assert (code, document["is_safe"], document["tasks"][0]["failing"]) == (1, False, ["samples"])
    assert {each["name"] for each in document["tasks"][0]["criteria"]} == {
        "samples", "complete", "outcomes", "results", "failures", "wait", "run",
    }  # fmt: skip
    pair("c-9", digest="e")
    code, text, _ = say("parity", "bridge_books", "--least", "3")
    assert code == 1
    assert "not safe: results" in text and "c-9" in text
    for words in (["parity", "bridge_bookz"], ["parity"]):
        assert say(*words)[0] == 2
    routes.change(["bridge_books"], "shadow")
    assert say("parity", "--least", "3")[0] == 1


@pytest.mark.django_db
def test_route_and_rollback_by_command(books_task: Task, stumbles_task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []
    monkeypatch.setattr(routes, "settle", lambda: waited.append(1))
    code, document, _ = say("route", "bridge_books", "bridge_stumbles", "canary", "12.5%", "--by", "number", "--json")
    assert (
        code,
        [(each["task"], each["side"], each["percent"], each["sticks_to"]) for each in document["routes"]],
    ) == (
        0,
        [("bridge_books", "canary", 12.5, "number"), ("bridge_stumbles", "canary", 12.5, "number")],
    )
    assert say("route", "bridge_books", "postgres", "--version-seen", "7")[0] == 1
    assert say("route", "bridge_books", "postgres", "--version-seen", "1")[0] == 0
    code, document, _ = say("rollback", "--all", "--reason", "it rains", "--json")
    assert {(each["task"], each["side"]) for each in document["routes"]} == {
        ("bridge_books", "celery"),
        ("bridge_stumbles", "celery"),
    }
    code, _, said = say("rollback", "--all")
    assert (code, "nothing was rolled back" in said) == (1, True)
    assert len(waited) == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    "words",
    [
        ["route", "bridge_books"], ["route", "postgres"], ["route", "bridge_books", "canary"], ["route", "bridge_books", "canary", "110"],
        ["route", "--all", "bridge_books", "celery"], ["route", "bridge_books", "shadow", "--move"], ["rollback"], ["rollback", "--all", "bridge_books"],
    ],
)  # fmt: skip
def test_words_that_make_no_sense_are_bad_usage(books_task: Task, words: list[str]) -> None:
    assert say(*words)[0] == 2
    assert all(each.version == 0 for each in routes.listing())


@pytest.mark.django_db
def test_status_tells_each_task_whether_celery_answers_or_not(books_task: Task, stumbles_task: Task) -> None:
    acme = Tenant.objects.create(id=7, name="Acme").pk
    routes.change(["bridge_books"], "shadow")
    with tenant(acme):
        books_task.enqueue(number=1)
    BridgeRun.objects.create(
        task_name="bridge_books",
        tenant_id=7,
        celery_id="c",
        attempt=1,
        side="celery",
        outcome="failed",
        error_class="builtins.OSError",
    )
    code, document, _ = say("status", "bridge_books", "bridge_stumbles", "--json")
    assert code == 0
    books, stumbles = document["tasks"]
    assert (books["route"]["side"], books["postgres"]["waiting"], books["celery"]["failed"]) == ("shadow", 1, 1)
    assert (books["celery"]["waiting"], document["celery"]["is_there"]) == (None, False)
    assert books["last_error"]["class"] == "builtins.OSError" and books["last_error"]["side"] == "celery"
    assert (books["parity"]["is_safe"], stumbles["last_error"]) == (False, None)
    assert "Celery's side could not be asked" in say("status")[1]
    assert standing.status().tasks[0].route.task_name
    assert Job.objects.count() == 1
