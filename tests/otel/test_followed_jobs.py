"""Jobs that are followed, from a real web process through a real worker to a real mail server: by a receiver of OTLP, who gets one
trace of it, by the lines of all processes, and by Sentry's client. None of them is told an argument."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.crew import until
from tests.otel.stage import CANARY, Span, Stage
from youtility_tasks import tracing


def named(spans: list[Span], name: str) -> list[Span]:
    return [each for each in spans if each.name == name]


def test_one_trace_joins_request_enqueue_wait_run_sql_and_mail(stage: Stage) -> None:
    job_id = stage.get("welcome")["job"]

    first, second = stage.receiver.of_job(job_id, 2)
    until(lambda: named(stage.receiver.of_trace(first.trace), "GET welcome/"), why="the request's span")
    spans = stage.receiver.of_trace(first.trace)
    (request,), (send,) = named(spans, "GET welcome/"), named(spans, "send email")
    waits, (mail,) = named(spans, "wait email"), named(spans, "smtp sendmail")
    assert (send.parent, send.kind, request.parent) == (request.id, "producer", "")
    assert [each.parent for each in (first, second, *waits)] == [
        send.id
    ] * 4  # its second attempt is one of the same trace
    assert [each.links for each in (first, second)] == [[send.id]] * 2
    assert (mail.parent, mail.kind) == (second.id, "client") and stage.mails
    assert "SELECT" in [each.name for each in spans if each.parent == second.id]
    assert [(each.said["youtility.attempt"], each.said["youtility.outcome"], each.is_error) for each in (first, second)] == [
        (1, "retry", True), (2, "succeeded", False),
    ]  # fmt: skip
    assert first.said["error.type"] == "youtility_tasks.errors.Transient"
    for each in (send, first, second):
        assert each.said["messaging.system"] == "youtility_tasks"
        assert each.said["messaging.destination.name"] == "email"
        assert each.said["messaging.message.id"] == str(job_id)
        assert (each.said["youtility.task.name"], each.said["youtility.tenant.id"]) == ("welcomes", 7)
    assert send.begins <= waits[0].begins + 1_000_000_000 and waits[0].ends <= first.begins <= first.ends


def test_a_batch_is_one_producers_span_and_each_of_its_jobs_has_its_own(stage: Stage) -> None:
    jobs = stage.get("crowd", count=300)["jobs"]

    (first,) = stage.receiver.of_job(jobs[0])
    until(lambda: len(named(stage.receiver.of_trace(first.trace), "process email")) == 300, why="each of them")
    (send,) = until(lambda: named(stage.receiver.of_trace(first.trace), "send email"))
    assert send.said["messaging.batch.message_count"] == 300
    runs = named(stage.receiver.of_trace(first.trace), "process email")
    assert {each.parent for each in runs} == {send.id} and all(each.links == [send.id] for each in runs)
    assert {each.said["messaging.message.id"] for each in runs} == {str(each) for each in jobs}


def test_a_step_is_linked_to_the_run_of_the_step_before(stage: Stage) -> None:
    workflow_id = stage.get("flow")["workflow"]

    def jobs() -> list[int]:
        found = stage.crew.queue.rows(
            "SELECT job_id FROM youtility_tasks_workflowstep WHERE workflow_id = %s AND job_id IS NOT NULL ORDER BY id",
            workflow_id,
        )
        return [job_id for (job_id,) in found] if len(found) == 2 else []

    first_job, second_job = until(jobs)
    (first,), (second,) = stage.receiver.of_job(first_job), stage.receiver.of_job(second_job)
    (send,) = until(lambda: named(stage.receiver.of_trace(first.trace), "send two steps"))
    assert (first.parent, second.parent) == (send.id, send.id)
    assert first.links == [send.id]
    assert second.links == [send.id, first.id]
    assert second.said["youtility.workflow.id"] == workflow_id


def test_a_job_that_no_trace_has_enqueued_has_one_of_its_own_for_all_its_attempts(stage: Stage) -> None:
    job_id = stage.crew.queue.put("breaks", queue="email", tenant_id=7, person=CANARY)

    attempts = stage.receiver.of_job(job_id, 2)

    assert len({each.trace for each in attempts}) == 1 and [each.parent for each in attempts] == ["", ""]
    ((enqueued_at,),) = stage.crew.queue.rows("SELECT enqueued_at FROM procrastinate_jobs WHERE id = %s", job_id)
    assert tracing.of_job(job_id, None, enqueued_at.timestamp()) == attempts[0].trace  # as its page says
    assert [each.said["youtility.outcome"] for each in attempts] == ["retry", "failed"]


def test_the_server_of_development_joins_a_request_and_its_job_too(stage: Stage, runserver: Stage) -> None:
    job_id = runserver.get("welcome")["job"]

    (first, *_) = stage.receiver.of_job(job_id)
    until(lambda: named(stage.receiver.of_trace(first.trace), "GET welcome/"), why="the request's span")


def test_the_worker_tells_of_an_attempt_whose_process_died(stage: Stage) -> None:
    job_id = stage.crew.queue.put("is_killed", queue="email", tenant_id=7, person=CANARY)

    (attempt,) = stage.receiver.of_job(job_id)

    assert (attempt.said["youtility.outcome"], attempt.is_error) == ("crashed", True)
    assert stage.crew.queue.ending(job_id)["outcome"] == "crashed"


def events(stage: Stage) -> list[dict[str, Any]]:
    return stage.lines(stage.crew.folder / "events")


def test_each_failed_attempt_is_one_event_with_its_job_and_tenant(stage: Stage) -> None:
    job_id = stage.crew.queue.put("breaks", queue="email", tenant_id=7, person=CANARY)
    stage.crew.queue.ending(job_id)

    def told() -> list[dict[str, Any]]:
        return [each for each in events(stage) if each.get("tags", {}).get("job") == str(job_id)]

    until(lambda: len(told()) >= 2)
    # Whatever else would tell of it has done so before a later job's end.
    other = stage.crew.queue.put("counts_letters", queue="email", tenant_id=7, person=CANARY)
    stage.crew.queue.ending(other)
    found = told()
    assert [(each["tags"]["attempt"], each["tags"]["outcome"], each["tags"]["tenant"]) for each in found] == [
        ("1", "retry", "7"), ("2", "failed", "7"),
    ]  # fmt: skip
    assert all(each["exception"]["values"][-1]["type"] == "RuntimeError" for each in found)
    assert all(each.get("tags", {}).get("job") for each in events(stage)), "somebody else reports, too"
    assert CANARY not in json.dumps(events(stage))


def test_lines_of_web_worker_and_child_have_the_job_and_the_trace(stage: Stage) -> None:
    job_id = stage.get("welcome")["job"]
    _, second = stage.receiver.of_job(job_id, 2)
    stage.crew.queue.ending(job_id)
    log = stage.crew.supervisors[0].log

    def ended() -> list[dict[str, Any]]:
        lines = stage.lines(log)
        return [each for each in lines if each["message"].startswith("job succeeded") and each["job"] == job_id]

    (ended_line,) = until(ended)
    (child,) = [
        each
        for each in stage.lines(log)
        if each["logger"] == "people" and (each["job"], each["attempt"]) == (job_id, 2)
    ]
    (page,) = [each for each in stage.lines(stage.web_log) if each.get("trace_id") == second.trace]
    for line in (ended_line, child):
        assert (line["task"], line["tenant"], line["attempt"]) == ("welcomes", 7, 2)
        assert (line["trace_id"], line["span_id"]) == (second.trace, second.id)
    assert (page["message"], page["tenant"]) == ("a page enqueues", 7)
    (retried,) = [each for each in stage.lines(log) if each["message"].startswith(f"job retry id={job_id} ")]
    assert (retried["job"], retried["attempt"], retried["trace_id"]) == (job_id, 1, second.trace)


def test_no_argument_is_in_a_log_line_or_a_span(stage: Stage) -> None:
    job_id = stage.get("welcome")["job"]
    stage.receiver.of_job(job_id, 2)
    stage.crew.queue.ending(job_id)

    written = stage.crew.supervisors[0].log.read_text() + stage.web_log.read_text()
    assert f'"job": {job_id}' in written and CANARY not in written
    assert CANARY not in json.dumps([each.said for each in stage.receiver.spans])
    assert not [body for body in stage.receiver.bodies if CANARY.encode() in body]
    assert CANARY in str(stage.mails[-1].content), "the canary is what a search would find"
