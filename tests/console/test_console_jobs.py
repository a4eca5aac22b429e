"""The pages of jobs, failures and operations: for whom, what they show, what they cost."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.api.speaking import ACME
from youtility_tasks import Retry, Task, Workflow, dead_letters, members, operations, schedules, tenant
from youtility_tasks.console import failures
from youtility_tasks.console.acting import ACTS
from youtility_tasks.context import TaskContext
from youtility_tasks.dead_letters import Letters
from youtility_tasks.listing import JobFilter
from youtility_tasks.models import Job, TaskAuditLog, TaskExecutionHistory, TaskOperation
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db

PEOPLE = ("anonymous", "nobody", "viewer", "operator", "admin", "other_admin", "ops")
SEE = ("viewer", "operator", "admin", "ops")
OPERATE = ("operator", "admin", "ops")


def fail(*, number: int = 0) -> None:
    raise ValueError(f"unheard-of {number}")


def add_one() -> int:
    """One more."""
    return 1


def stop_halfway(context: TaskContext) -> None:
    context.checkpoint({"last_seen": 40})
    context.progress(40, 100, "row 40")
    raise ValueError("no row 41")


@pytest.fixture
def fail_task(declare: Callable[..., Task]) -> Task:
    return declare(fail, name="fail", queue_name="email", retry=Retry(1))


@pytest.fixture
def ops_viewer(person: Callable[[str], User], acme: int) -> User:
    """An operator of all, with a role in Acme."""
    members.grant(acme, person("ops").get_username(), "viewer")
    return person("ops")


@pytest.fixture
def pages(work: dict[str, Any]) -> list[str]:
    mine = work["mine"]
    fingerprint = Job.objects.get(pk=mine["failed"]).fingerprint
    with tenant(ACME):
        row = operations.begin("retry", JobFilter(task_name="fail"))
    return [
        "jobs/", "jobs/?part=rail", "jobs/?status=failed&queue=email", f"jobs/{mine['failed']}/", f"jobs/{mine['waiting']}/?part=now",
        f"jobs/{mine['ended']}/?part=around", "failures/", f"failures/{fingerprint}/", f"failures/{fingerprint}/?part=done",
        "operations/", f"operations/{row.pk}/",
    ]  # fmt: skip


def of_acme(path: str) -> str:
    return f"/tasks/{path}{'&' if '?' in path else '?'}tenant={ACME}"


@pytest.mark.parametrize("who", PEOPLE)
def test_who_sees_the_pages_of_a_tenant(visitor, pages: list[str], who: str) -> None:
    browser = visitor(who)
    right = {200} if who in SEE else {302, 401} if who == "anonymous" else {403}

    assert {path: status for path in pages if (status := browser.get(of_acme(path)).status_code) not in right} == {}


@pytest.mark.parametrize("who", PEOPLE)
def test_who_may_act(visitor, work: dict[str, Any], who: str) -> None:
    mine, browser = work["mine"], visitor(who)
    with tenant(ACME):
        row = operations.begin("retry", JobFilter(task_name="other"))
    targets = {
        "retry-jobs": {"job": mine["failed"]}, "cancel-jobs": {"job": mine["waiting"]}, "discard-jobs": {"job": mine["failed"]},
        "retry-all": {"q": "task:fail"}, "cancel-all": {"q": "task:add"}, "discard-all": {"task": "fail"},
        "stop-operation": {"operation": row.pk}, "stop-redrive": {"redrive": 1}, "undo-operation": {"operation": row.pk},
    }  # fmt: skip
    before = list(Job.objects.order_by("pk").values()), TaskOperation.objects.count()

    for name, target in targets.items():
        address = of_acme(f"acts/{name}/")
        asked = browser.get(address, {**target, "tenant": ACME}).status_code
        if who in OPERATE:
            assert asked in (200, 404, 409), (name, asked)
        else:
            assert asked == (302 if who == "anonymous" else 403), (name, asked)
            assert browser.post(address, {**target, "reason": "mine"}).status_code in (302, 403), name
            assert (list(Job.objects.order_by("pk").values()), TaskOperation.objects.count()) == before, name
    assert {name for name in ACTS if "jobs" in name or name.endswith("-all")} <= targets.keys()


def test_a_tenant_sees_its_own_jobs_alone(visitor, work: dict[str, Any]) -> None:
    browser = visitor("admin")

    listed = browser.get("/tasks/jobs/").content.decode()

    for job_id in work["mine"].values():
        assert f"/tasks/jobs/{job_id}/" in listed
        assert browser.get(f"/tasks/jobs/{job_id}/").status_code == 200
    for job_id in work["theirs"].values():
        assert f"/tasks/jobs/{job_id}/" not in listed
        assert browser.get(f"/tasks/jobs/{job_id}/").status_code == 404
        answer = browser.post("/tasks/acts/retry-jobs/", {"job": job_id})
        assert answer.status_code == 409 and Job.objects.filter(pk=work["theirs"]["failed"], status="failed").exists()


def test_an_operator_of_all_sees_metadata_and_no_contents(visitor, work: dict[str, Any]) -> None:
    browser, failed = visitor("ops"), work["mine"]["failed"]
    fingerprint = Job.objects.get(pk=failed).fingerprint

    for path in ("jobs/", f"jobs/{failed}/", "failures/", f"failures/{fingerprint}/", f"jobs/{work['mine']['ended']}/"):
        shown = browser.get(f"/tasks/{path}").content.decode()
        assert "unheard-of" not in shown and "Traceback (most" not in shown and '"number"' not in shown, path
    assert "ValueError" in browser.get("/tasks/failures/").content.decode()


def test_a_tenants_people_read_what_failed_and_why_it_waits(visitor, work: dict[str, Any]) -> None:
    browser, mine = visitor("viewer"), work["mine"]
    fingerprint = Job.objects.get(pk=mine["failed"]).fingerprint

    failed, waits = (browser.get(f"/tasks/jobs/{mine[name]}/").content.decode() for name in ("failed", "waiting"))
    group = browser.get(f"/tasks/failures/{fingerprint}/").content.decode()

    assert "unheard-of 7" in failed and "Traceback" in failed and "number" in failed and "Retry" not in failed
    assert (
        "Nothing works on the queue maintenance" in waits
        and "run_postgresql_worker" not in waits
        and "process" not in waits
    )
    assert "unheard-of" in group and "test" in group


def test_progress_and_checkpoint_are_shown_to_whose_job_it_is(visitor, acme: int, declare: Callable[..., Task]) -> None:
    task = declare(stop_halfway, name="halfway", queue_name="email", takes_context=True, retry=Retry(1))
    with tenant(acme):
        job_id = int(task.enqueue().id)
    run_jobs()

    mine, theirs = (visitor(who).get(f"/tasks/jobs/{job_id}/").content.decode() for who in ("viewer", "ops"))

    assert "40 %" in mine and "row 40" in mine and "last_seen" in mine and "Checkpoint" in mine
    assert "40 %" in theirs and "last_seen" not in theirs


def test_what_a_job_waits_for_is_a_link(visitor, acme: int, declare: Callable[..., Task]) -> None:
    task = declare(add_one, name="one at a time", queue_name="email", lock="till")
    with tenant(acme):
        first, second = int(task.enqueue().id), int(task.enqueue().id)

    shown = visitor("viewer").get(f"/tasks/jobs/{second}/").content.decode()

    assert "It waits for its lock" in shown and f'<a href="/tasks/jobs/{first}/">Job {first}</a>' in shown


def test_a_redrive_is_followed_beside_its_failure_and_stopped(visitor, acme: int, fail_task: Task) -> None:
    with tenant(acme):
        for n in range(2):
            fail_task.enqueue(number=n)
        run_jobs()
        begun = dead_letters.redrive(Letters(task_name="fail", fingerprint=fingerprint_of(acme)), batch=1, most_s=0)
    browser, page = visitor("operator"), f"failures/{begun.fingerprint}/"

    assert "?part=done" in browser.get(f"/tasks/{page}").content.decode()
    before = browser.get(f"/tasks/{page}?part=done").content.decode()
    asked = browser.get(f"/tasks/acts/stop-redrive/?redrive={begun.pk}").content.decode()
    answer = browser.post(
        "/tasks/acts/stop-redrive/", {"redrive": begun.pk, "reason": "too early", "next": f"/tasks/{page}"}, follow=True
    )

    assert f"Redrive {begun.pk}" in before and "1 of 2" in before and "stop-redrive" in before
    assert "1 of 2 letters were moved" in asked
    assert f"Redrive {begun.pk} is stopped." in answer.content.decode()
    assert "stop-redrive" not in visitor("viewer").get(f"/tasks/{page}?part=done").content.decode()
    assert TaskAuditLog.objects.get(act="stop redrive").reason == "too early"


def fingerprint_of(tenant_id: int) -> str:
    return Job.objects.filter(tenant_id=tenant_id, status="failed").first().fingerprint


def test_what_made_a_job_is_a_link_beside_it(visitor, acme: int, add_task: Task) -> None:
    with tenant(acme):
        schedule = schedules.create("nightly", "add", cron="0 2 * * *")
        ticked = schedules.run_now("nightly")
        flow = Workflow("closing the day")
        flow.step(add_task, name="count")
        run = flow.start()
    stepped = Job.objects.get(step_id__isnull=False).pk

    of_tick, of_step = (visitor("viewer").get(f"/tasks/jobs/{each}/").content.decode() for each in (ticked, stepped))

    assert f'href="/tasks/schedules/{schedule.pk}/">nightly</a>, tick of' in of_tick
    assert f'href="/tasks/workflows/{run.id}/">closing the day</a>, step count' in of_step
    assert 'href="/tasks/catalog/add/"' in of_tick


def test_an_operator_with_a_role_who_reads_contents_is_entered_once(
    visitor, ops_viewer: User, work: dict[str, Any]
) -> None:
    browser, failed = visitor("ops"), work["mine"]["failed"]
    browser.post("/tasks/chosen/", {"tenant": ACME})

    for _ in range(3):
        assert "unheard-of" in browser.get(f"/tasks/jobs/{failed}/").content.decode()
    browser.get(f"/tasks/jobs/{failed}/?part=around")

    entered = TaskAuditLog.objects.filter(act="view payload")
    assert [(each.actor, each.target, each.tenant_id) for each in entered] == [("ops", f"job {failed} (fail)", ACME)]
    visitor("admin").get(f"/tasks/jobs/{failed}/")
    assert entered.all().count() == 1


def test_what_cannot_be_meant_is_told(visitor, work: dict[str, Any]) -> None:
    browser = visitor("viewer")
    for words, says in (
        ("statsu=failed", "Did you mean &#x27;status&#x27;?"), ("status=broken", "right is one or more of"),
        ("q=args.a..b:7", "names no argument"), ("q=tenant:8", "the search asks for tenant 8"), ("before=x", "whole number"),
        ("since=soon", "an instant"),
    ):  # fmt: skip
        answer = browser.get(f"/tasks/jobs/?{words}")
        assert answer.status_code == 422 and says in answer.content.decode(), words
    assert browser.get("/tasks/failures/what/").status_code == 404


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("status=failed", ["failed"]), ("status=todo", ["waiting"]), ("queue=maintenance", ["ended", "waiting"]), ("task=fail", ["failed"]),
        ("q=error:unheard", ["failed"]), ("q=args.number:47", ["waiting"]), ("q=add", ["ended", "waiting"]),
        ("q=add&status=succeeded", ["ended"]), ("until=2001-01-01T00:00", []),
    ],
)  # fmt: skip
def test_each_word_narrows_the_list(visitor, work: dict[str, Any], words: str, names: list[str]) -> None:
    shown = visitor("viewer").get(f"/tasks/jobs/?{words}").content.decode()

    assert [name for name, job_id in work["mine"].items() if f"/tasks/jobs/{job_id}/" in shown] == names


def test_all_that_match_can_be_acted_on_where_one_status_is_shown(visitor, work: dict[str, Any]) -> None:
    def offered(who: str, words: str) -> list[str]:
        return [each["label"] for each in visitor(who).get(f"/tasks/jobs/?{words}").context["of_all"]]

    assert (
        offered("operator", "status=failed") == offered("operator", "q=status:failed") == ["Retry all", "Discard all"]
    )
    assert offered("operator", "status=todo") == ["Cancel all"]
    assert (
        offered("operator", "") == offered("operator", "status=succeeded") == offered("viewer", "status=failed") == []
    )
    shown = visitor("operator").get("/tasks/jobs/?status=failed&queue=email").content.decode()
    assert "With all 1 that match:" in shown
    assert "With all that match:" in visitor("operator").get("/tasks/jobs/?status=failed&task=fail").content.decode()
    long = "x" * 490
    assert visitor("operator").get(f"/tasks/jobs/?status=failed&q={long}").status_code == 200
    shown = visitor("viewer").get("/tasks/jobs/?since=2026-01-02T10:00%2B05:30&status=todo,failed").content.decode()
    assert "2026-01-02 04:30 UTC" in shown and "waiting or failed" in shown


def test_a_page_ends_and_the_next_goes_on_behind_it(
    visitor, acme: int, add_task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("youtility_tasks.console.jobs.ROWS", 3)
    with tenant(acme):
        job_ids = [int(add_task.enqueue(number=n).id) for n in range(5)]
    browser = visitor("viewer")

    first = browser.get("/tasks/jobs/?queue=maintenance")
    second = browser.get(first.context["older"])

    assert [each["id"] for each in first.context["rows"]] == job_ids[:1:-1]
    assert [each["id"] for each in second.context["rows"]] == job_ids[1::-1] and second.context["older"] is None


def test_chosen_jobs_are_acted_on_and_others_are_left_alone(visitor, work: dict[str, Any]) -> None:
    browser, mine = visitor("operator"), work["mine"]

    asked = browser.get("/tasks/acts/retry-jobs/", {"job": [mine["failed"], mine["waiting"]]}).content.decode()
    answer = browser.post("/tasks/acts/retry-jobs/", {"job": [mine["failed"], mine["waiting"]]}, follow=True)

    assert "Retry 1 job?" in asked and "it waits in its queue" in asked
    assert "1 job is retried." in answer.content.decode()
    assert Job.objects.get(pk=mine["failed"]).status == "todo"
    assert (
        browser.post("/tasks/acts/discard-jobs/", {"job": mine["failed"]}).status_code == 422
    )  # a reason is asked for
    assert browser.get("/tasks/acts/retry-jobs/", {"job": range(1, 300)}).status_code == 422


def test_all_that_match_become_an_operation_that_can_be_stopped(visitor, work: dict[str, Any]) -> None:
    browser = visitor("operator")

    asked = browser.get("/tasks/acts/retry-all/?q=task:fail").content.decode()
    begun = browser.post(
        "/tasks/acts/retry-all/", {"q": "task:fail", "rate_per_s": "5", "reason": "the server is back"}
    )
    row = TaskOperation.objects.get()

    assert "Retry 1 job of tenant 7?" in asked and "fail 1" in asked
    assert begun.status_code == 303 and begun.headers["Location"] == f"/tasks/operations/{row.pk}/"
    assert (row.tenant_id, row.rate_per_s, row.reason, row.total_count) == (ACME, 5, "the server is back", 1)
    assert "running" in browser.get(begun.headers["Location"]).content.decode()
    stopped = browser.post("/tasks/acts/stop-operation/", {"operation": row.pk}, follow=True).content.decode()
    assert "stopped" in stopped and "Undo" not in stopped, "nothing was done yet"
    TaskOperation.objects.filter(pk=row.pk).update(done_count=1)
    assert "Undo" in browser.get(begun.headers["Location"]).content.decode()
    assert TaskAuditLog.objects.filter(act="stop operation", actor="operator").count() == 1
    assert browser.get("/tasks/acts/retry-all/?q=task:nothing").status_code == 409


@pytest.mark.parametrize(
    ("path", "most"),
    [("jobs/", 12), ("jobs/?part=rail", 8), ("jobs/{ended}/", 12), ("jobs/{waiting}/", 16), ("jobs/{failed}/?part=around", 12),
     ("failures/", 10), ("operations/", 9)],
)  # fmt: skip
def test_a_page_sends_few_statements(visitor, work: dict[str, Any], path: str, most: int) -> None:
    browser = visitor("operator")

    with CaptureQueriesContext(connection) as captured:
        assert browser.get(f"/tasks/{path.format(**work['mine'])}").status_code == 200

    sent = [each["sql"] for each in captured.captured_queries if "SAVEPOINT" not in each["sql"]]
    assert len(sent) <= most, "\n".join(each[:150] for each in sent)


def test_what_is_live_sends_a_statement_every_two_seconds_at_most(visitor, work: dict[str, Any]) -> None:
    browser, mine = visitor("operator"), work["mine"]
    Job.objects.filter(pk=work["theirs"]["waiting"]).update(status="doing", tenant_id=ACME)
    with tenant(ACME):
        fingerprint = Job.objects.get(pk=mine["failed"]).fingerprint
        row = operations.begin("retry", JobFilter(fingerprint=fingerprint))
    seen = set()
    pages = ("jobs/", "jobs/?part=chart", f"jobs/{mine['waiting']}/", f"jobs/{work['theirs']['waiting']}/",
             f"operations/{row.pk}/", f"failures/{fingerprint}/", f"failures/{fingerprint}/?part=done")  # fmt: skip

    for page in pages:
        shown = browser.get(f"/tasks/{page}").content.decode()
        token = re.search(r'name="token" value="([^"]+)"', shown)
        for every, part in re.findall(r'data-live="(\d+)" hx-get="([^"]+)"', shown):
            with CaptureQueriesContext(connection) as captured:
                given = {"token": token[1]} if token and "pulse" in part else None
                assert browser.get(html.unescape(part), given).status_code == 200, part
            sent = [each["sql"] for each in captured.captured_queries if "SAVEPOINT" not in each["sql"]]
            assert int(every) >= 2 * len(sent), (part, every, len(sent))
            seen.add(re.sub(r"\d+|[0-9a-f]{16}", "N", part.partition("&")[0]))
    assert len(seen) >= 6, seen


def test_a_jobs_trace_is_on_its_page_and_in_the_documents_where_tracing_is_on(
    visitor, work: dict[str, Any], settings: Any
) -> None:
    mine, trace = work["mine"], "4bf92f3577b34da6a3ce929d0e0e4736"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET trace = %s WHERE id = %s",
            [f"00-{trace}-00f067aa0ba902b7-01", mine["failed"]],
        )
    browser = visitor("viewer")
    assert (
        trace not in browser.get(f"/tasks/jobs/{mine['failed']}/").content.decode()
    )  # nobody asks without the setting

    settings.YOUTILITY_TASKS = {**settings.YOUTILITY_TASKS, "tracing": "youtility_tasks.tracing.setup.from_environment"}

    assert trace in browser.get(f"/tasks/jobs/{mine['failed']}/").content.decode()
    assert browser.get(f"/tasks/api/jobs/{mine['failed']}/").json()["job"]["trace_id"] == trace
    waiting, ended = (browser.get(f"/tasks/api/jobs/{mine[each]}/").json()["job"] for each in ("waiting", "ended"))
    assert re.fullmatch("[0-9a-f]{32}", waiting["trace_id"])  # of its own
    assert ended["trace_id"] is None  # its row is gone


def test_who_acted_on_a_job_is_told_beside_it(visitor, work: dict[str, Any]) -> None:
    browser, mine = visitor("operator"), work["mine"]
    browser.post("/tasks/acts/cancel-job/", {"job": mine["waiting"], "reason": "not wanted"})

    shown = browser.get(f"/tasks/jobs/{mine['waiting']}/?part=around").content.decode()

    assert "<strong>operator</strong> cancel" in shown and "not wanted" in shown
    assert "Nobody has." in browser.get(f"/tasks/jobs/{mine['ended']}/?part=around").content.decode()


def test_a_search_is_completed(visitor, add_task) -> None:
    address = reverse("youtility_tasks_console:completions")

    assert visitor("viewer").get(address, {"q": "queue:ma"}).json() == {"completions": ["queue:maintenance"]}
    assert visitor("anonymous").get(address, {"q": "q"}).status_code == 302


def test_a_crash_that_did_not_count_is_no_attempt_more(visitor, work: dict[str, Any]) -> None:
    failed = work["mine"]["failed"]
    row = TaskExecutionHistory.objects.get(job_id=failed)
    for number in (1, 2):  # the same attempt, twice before: its process died
        row.pk, row.claim_number, row.outcome = None, row.claim_number + 1, "crashed"
        row.started_at -= timedelta(seconds=number)
        row.save(force_insert=True)

    said = visitor("operator").get(f"/tasks/jobs/{failed}/").content.decode()

    assert "1 of at most 1, begun 3 times" in said and "Last of 3 starts" in said
    assert "Started again, attempt" not in said


def test_a_dead_letter_that_was_discarded_has_not_begun_again(visitor, work: dict[str, Any]) -> None:
    failed = work["mine"]["failed"]
    visitor("operator").post("/tasks/acts/discard-job/", {"job": failed, "reason": "of no use"})
    assert ">1 of at most 1</span>" in visitor("operator").get(f"/tasks/jobs/{failed}/").content.decode()


def test_an_act_that_came_too_late_is_not_offered_again(visitor, work: dict[str, Any]) -> None:
    failed, browser = work["mine"]["failed"], visitor("operator")
    browser.post("/tasks/acts/discard-job/", {"job": failed, "reason": "of no use"})

    answer = browser.post("/tasks/acts/retry-job/", {"job": failed})

    said = answer.content.decode()
    assert answer.status_code == 409 and said.count("cannot be retried") == 1
    assert 'class="button is-main"' not in said and ">Back</a>" in said


def test_who_is_signed_out_meanwhile_comes_back_to_the_page(visitor) -> None:
    browser = visitor("anonymous")
    for asked, back in (
        ("acts/retry-job/?job=9&part=dialog&next=/tasks/jobs/9/", "%2Ftasks%2Fjobs%2F9%2F"),
        ("jobs/?status=failed&part=list", "%2Ftasks%2Fjobs%2F%3Fstatus%3Dfailed"), ("?part=now", "%2Ftasks%2F"),
    ):  # fmt: skip
        answer = browser.get(f"/tasks/{asked}")
        assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, f"/tasks/sign-in/?next={back}")


def test_an_attempt_that_was_killed_at_its_limit_says_how_long_it_ran(visitor, work: dict[str, Any]) -> None:
    row = TaskExecutionHistory.objects.get(job_id=work["mine"]["failed"])
    of_it = TaskExecutionHistory.objects.filter(pk=row.pk)
    of_it.update(run_ms=None, outcome="timed_out", finished_at=row.started_at + timedelta(seconds=7))

    assert "ran 7.0 s" in visitor("viewer").get(f"/tasks/jobs/{row.job_id}/").content.decode()


def test_a_failures_sentence_keeps_its_first_word(visitor, work: dict[str, Any]) -> None:
    found = dead_letters.groups(Letters())[0]
    for says, message, shown in (
        ("? went on past", "It went on past", "It went on past"), ("? missing in ?", "Order 7 missing in B", "? missing in ?"),
        ("went on past", "went on past", "went on past"),
    ):  # fmt: skip
        assert failures._says(dataclasses.replace(found, says=says, error_message=message)) == shown
