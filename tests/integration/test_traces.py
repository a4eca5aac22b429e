"""What enqueuing does under a trace, and does not without the setting; what the spans of attempts say."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.acceptance.app import mutants
from tests.integration.desk import rows
from youtility_tasks import Unique, Workflow, enqueue_many, logs, running, tenant, tracing
from youtility_tasks.errors import ConfigurationError, UnknownTenant
from youtility_tasks.tracing import carrying, ids
from youtility_tasks.workers import spans, traced, watched
from youtility_tasks.workers.children import Job
from youtility_tasks.workers.watched import Attempt

CANARY = "canary-5f21"
SET_UP = "youtility_tasks.tracing.setup.from_environment"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of this process."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def is_traced(settings: Any) -> None:
    settings.YOUTILITY_TASKS = {"tracing": SET_UP}


def in_two_steps(task: Any) -> None:
    flow = Workflow("steps")
    flow.step(task, number=1)
    flow.start()


WAYS: dict[str, Callable[[Any], object]] = {
    "one": lambda task: task.enqueue(number=1),
    "expiring": lambda task: task.using(expires_at=timezone.now() + timedelta(hours=1)).enqueue(number=1),
    "by a rule": lambda task: task.using(unique=Unique()).enqueue(number=1),
    "under a lock": lambda task: task.using(queueing_lock="one").enqueue(number=1),
    "many": lambda task: enqueue_many(task, [{"number": n} for n in range(5)]),
    "of a workflow": in_two_steps,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_job_carries_the_span_that_enqueued_it_however_it_is_enqueued(
    way: Callable[[Any], object], made: InMemorySpanExporter, is_traced: None, acme: int, add_task: Any
) -> None:
    with ids.tracer().start_as_current_span("request") as request, tenant(acme):
        way(add_task)
    with tenant(acme), transaction.atomic():
        settled = rows("SELECT trace FROM procrastinate_jobs")

    (send,) = [each for each in made.get_finished_spans() if each.kind is trace.SpanKind.PRODUCER]
    assert send.parent is not None and send.parent.span_id == request.get_span_context().span_id
    assert {found for (found,) in settled} == {carrying.text(send.get_span_context())}


def test_what_is_enqueued_later_in_the_same_transaction_and_outside_of_the_trace_does_not_carry_it(
    made: InMemorySpanExporter, is_traced: None, acme: int, add_task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction.atomic(), tenant(acme):
        with ids.tracer().start_as_current_span("request"):
            add_task.enqueue(number=1)
        monkeypatch.setattr(carrying, "of_now", lambda: "")
        add_task.enqueue(number=2)

    assert [found is None for (found,) in rows("SELECT trace FROM procrastinate_jobs ORDER BY id")] == [False, True]


def test_ten_thousand_jobs_are_one_span_and_no_statement_more(
    made: InMemorySpanExporter, acme: int, add_task: Any, settings: Any
) -> None:
    calls = [{"number": n} for n in range(10_000)]
    with tenant(acme), CaptureQueriesContext(connection) as without:
        enqueue_many(add_task, calls)
    settings.YOUTILITY_TASKS = {"tracing": SET_UP}

    with tenant(acme), CaptureQueriesContext(connection) as with_it:
        enqueue_many(add_task, calls)

    assert len(with_it) == len(without)
    (span,) = made.get_finished_spans()
    assert span.attributes is not None and span.attributes["messaging.batch.message_count"] == 10_000


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_without_the_setting_no_statement_says_a_word_of_traces(
    way: Callable[[Any], object], made: InMemorySpanExporter, acme: int, add_task: Any
) -> None:
    with tenant(acme), ids.tracer().start_as_current_span("request"), CaptureQueriesContext(connection) as said:
        way(add_task)

    assert not [each for each in said if "trace" in each["sql"]]
    assert [each.name for each in made.get_finished_spans()] == ["request"]
    assert watched.runners("email") == (watched.run.run_sync, watched.run.run_async)


def test_a_refused_call_is_a_span_with_the_class_of_its_error_alone(
    made: InMemorySpanExporter, is_traced: None, db: None, add_task: Any
) -> None:
    with tenant(7), pytest.raises(UnknownTenant):
        add_task.enqueue(number=1)

    (span,) = made.get_finished_spans()
    assert span.attributes is not None and span.attributes["error.type"] == "youtility_tasks.errors.UnknownTenant"
    assert not span.status.is_ok and not span.events and span.status.description is None


ROOT = "00-" + "a" * 32 + "-" + "b" * 16


@pytest.mark.parametrize(
    "said", [None, "", "nonsense", ROOT, ROOT.replace("a", "0") + "-01", ROOT.replace("b", "0") + "-01", f"{ROOT}-01\n", f"{ROOT}-01 " + "x" * 600]
)  # fmt: skip
def test_what_is_no_trace_is_none(said: str | None) -> None:
    assert carrying.read(said) is None


def test_a_trace_comes_back_as_it_went() -> None:
    for said in (f"{ROOT}-01", f"{ROOT}-00 vendor=abc"):
        found = carrying.read(said)
        assert found is not None and found.is_remote and carrying.text(found) == said


def test_tracing_that_cannot_be_had_is_refused_with_what_to_do(settings: Any) -> None:
    for wrong, says in (("nowhere.at_all", "cannot be imported"), (True, "right is None, or a dotted name"), ("os.sep", "is no function")):  # fmt: skip
        settings.YOUTILITY_TASKS = {"tracing": wrong}
        with pytest.raises(ConfigurationError, match=says):
            tracing.begin("web")
    settings.YOUTILITY_TASKS = {"attempt_watchers": ["nowhere.at_all"]}
    with pytest.raises(ConfigurationError, match=r"attempt_watchers names 'nowhere\.at_all'"):
        watched.runners("email")


# -- attempts


def an_attempt(**more: Any) -> Attempt:
    said = {"job_id": 5, "task_name": "welcome", "queue_name": "email", "tenant_id": 7, "number": 1, "max_attempts": 3}
    return Attempt(**{**said, "worker_id": 2, "workflow_id": None, **more})


def failed(exporter: InMemorySpanExporter) -> Any:
    attempt = an_attempt()
    with spans.around(attempt, [f"{ROOT}-01", 0.0, 0.5, 0.0], None)():
        attempt.outcome, attempt.error = "retry", ValueError(f"no greeting for {CANARY}")
    (found,) = [each for each in exporter.get_finished_spans() if each.name == "process email"]
    return found


def test_a_failed_attempts_span_does_not_quote_its_error(made: InMemorySpanExporter) -> None:
    span = failed(made)

    assert span.attributes["error.type"] == "builtins.ValueError" and not span.status.is_ok
    assert CANARY not in span.to_json()


def test_a_span_that_records_the_error_is_noticed(made: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "_end", spans._end)
    mutants.apply(
        mutants.Mutant(spans.__name__, "_end", "span.set_status(StatusCode.ERROR)", "span.record_exception(error)")
    )

    assert CANARY in failed(made).to_json()


def test_attempts_of_a_job_that_nobody_traced_come_to_one_trace_and_steps_can_point_to_them(
    made: InMemorySpanExporter,
) -> None:
    for number in (1, 2):
        with spans.around(an_attempt(number=number), [None, 1700.5, 0.0, 0.0], None)():
            pass

    first, second = made.get_finished_spans()
    assert first.context.trace_id == second.context.trace_id == carrying.trace_of_job(5, 1700.5)
    assert first.context.span_id == carrying.span_of_attempt(first.context.trace_id, 5, 1) != second.context.span_id
    assert (first.parent, second.parent) == (None, None)


def test_a_worker_knows_no_span_of_a_step_whose_trace_is_its_runs() -> None:
    job = Job(5, 1, "welcome", '{"$flow": [1, 2, null]}', 1, 7, 2, None, trace=[None, 1700.5, 0.0, 0.0])

    assert traced.fields(job) is None
    assert traced.fields(replace(job, args="{}")) == {"span": spans.names(job)}
    assert traced.fields(replace(job, trace=None)) is None


# -- lines


def line(message: str, *args: Any, name: str = "youtility_tasks.workers.ended", **more: Any) -> dict[str, Any]:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, message, args, None)
    vars(record).update(more)
    found: dict[str, Any] = json.loads(logs.JsonLines().format(record))
    return found


def test_a_line_of_ours_has_its_values_as_fields() -> None:
    said = line("5%% job %s id=%s task=%s tenant=%s attempt=%s/%s run_ms=%.0f", "retry", 5, "welcome", 7, 2, 3, 1.5)

    assert said["message"] == "5% job retry id=5 task=welcome tenant=7 attempt=2/3 run_ms=2"
    assert {key: said[key] for key in ("job", "task", "tenant", "attempt")} == {
        "job": 5, "task": "welcome", "tenant": 7, "attempt": 2,
    }  # fmt: skip
    assert "job" not in line("id=%s", 5, name="somebody.else")


def test_a_line_inside_a_job_has_the_job_and_nothing_that_somebody_hung_on_the_record(acme: int) -> None:
    before = running.current.set(running.Running(5, "welcome", None, 7, 2))
    try:
        said = line("hello", name="people", args_of_job={"person": CANARY}, call_string=CANARY)
    finally:
        running.current.reset(before)
    assert (said["job"], said["task"], said["tenant"], said["attempt"]) == (5, "welcome", 7, 2)
    assert CANARY not in json.dumps(said)
    with tenant(acme):
        assert line("hello", name="people")["tenant"] == acme


def test_nothing_of_opentelemetry_is_imported_without_the_setting() -> None:
    program = (
        "import django, sys; django.setup()\n"
        "from youtility_tasks import enqueue, workers; from youtility_tasks.workers import supervisor, watched\n"
        "watched.runners('email')\n"
        "print([each for each in sys.modules if each.startswith('opentelemetry')])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
