"""Dead letters by error, redriven at a rate, with other arguments, discarded with a reason: each once, and none lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.desk import Desk, execute, job, rescue, rows, statuses
from tests.integration.letters import dead, traceback
from tests.integration.mutants import must_catch
from youtility_tasks import Pii, Retry, Secret, Task, Workflow, acts, dead_letters, history, suspension, tenant
from youtility_tasks.dead_letters import Letters, editing, redriving
from youtility_tasks.errors import (
    JobNotFound,
    NotJson,
    RedriveNotFound,
    Refused,
    UnknownTask,
    WrongArguments,
)
from youtility_tasks.models import Job, Redrive, TaskAuditLog, TaskExecutionHistory, TaskWorkflow
from youtility_tasks.secrets import sealing
from youtility_tasks.testing import run_jobs

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def call_home(*, number: int = 0, token: Secret[str] = "", phone: Pii[str] | None = None) -> None:
    return None


def keyed(*, key: str = "k", number: int = 0) -> None:
    return None


@pytest.fixture
def secret_task(declare: Callable[..., Task]) -> Task:
    return declare(call_home, retry=Retry(3))


@pytest.fixture
def keyed_task(declare: Callable[..., Task]) -> Task:
    """Its locks are made from `key`; a guard takes no number below 0."""

    def guard(arguments: dict[str, Any]) -> None:
        if arguments.get("number", 0) < 0:
            raise WrongArguments(f"number is {arguments['number']}; right is from 0.")

    return declare(
        keyed, retry=Retry(3), guard=guard, lock=lambda args: args["key"], queueing_lock=lambda args: args["key"]
    )


def fingerprint(*, task: str = "t", kind: str = "Gone", said: str = "", trace: str = "") -> str:
    ((found,),) = rows("SELECT youtility_tasks_fingerprint_v1(%s, %s, %s, %s)", task, kind, said, trace)
    return str(found)


# -- what is alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ticket 7 not found", "ticket 12345 not found"),
        ("no site 'North gate' here", 'no site "South" here'),
        ("job 3f2a9c10-aaaa-4bbb-8ccc-1234567890ab is gone", "job 11111111-2222-4333-8444-555555555555 is gone"),
        ("mail to ann@example.com bounced", "mail to bob@example.org bounced"),
        ("GET https://a.example/x failed", "GET https://b.example/y?z=1 failed"),
        ("Meyer has no address", "Okafor has no address"),
        ("ids 1, 2 and 3 are wrong", "ids 7 and 8 are wrong"),
        ("at 0xdeadbeef it broke", "at 0x0000beef it broke"),
        ("it is over\nDETAIL: of Ann", "it is over\nDETAIL: of Bob"),
        ("no room for 'the big c" + "x" * 400, "no room for 'another" + "y" * 400),
    ],
)
def test_errors_that_differ_in_what_they_speak_of_are_alike(db: None, one: str, other: str) -> None:
    assert fingerprint(said=one) == fingerprint(said=other)


@pytest.mark.parametrize(
    "other",
    [
        {"task": "u"},
        {"kind": "Other"},
        {"said": "ticket 7 is locked"},
        {"trace": traceback(function="other")},
        {"trace": traceback().replace("in send", "in connect")},
        {"trace": ""},
    ],
    ids=repr,
)
def test_another_task_error_place_or_wording_is_another_fingerprint(db: None, other: dict[str, str]) -> None:
    one = {"task": "t", "kind": "Gone", "said": "ticket 7 not found", "trace": traceback()}

    assert fingerprint(**one) != fingerprint(**{**one, **other})


def test_an_edit_that_moves_lines_and_another_release_leave_it_as_it_is(db: None) -> None:
    assert fingerprint(trace=traceback()) == fingerprint(trace=traceback(line=99, release=2))
    assert len(fingerprint()) == 16


def test_of_errors_that_follow_from_each_other_the_last_one_counts(db: None) -> None:
    first = traceback(function="first").replace("smtplib.SMTP", "ssl.")

    chained = f"{first}\nDuring handling of the above exception, another exception occurred:\n\n{traceback()}"

    assert fingerprint(trace=chained) == fingerprint(trace=traceback())


def test_the_place_is_the_applications_own_line_and_the_innermost(db: None) -> None:
    ((place,),) = rows("SELECT youtility_tasks_error_place_v1(%s)", traceback())
    assert place == "company/mail.py in mail_it > smtplib.py in send"


# -- the list


def test_letters_fall_into_groups_the_largest_first(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    gone = dead(desk, add_task, acme, n=3, said="ticket 7 not found")
    gone += dead(desk, add_task, acme, said="ticket 8 not found", trace=traceback(line=12))
    gone += dead(desk, add_task, other_tenant, said="ticket 9 not found")
    (locked,) = dead(desk, add_task, acme, said="the door is locked", kind="company.errors.Locked")

    largest, other = dead_letters.groups(Letters())

    assert (largest.count, largest.tenant_count, largest.job_id) == (5, 2, gone[-1])
    assert (largest.task_name, largest.error_class, largest.error_message) == (
        add_task.name, "company.errors.Gone", "ticket 9 not found"
    )  # fmt: skip
    assert (largest.place, largest.says) == ("company/mail.py in mail_it > smtplib.py in send", "ticket ? not found")
    assert largest.first_failed_at < largest.last_failed_at
    assert (other.count, other.job_id, other.says) == (1, locked, "the door is locked")
    with tenant(acme):
        assert [each.count for each in dead_letters.groups(Letters())] == [4, 1]
    assert len(dead_letters.groups(Letters(), limit=1)) == 1


def test_letters_are_chosen_by_task_queue_error_and_time(
    desk: Desk, add_task: Task, sweep_task: Task, acme: int
) -> None:
    (old,) = dead(desk, add_task, acme, said="the door is locked")
    (new,) = dead(desk, add_task, acme)
    (sweep,) = dead(desk, sweep_task, acme)
    execute("UPDATE procrastinate_jobs SET failed_at = failed_at - interval '2 days' WHERE id = %s", old)
    before, locked = job(new).failed_at - timedelta(days=1), job(old).fingerprint

    chosen = {
        "task": Letters(task_name=sweep_task.name).choose(),
        "queue": Letters(queue_name="email").choose(),
        "fingerprint": Letters(fingerprint=locked).choose(),
        "since": Letters(failed_since=before).choose(),
        "until": Letters(failed_until=before).choose(),
        "both": Letters(fingerprint=locked, failed_since=before).choose(),
    }

    assert chosen == {
        "task": [sweep], "queue": [], "fingerprint": [old], "since": [new, sweep], "until": [old], "both": []
    }  # fmt: skip


def test_a_letter_of_which_nobody_said_an_error_is_found_as_such(desk: Desk, add_task: Task, acme: int) -> None:
    (job_id,) = dead(desk, add_task, acme)
    execute("UPDATE procrastinate_jobs SET fingerprint = '', failed_at = NULL")

    assert [each.fingerprint for each in dead_letters.groups(Letters())] == ["none"]
    with tenant(acme):
        assert dead_letters.redrive(Letters(fingerprint="none")).done_count == 1
    assert job(job_id).status == "todo"


def test_what_a_lost_worker_left_for_good_has_a_fingerprint_too(desk: Desk, add_task: Task, acme: int) -> None:
    with tenant(acme):
        job_id = int(add_task.enqueue().id)

    def check() -> None:
        Desk().claim()
        execute("UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp() - interval '1 minute'")
        assert rescue(max_rescues=1)[job_id] == "failed"
        assert job(job_id).fingerprint == fingerprint(task=add_task.name, kind="", said="worker 1 fell silent")

    must_catch(
        check,
        "youtility_tasks_rescue_v1",
        "fingerprint = CASE WHEN o.verdict = 'failed'",
        "fingerprint = CASE WHEN false",
    )


# -- attempts


def test_attempts_are_counted_on_and_the_limit_begins_anew(desk: Desk, add_task: Task, acme: int) -> None:
    def check() -> None:
        (job_id,) = dead(desk, add_task, acme)
        acts.retry(job_id)
        assert desk.take().attempts == 0, "the task's own count begins anew"
        execute("UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL")
        desk.finish(desk.take(), "retry")
        desk.finish(desk.take(), "failed")
        with tenant(acme):
            dead_letters.redrive(Letters())
        desk.finish(desk.take(), "failed")
        acts.discard(job_id)

        numbers = TaskExecutionHistory.objects.of_job(job_id).values_list("attempt", flat=True)
        assert list(numbers) == [1, 2, 3, 4, 5]

    must_catch(check, "youtility_tasks_retry_v1", "attempts_before = j.attempts_before + j.attempts, ", "")
    must_catch(check, "youtility_tasks_redrive_v1", "attempts_before = j.attempts_before + j.attempts, ", "")
    must_catch(check, "youtility_tasks_finish_v2", "h.attempts_before + h.attempts + 1", "h.attempts + 1")
    must_catch(check, "youtility_tasks_cancel_v1", "g.attempts_before + g.attempts + 1", "g.attempts + 1")


# -- a redrive


def due(job_ids: list[int]) -> list[float]:
    """When they come due, in seconds after the first."""
    at = list(Job.objects.filter(pk__in=job_ids).order_by("pk").values_list("scheduled_at", flat=True))
    return [(each - at[0]).total_seconds() for each in at]


def test_letters_come_due_at_the_rate_across_batches_and_it_is_told(desk: Desk, add_task: Task, acme: int) -> None:
    letters = dead(desk, add_task, acme, n=7)
    with tenant(acme):
        done = dead_letters.redrive(Letters(task_name=add_task.name), rate_per_s=2, reason="mail is back", batch=3)

    assert (done.done_count, done.refused_count, done.total_count, done.is_stopped) == (7, 0, 7, False)
    assert done.ended_at is not None and done.next_at - job(letters[0]).scheduled_at == timedelta(seconds=3.5)
    assert due(letters) == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert {each.status for each in Job.objects.all()} == {"todo"}
    begun, *batches = TaskAuditLog.objects.filter(act="redrive").order_by("pk")
    assert (begun.target, begun.tenant_id, begun.reason) == (f"redrive {done.pk}", acme, "mail is back")
    assert begun.after["filter"] == {"task": add_task.name} and begun.after["letters"] == 7
    assert [each.after["jobs"] for each in batches] == [letters[:3], letters[3:6], letters[6:]]
    assert {each.after["redrive"] for each in batches} == {done.pk}


def test_without_a_rate_all_are_due_at_once(desk: Desk, add_task: Task, acme: int) -> None:
    letters = dead(desk, add_task, acme, n=3)
    with tenant(acme):
        dead_letters.redrive(Letters())
    assert len(desk.claim()) == len(letters)


@pytest.mark.parametrize("rate", [0, -1, 1e9, float("nan"), True, "fast"])
def test_a_rate_that_cannot_be_is_refused_and_nothing_is_written(acme: int, rate: Any) -> None:
    with tenant(acme), pytest.raises(Refused, match="A rate is from"):
        dead_letters.redrive(Letters(), rate_per_s=rate)
    assert not Redrive.objects.exists()


def test_a_redrive_that_was_left_in_the_middle_goes_on_where_it_stopped(desk: Desk, add_task: Task, acme: int) -> None:
    letters = dead(desk, add_task, acme, n=6)
    with tenant(acme):
        left = dead_letters.redrive(Letters(), rate_per_s=1, batch=2, most_s=0)
        assert (left.done_count, left.ended_at) == (2, None)
        Redrive.objects.update(next_at=left.next_at - timedelta(hours=1))  # it was left for an hour

        done = dead_letters.redrive(Letters(), rate_per_s=1, batch=2)

    assert (done.pk, done.done_count) == (left.pk, 6)
    assert done.ended_at is not None
    assert due(letters[2:]) == [0, 1, 2, 3], "what is late does not come all at once"
    assert TaskAuditLog.objects.filter(target=f"redrive {done.pk}").count() == 1
    with tenant(acme):
        assert dead_letters.redrive(Letters(), rate_per_s=1).pk != done.pk, "the one that has ended stays as it is"


def test_what_fails_anew_is_not_redriven_by_the_same_redrive(desk: Desk, add_task: Task, acme: int) -> None:
    letters = dead(desk, add_task, acme, n=4)
    with tenant(acme):
        left = dead_letters.redrive(Letters(), batch=2, most_s=0)
        desk.finish_all([(each, "failed", {}) for each in desk.claim()])
        (later,) = dead(desk, add_task, acme)

        done = dead_letters.go_on(left.pk)

    assert (done.done_count, done.total_count) == (4, 4)
    assert [job(each).status for each in [*letters, later]] == ["failed", "failed", "todo", "todo", "failed"]


def test_the_cursor_alone_keeps_a_letter_without_a_time_from_a_second_turn(
    desk: Desk, add_task: Task, acme: int
) -> None:
    (first, second) = dead(desk, add_task, acme, n=2)
    with tenant(acme):
        left = dead_letters.redrive(Letters(), batch=1, most_s=0)
        execute("UPDATE procrastinate_jobs SET status = 'failed', failed_at = NULL WHERE id = %s", first)
        done = dead_letters.go_on(left.pk, batch=1)

    assert (done.done_count, job(first).status, job(second).status) == (2, "failed", "todo")


def test_a_letter_that_moved_on_meanwhile_is_left_alone(desk: Desk, add_task: Task, acme: int) -> None:
    (letter,) = dead(desk, add_task, acme)
    row = Job.objects.get(pk=letter)
    seen = editing.Letter(letter, row.claim_number, acme, add_task.name)

    def check() -> None:
        acts.retry(letter)
        desk.finish(desk.take(), "failed")
        moved = redriving.Moved()
        with tenant(acme):
            redriving.move([seen], {}, first_at=None, spacing_s=0, tenant_id=acme, into=moved)
        assert (moved.done, moved.refused, job(letter).status) == ([], {}, "failed")

    must_catch(check, "youtility_tasks_redrive_v1", "AND j.claim_number = g.claim_number", "")


def test_one_for_which_another_waits_is_refused_with_its_reason_and_stays(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    twins = dead(desk, add_task, acme, using={"queueing_lock": "bell"})
    twins += dead(desk, add_task, acme, using={"queueing_lock": "bell"})
    (unique,) = dead(desk, add_task, acme, using={"unique": "once"})
    (plain,) = dead(desk, add_task, acme)
    with tenant(acme):
        add_task.using(unique="once", run_after=job(plain).failed_at + timedelta(days=1)).enqueue()

    def check() -> None:
        with tenant(acme):
            done = dead_letters.redrive(Letters())

        assert (done.done_count, done.refused_count) == (2, 2)
        told = {each["job"]: each["why"] for each in done.refused}
        assert "another job waits under its queueing lock" in told[twins[1]]
        assert "another job with its unique key" in told[unique]
        assert [job(each).status for each in (*twins, unique, plain)] == ["todo", "failed", "failed", "todo"]

    check_lock = "o.queueing_lock = its_queueing_lock AND o.status = 'todo'"
    must_catch(check, "youtility_tasks_redrive_v1", check_lock, "false")
    must_catch(check, "youtility_tasks_redrive_v1", "AND o.unique_key = letter.unique_key", "AND false")


def test_one_that_is_overtaken_at_that_very_moment_stops_no_other(
    desk: Desk, add_task: Task, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the look beforehand the index answers, as it does when a job is enqueued between the two."""
    letters = dead(desk, add_task, acme, n=2, using={"unique": None}) + dead(
        desk, add_task, acme, using={"unique": "once"}
    )
    with tenant(acme):
        add_task.using(unique="once").enqueue()
    text = rows("SELECT pg_get_functiondef('youtility_tasks_redrive_v1'::regproc)")[0][0]
    execute(text.replace("AND o.unique_key = letter.unique_key", "AND false").replace("%", "%%"))

    with tenant(acme):
        done = dead_letters.redrive(Letters(), rate_per_s=1)

    assert (done.done_count, done.refused_count) == (2, 1)
    assert "took its queueing lock or its unique key" in done.refused[0]["why"]
    assert due(letters[:2]) == [0, 1]


def test_letters_of_a_tenant_that_is_not_active_stay(desk: Desk, add_task: Task, acme: int) -> None:
    (letter,) = dead(desk, add_task, acme)
    suspension.suspend(acme)

    def check() -> None:
        done = dead_letters.redrive(Letters())
        assert (done.refused_count, job(letter).status) == (1, "failed")
        assert "tenant 7 is not active" in done.refused[0]["why"]

    must_catch(check, "youtility_tasks_redrive_v1", "WHEN letter.is_of_nobody THEN 'inactive'", "")


def test_a_tenants_redrive_touches_and_shows_no_other(desk: Desk, add_task: Task, acme: int, other_tenant: int) -> None:
    (mine,), (theirs,) = dead(desk, add_task, acme), dead(desk, add_task, other_tenant)
    with tenant(other_tenant):
        left = dead_letters.redrive(Letters(task_name="nothing"))

    with tenant(acme):
        done = dead_letters.redrive(Letters())
        assert [each.pk for each in dead_letters.listing()] == [done.pk]
        for act in (dead_letters.get, dead_letters.go_on, dead_letters.stop):
            with pytest.raises(RedriveNotFound):
                act(left.pk)

    assert (done.total_count, job(mine).status, job(theirs).status) == (1, "todo", "failed")
    assert len(dead_letters.listing()) == 2


def test_a_redrive_that_is_stopped_moves_no_more_and_cannot_be_stopped_twice(
    desk: Desk, add_task: Task, acme: int
) -> None:
    dead(desk, add_task, acme, n=3)
    with tenant(acme):
        left = dead_letters.redrive(Letters(), batch=1, most_s=0)

        dead_letters.stop(left.pk, "it is not back after all")

        assert dead_letters.go_on(left.pk).done_count == 1
        with pytest.raises(Refused, match=r"has ended: 1 of 3 letters"):
            dead_letters.stop(left.pk)
    assert sorted(statuses().values()) == ["failed", "failed", "todo"]
    assert TaskAuditLog.objects.get(act="stop redrive").reason == "it is not back after all"


def test_of_very_many_that_are_refused_the_first_are_told(
    desk: Desk, add_task: Task, acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redriving, "MOST_REFUSED", 3)
    dead(desk, add_task, acme, n=5)
    execute("UPDATE procrastinate_jobs SET queueing_lock = '7:x'")
    with tenant(acme):
        add_task.using(queueing_lock="x", run_after=datetime.fromisoformat("2099-01-01T00:00:00+00:00")).enqueue()
        done = dead_letters.redrive(Letters(), batch=2)
    assert (done.refused_count, len(done.refused), done.done_count) == (5, 3, 0)


# -- other arguments


def test_letters_are_redriven_with_other_arguments_and_only_their_names_are_told(
    desk: Desk, add_task: Task, acme: int
) -> None:
    letters = dead(desk, add_task, acme, n=3, number=1)
    with tenant(acme):
        done = dead_letters.redrive(Letters(task_name=add_task.name), changes={"number": 987_654_321}, batch=2)

    assert {str(job(each).args) for each in letters} == {"{'number': 987654321}"}
    assert (done.edited, Redrive.objects.get(pk=done.pk).edits) == (["number"], {}), "the values went with its end"
    begun, *batches = TaskAuditLog.objects.filter(act="redrive").order_by("pk")
    assert [each.after["edited"] for each in (begun, *batches)] == [["number"]] * 3
    assert "987654321" not in str([begun.after, *(each.after for each in batches)]).replace(str(letters), "")


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"numbr": 1}, WrongArguments, r"takes no argument 'numbr'; it takes .*Did you mean 'number'\?"),
        ({"number": float("nan")}, NotJson, r"number is nan"),
        ({"number": {1, 2}}, NotJson, r"which is not JSON"),
        ({"number": -1}, WrongArguments, r"number is -1; right is from 0"),
    ],
)
def test_arguments_that_enqueue_would_refuse_are_refused_before_anything_is_written(
    desk: Desk, keyed_task: Task, acme: int, changes: dict[str, Any], error: type[Exception], text: str
) -> None:
    (letter,) = dead(desk, keyed_task, acme, key="k")
    with tenant(acme):
        for act in (
            lambda: dead_letters.redrive(Letters(task_name=keyed_task.name), changes=changes),
            lambda: dead_letters.would(Letters(task_name=keyed_task.name), changes=changes),
            lambda: dead_letters.retry(letter, changes),
        ):
            with pytest.raises(error, match=text):
                act()
    assert job(letter).status == "failed"
    assert not Redrive.objects.exists()
    assert not TaskAuditLog.objects.filter(act__in=["redrive", "retry"]).exists()


def test_arguments_are_given_anew_to_letters_of_one_task_of_one_tenant(desk: Desk, add_task: Task, acme: int) -> None:
    dead(desk, add_task, acme)
    with pytest.raises(Refused, match="one task of one tenant"):
        dead_letters.redrive(Letters(task_name=add_task.name), changes={"number": 1})
    with tenant(acme), pytest.raises(Refused, match="one task of one tenant"):
        dead_letters.redrive(Letters(), changes={"number": 1})
    with tenant(acme), pytest.raises(UnknownTask):
        dead_letters.redrive(Letters(task_name="frobnicate"), changes={"number": 1})


def test_a_letter_whose_own_arguments_do_not_go_with_the_new_ones_is_refused_alone(
    desk: Desk, keyed_task: Task, acme: int
) -> None:
    good, bad = dead(desk, keyed_task, acme, key="a") + dead(desk, keyed_task, acme, key="b")
    execute("""UPDATE procrastinate_jobs SET args = '{"number": -5, "key": "b"}' WHERE id = %s""", bad)
    with tenant(acme):
        done = dead_letters.redrive(Letters(task_name=keyed_task.name), changes={"key": "c"})
    assert (done.done_count, done.refused_count) == (1, 1)
    assert done.refused[0]["job"] == bad
    assert "the new ones would not be taken (WrongArguments)" in done.refused[0]["why"]
    assert "-5" not in str(done.refused), "a guard's words stay with the tenant"
    assert job(good).status == "todo"


def test_locks_follow_the_arguments_that_they_were_made_of(desk: Desk, keyed_task: Task, acme: int) -> None:
    (letter,), (own,) = (
        dead(desk, keyed_task, acme, key="a"),
        dead(desk, keyed_task, acme, key="b", using={"lock": "mine"}),
    )
    with tenant(acme):
        dead_letters.retry(letter, {"key": "z"})
        dead_letters.retry(own, {"key": "y"})
    assert (job(letter).lock, job(letter).queueing_lock) == ("7:z", "7:z")
    assert (job(own).lock, job(own).queueing_lock) == ("7:mine", "7:y"), "who enqueued it gave that one"


def test_new_arguments_are_refused_where_a_twin_of_the_new_call_waits(desk: Desk, keyed_task: Task, acme: int) -> None:
    (letter,) = dead(desk, keyed_task, acme, key="a")
    with tenant(acme):
        keyed_task.enqueue(key="z")
        with pytest.raises(Refused, match="another job waits under its queueing lock"):
            dead_letters.retry(letter, {"key": "z"})
    assert (job(letter).status, job(letter).args["key"]) == ("failed", "a")


def test_a_retry_with_other_arguments_is_entered_with_their_names(desk: Desk, add_task: Task, acme: int) -> None:
    (letter,) = dead(desk, add_task, acme, number=1)
    assert dead_letters.retry(letter, {"number": 2}, "wrong number").job_id == letter

    row = TaskAuditLog.objects.get(act="retry")
    assert (row.tenant_id, row.reason) == (acme, "wrong number")
    assert row.after == {"status": "todo", "jobs": [letter], "edited": ["number"]}
    assert history.story(letter).args == {"number": 2}
    assert desk.take().args == {"number": 2}


def test_only_a_dead_letter_of_ones_own_is_retried_with_other_arguments(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    (letter,) = dead(desk, add_task, acme)
    with tenant(other_tenant), pytest.raises(JobNotFound):
        dead_letters.retry(letter, {"number": 2})
    dead_letters.retry(letter, {"number": 2})
    with pytest.raises(Refused, match="it waits in its queue"):
        dead_letters.retry(letter, {"number": 3})


def test_arguments_that_were_changed_meanwhile_are_not_written_over(desk: Desk, add_task: Task, acme: int) -> None:
    (letter,) = dead(desk, add_task, acme, number=1)
    row = Job.objects.get(pk=letter)
    seen = editing.Letter(letter, row.claim_number, acme, add_task.name, args='{"number": 0}')

    def check() -> None:
        moved = redriving.Moved()
        redriving.move(
            [seen],
            {letter: editing.Edit('{"number": 5}', None, None)},
            first_at=None,
            spacing_s=0,
            tenant_id=acme,
            into=moved,
        )
        assert "its arguments were changed at the same moment" in str(moved.refused)
        assert job(letter).args == {"number": 1}

    with tenant(acme):
        must_catch(check, "youtility_tasks_redrive_v1", "WHEN letter.has_changed THEN 'changed'", "")


# -- marked arguments


def test_marked_arguments_stay_sealed_and_may_be_given_anew(desk: Desk, secret_task: Task, acme: int) -> None:
    letters = dead(desk, secret_task, acme, n=2, token="old token", phone="+91 22 1")
    with tenant(acme):
        done = dead_letters.redrive(
            Letters(task_name=secret_task.name), changes={"token": "new token", "number": 2}, batch=1, most_s=0
        )
        kept = Redrive.objects.get(pk=done.pk)
        assert sealing.is_sealed(kept.edits["token"]) and "new token" not in str(Redrive.objects.values())
        dead_letters.redrive(Letters(task_name=secret_task.name), changes={"token": "new token", "number": 2})
    assert Redrive.objects.get().ended_at is not None, "the same values are the same redrive"

    place = sealing.Place(acme, secret_task.name, secret_task.marks)
    for letter in letters:
        stored = job(letter).args
        assert sealing.is_sealed(stored["token"]) and sealing.is_sealed(stored["phone"])
        assert sealing.unseal(place, stored).stored == {"token": "new token", "phone": "+91 22 1", "number": 2}
    said = str([list(model.objects.values()) for model in (Redrive, TaskAuditLog)])
    assert "new token" not in said and "old token" not in said


def test_a_guard_that_speaks_of_a_marked_value_is_not_quoted(
    desk: Desk, declare: Callable[..., Task], acme: int
) -> None:
    def guard(arguments: dict[str, Any]) -> None:
        if arguments.get("number") == 2 and arguments["token"] == "bad":
            raise WrongArguments(f"not with {arguments['token']}")

    task = declare(call_home, guard=guard)
    dead(desk, task, acme, token="good")
    (bad,) = dead(desk, task, acme, token="bad")
    with tenant(acme):
        done = dead_letters.redrive(Letters(task_name=task.name), changes={"number": 2})
    ((told,)) = done.refused
    assert (told["job"], done.done_count) == (bad, 1)
    assert "(WrongArguments)" in told["why"] and "not with" not in told["why"]
    with tenant(acme), pytest.raises(WrongArguments, match="More is not said") as refused:
        dead_letters.retry(bad, {"number": 2})
    assert refused.value.__context__ is None


def test_a_sign_for_a_hidden_value_is_no_value(desk: Desk, secret_task: Task, acme: int) -> None:
    (letter,) = dead(desk, secret_task, acme, token="t0")
    with pytest.raises(WrongArguments, match="stands for a hidden value"):
        dead_letters.retry(letter, {"token": "[secret]"})


def speaks_of_it(*, token: Secret[str]) -> None:
    raise RuntimeError(f"no access for {token} here")


def test_failures_that_speak_of_marked_values_are_alike_whatever_these_are(
    declare: Callable[..., Task], acme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plain words, too: they are taken out of what is recorded, before the fingerprint is made of it."""
    task = declare(speaks_of_it)

    def fail(*tokens: str) -> list[dead_letters.Group]:
        with tenant(acme):
            for token in tokens:
                task.enqueue(token=token)
        run_jobs()
        return dead_letters.groups(Letters(task_name=task.name))

    (group,) = fail("swordfish", "rosebud")
    assert (group.count, group.says) == (2, "no access for ? here")

    monkeypatch.setattr("youtility_tasks.secrets.scrubbing.Scrubber.text", lambda self, text: text)
    assert len(fail("swordfish", "rosebud")) == 3, "without that they would be told apart by it"


# -- a discard


def test_letters_are_discarded_with_a_reason_that_stays(
    desk: Desk, add_task: Task, acme: int, other_tenant: int
) -> None:
    mine, (theirs,) = dead(desk, add_task, acme, n=3), dead(desk, add_task, other_tenant)
    with tenant(acme):
        with pytest.raises(Refused, match="Why are they discarded"):
            dead_letters.discard(Letters(), "  ")
        done = dead_letters.discard(Letters(task_name=add_task.name), "the site was sold")

    assert [each.job_id for each in done.done] == mine
    assert list(statuses()) == [theirs]
    row = TaskExecutionHistory.objects.of_job(mine[0]).last()
    assert (row.outcome, row.error_message) == ("cancelled", "the site was sold")
    assert TaskAuditLog.objects.get(act="discard").reason == "the site was sold"


# -- steps of workflows


def test_a_step_that_is_redriven_is_open_again_and_keeps_the_arguments_of_its_run(
    desk: Desk, add_task: Task, acme: int
) -> None:
    flow = Workflow("one step")
    flow.step(add_task, number=3)
    with tenant(acme):
        run = flow.start()
        desk.finish(desk.take(), "failed")
        assert TaskWorkflow.objects.get(pk=run.id).status == "failed"

        assert dead_letters.redrive(Letters(failed_until=LONG_AGO)).total_count == 0
        (letter,) = Letters().choose()
        with pytest.raises(Refused, match="is a step of a workflow"):
            dead_letters.retry(letter, {"number": 4})
        assert dead_letters.redrive(Letters()).done_count == 1

    assert TaskWorkflow.objects.get(pk=run.id).status == "running"
    desk.finish(desk.take(), "succeeded")
    assert TaskWorkflow.objects.get(pk=run.id).status == "succeeded"
