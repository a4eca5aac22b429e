"""What keeps calls apart, data from choosing code, and a task from being told too much; and that tests see it when that is gone."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.celery_bridge.surface import test_calls_run as calls
from tests.celery_bridge.surface import test_canvas_runs as canvases
from tests.celery_bridge.surface import test_refused_early as early
from youtility_tasks import errors, registry
from youtility_tasks.celery_bridge import absent, config, declare, exceptions, known, looking, plain, request, tracing
from youtility_tasks.models import BridgeCall
from youtility_tasks.testing import run_jobs
from youtility_tasks.upkeep.duties import DUTIES

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "error_class",
    ["antigravity.Gravity", "builtins.SystemExit", "builtins.print", "nothing", "", "youtility_tasks.errors.JobFailed"],
)
def test_a_name_in_a_table_chooses_no_class_but_an_error_that_is_loaded(error_class: str) -> None:
    made = tracing.raised("1", "t", error_class, "said")

    assert type(made) is errors.JobFailed
    assert "antigravity" not in sys.modules
    assert isinstance(tracing.raised("1", "t", "builtins.OSError", "said"), OSError)
    assert isinstance(tracing.raised("1", "t", "builtins.UnicodeDecodeError", "said"), errors.JobFailed)


def test_only_values_are_made_of_typed_json() -> None:
    strange = [
        {"__type__": "os.system", "__value__": "true"},
        {"__type__": "uuid", "__value__": {}},
        {"__type__": "date", "__value__": 3},
    ]

    assert plain.opened(strange) == strange


def test_a_member_of_a_canvas_that_comes_too_late_is_not_run(app: Any) -> None:
    late = (app.said.si("late").set(expires=-1) | app.said.si("behind")).delay()
    run_jobs()

    assert (late.parent.state, late.state) == ("REVOKED", "REVOKED")
    assert ("revoked", "surface.said", False, True) in app.heard
    assert [each for each in app.heard if each[0] == "said"] == []


def test_ids_that_nobody_can_ask_for_any_more_are_forgotten(app: Any) -> None:
    app.add.apply_async((1, 2), task_id="lives", countdown=3600)
    app.add.apply_async((1, 2), task_id="young")
    app.add.apply_async((1, 2), task_id="old")
    run_jobs()
    BridgeCall.objects.exclude(celery_id="young").update(at=timezone.now() - timedelta(days=400))

    duty = next(each for each in DUTIES if each.name == "forget ids of Celery")
    assert duty.act(timezone.now(), lambda: False) == (1, True)

    assert set(BridgeCall.objects.values_list("celery_id", flat=True)) == {"lives", "young"}


@pytest.mark.parametrize(
    "gone",
    [
        "tenant of an id",
        "tenant of a step",
        "refusal at import",
        "refusal in a body",
        "refusal of routes",
        "drop",
        "expiry",
    ],
)
def test_a_guard_that_is_gone_is_missed(
    gone: str, app: Any, acme: int, other_tenant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def proves() -> None:
        match gone:
            case "tenant of an id":
                calls.test_an_id_means_nothing_to_another_tenant(app, acme, other_tenant)
            case "tenant of a step":
                canvases.test_a_canvas_is_in_the_callers_transaction_and_tenant(app, acme, other_tenant)
            case "refusal at import":
                calls.test_what_cannot_be_carried_is_refused_as_the_module_is_imported({"rate_limit": "1/s"}, "limits")
            case "refusal in a body":
                early.test_what_a_body_or_a_base_asks_for_is_refused_as_the_module_is_imported(
                    early.replaces, {"bind": True}, "chain"
                )
            case "refusal of routes":
                early.test_settings_that_would_be_passed_over_are_refused("task_routes", {"a.*": {"routing_key": "a"}})
            case "drop":
                canvases.test_what_ignores_its_job_lets_nothing_begin_behind_it(app)
            case "expiry":
                test_a_member_of_a_canvas_that_comes_too_late_is_not_run(app)

    where, name, instead = {
        "tenant of an id": (looking, "current_tenant", lambda: None),
        "tenant of a step": (looking, "current_tenant", lambda: None),
        "refusal at import": (declare, "_refuse", lambda *_: None),
        "refusal in a body": (absent, "refuse_in_body", lambda *_, **__: None),
        "refusal of routes": (config, "_flaw_of_routes", lambda _: None),
        "drop": (exceptions, "is_dropped", lambda _: False),
        "expiry": (request, "overdue_s", lambda _: None),
    }[gone]
    monkeypatch.setattr(where, name, instead)

    try:
        with pytest.raises((AssertionError, pytest.fail.Exception, errors.YoutilityTaskError)):
            proves()
    finally:
        config.conf._said.pop("task_routes", None)
        registry.forget("surface.refused_early")
        known.tasks.pop("surface.refused_early", None)
