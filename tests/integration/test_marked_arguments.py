"""Marked arguments from the call to the run: sealed in the row, plain in the task, hidden from everybody else."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django import app

from tests.acceptance.app import mutants
from tests.integration.desk import Desk, execute, job, rows
from youtility_tasks import (
    Pii,
    Retry,
    Secret,
    Task,
    TaskContext,
    checks,
    enqueue_many,
    errors,
    registry,
    tasks_api,
    tenant,
)
from youtility_tasks.declaration import Task as Declared
from youtility_tasks.history import result as history_result
from youtility_tasks.models import Job, TaskExecutionHistory
from youtility_tasks.secrets import marks, sealing
from youtility_tasks.testing import arguments, assert_enqueued, run_jobs
from youtility_tasks.upkeep import rekey

pytestmark = pytest.mark.django_db

TOKEN, PHONE = "canary-token-1", "canary-phone-2"
KEY_1, KEY_2 = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))

told: list[Any] = []


def send(*, token: Secret[str], phone: Pii[str] | None = None, n: int = 0) -> dict[str, Any]:
    told.append((token, phone, n))
    if n < 0:
        raise ValueError(f"{token} {phone}")
    return {"token": token, "n": n}


def send_in_clear(*, token: str, phone: str | None = None, n: int = 0) -> dict[str, Any]:
    told.append((token, phone, n))
    return {"token": token, "n": n}


def send_to_context(context: TaskContext, *, token: Secret[str]) -> Any:
    return [context.task_result.kwargs["token"] == shown for shown in (token, "[secret]")]


async def send_async(*, token: Secret[str]) -> str:
    told.append(token)
    return f"sent {token}"


@pytest.fixture(autouse=True)
def nobody_was_told() -> Iterator[None]:
    told.clear()
    yield


@pytest.fixture
def task(declare: Callable[..., Task]) -> Task:
    return declare(send, retry=Retry(2))


def keys(**pairs: str) -> Any:
    return override_settings(YOUTILITY_TASKS={"allow_unsafe_database": True, "secret_keys": pairs})


def everything() -> str:
    """What the queue and the history hold, as text."""
    return repr(rows("SELECT row_to_json(j) FROM procrastinate_jobs j")) + repr(
        rows("SELECT row_to_json(h) FROM youtility_tasks_history h")
    )


# -- enqueue


def test_the_row_has_the_value_sealed_and_the_task_has_it_plain(task: Task, acme: int) -> None:
    with tenant(acme):
        result = task.enqueue(token=TOKEN, phone=PHONE, n=4)
        stored = job(result.id).args

    assert sealing.is_sealed(stored["token"]) and sealing.is_sealed(stored["phone"])
    assert (stored["n"], stored["token"]["$sealed"], stored["phone"]["$sealed"]) == (4, "secret", "pii")
    assert "canary" not in everything()
    assert "canary" not in repr(result)
    assert result.kwargs == {"token": "[secret]", "phone": "[pii]", "n": 4}

    assert run_jobs() == 1
    assert told == [(TOKEN, PHONE, 4)]
    with tenant(acme):
        ended = task.get_result(result.id)
    assert (ended.kwargs, ended.return_value) == (
        {"token": "[secret]", "phone": "[pii]", "n": 4},
        {"token": "[secret]", "n": 4},
    )
    assert "canary" not in everything()


def test_every_way_to_enqueue_seals(task: Task, acme: int) -> None:
    with tenant(acme):
        async_to_sync(task.aenqueue)(token=TOKEN)
        task.using(priority=1).enqueue(token=TOKEN)
        results = enqueue_many(task, [{"token": TOKEN, "n": n} for n in range(3)])
        call_command(
            "manage_task_queue", "submit", "send", "--tenant", "7", "--json-args", json.dumps({"token": TOKEN})
        )

    assert [each.kwargs["token"] for each in results] == ["[secret]"] * 3
    assert Job.objects.count() == 6 and "canary" not in everything()
    assert run_jobs() == 6
    assert {token for token, _, _ in told} == {TOKEN}


def test_no_statement_carries_the_value(task: Task, acme: int) -> None:
    with tenant(acme), CaptureQueriesContext(connection) as seen:
        task.enqueue(token=TOKEN, phone=PHONE)

    assert len(seen.captured_queries) == 1 and "$sealed" in seen.captured_queries[0]["sql"]
    assert "canary" not in repr(seen.captured_queries)


def test_calling_it_directly_needs_no_key(task: Task) -> None:
    assert task.call(token=TOKEN) == {"token": TOKEN, "n": 0}


def test_an_async_task_is_told_too(declare: Callable[..., Task]) -> None:
    result = declare(send_async, tenant="all").enqueue(token=TOKEN)
    run_jobs()

    assert told == [TOKEN]
    assert history_result(result.id).return_value == "sent [secret]"


def test_the_context_of_the_task_shows_marks(declare: Callable[..., Task]) -> None:
    result = declare(send_to_context, tenant="all", takes_context=True).enqueue(token=TOKEN)
    run_jobs()

    assert history_result(result.id).return_value == [False, True]


def test_none_is_stored_as_it_is(task: Task, acme: int) -> None:
    with tenant(acme):
        assert job(task.enqueue(token=TOKEN, phone=None).id).args["phone"] is None


def test_a_guard_of_the_task_sees_the_values(declare: Callable[..., Task]) -> None:
    seen: list[Any] = []
    declare(send, tenant="all", guard=seen.append).enqueue(token=TOKEN)

    assert seen == [{"token": TOKEN}]


def send_plainly(token: Secret[str], n: int = 0, *more: str) -> list[Any]:
    return [len(token), token]


def test_another_packages_task_has_its_marks_by_position(acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As such a package declares it, which this module is made to be."""
    if tasks_api.Task.__module__.startswith("django_tasks"):
        from django_tasks import task as declare_plain
    else:
        from django.tasks import task as declare_plain
    declared = declare_plain()(send_plainly)
    monkeypatch.setattr(registry, "import_string", lambda path: {f"{__name__}.send_plainly": declared}[path])
    result = declared.enqueue(TOKEN, n=3)
    other = declared.enqueue(token=TOKEN)

    assert "canary" not in everything()
    assert (result.args, result.kwargs) == (["[secret]"], {"n": 3})
    assert run_jobs() == 2
    assert [history_result(each.id).return_value for each in (result, other)] == [[14, "[secret]"], [14, "[secret]"]]
    assert history_result(result.id).args == ["[secret]"]
    assert "canary" not in everything()


# -- a failure, a retry, an edited retry


def test_a_failure_tells_nothing_and_a_retry_is_told_again(task: Task, acme: int, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    with tenant(acme):
        result = task.enqueue(token=TOKEN, phone=PHONE, n=-1)
        assert run_jobs() == 2
        call_command("manage_task_queue", "retry", result.id)
        assert run_jobs() == 2
        known = task.get_result(result.id)

    assert told == [(TOKEN, PHONE, -1)] * 4
    assert TaskExecutionHistory.objects.filter(error_message="[secret] [pii]").count() == 4
    assert "ValueError: [secret] [pii]" in known.errors[0].traceback
    assert "canary" not in everything() + repr(known)


def test_an_edited_dead_letter_keeps_what_its_editor_did_not_see(task: Task, acme: int) -> None:
    with tenant(acme):
        result = task.enqueue(token=TOKEN, phone=PHONE, n=-1)
        run_jobs()
        dead = job(result.id)
        shown = task.get_result(result.id).kwargs
        task.enqueue(**sealing.keep_hidden({**shown, "n": 5}, dead.args))
        run_jobs()

    assert told[-1] == (TOKEN, PHONE, 5)


# -- the signature changes between enqueue and run


def test_a_job_from_before_the_mark_still_runs_and_is_hidden_from_then_on(
    declare: Callable[..., Task], acme: int
) -> None:
    with tenant(acme):
        result = declare(send_in_clear, name="send").enqueue(token=TOKEN, phone=PHONE)
    registry.forget("send")
    task = declare(send, name="send")

    with tenant(acme):
        assert task.get_result(result.id).kwargs == {"token": "[secret]", "phone": "[pii]"}
        run_jobs()
        assert task.get_result(result.id).return_value == {"token": "[secret]", "n": 0}
    assert told == [(TOKEN, PHONE, 0)]


def test_a_job_from_before_the_mark_was_taken_away_still_runs(declare: Callable[..., Task], acme: int) -> None:
    with tenant(acme):
        result = declare(send, name="send").enqueue(token=TOKEN, phone=PHONE)
    registry.forget("send")
    task = declare(send_in_clear, name="send")

    with tenant(acme):
        run_jobs()
        assert task.get_result(result.id).kwargs["token"] == "[secret]"
        assert task.get_result(result.id).return_value == {"token": "[secret]", "n": 0}
    assert told == [(TOKEN, PHONE, 0)]


def test_a_job_from_before_a_renaming_still_opens(declare: Callable[..., Task], acme: int) -> None:
    with tenant(acme):
        declare(send, name="send").enqueue(token=TOKEN)
        registry.forget("send")
        app.tasks.pop("send")
        declare(send, name="send_message", aliases=("send",))
        run_jobs()

    assert told == [(TOKEN, None, 0)]


def test_a_value_moved_to_another_tenant_never_reaches_the_task(task: Task, acme: int, other_tenant: int) -> None:
    with tenant(acme):
        result = task.enqueue(token=TOKEN)
    execute("UPDATE procrastinate_jobs SET tenant_id = %s", other_tenant)
    run_jobs()

    assert told == []
    (attempt,) = TaskExecutionHistory.objects.of_job(int(result.id))
    assert (attempt.outcome, attempt.error_class) == ("bad_input", "youtility_tasks.errors.BrokenSecret")
    assert "argument 'token' cannot be opened for tenant 8" in attempt.error_message


# -- locks and keys


def hidden_lock(args: dict[str, Any]) -> str | None:
    return None if args.get("phone") is None else f"to {args['phone']}"


def test_a_lock_made_of_a_marked_argument_is_the_same_for_the_same_value_and_shows_none(
    declare: Callable[..., Task], acme: int, other_tenant: int
) -> None:
    task = declare(send, lock=hidden_lock, queueing_lock=lambda args: f"{args['token']}:{args['n']}")
    with tenant(acme):
        first, same = (task.enqueue(token=TOKEN, phone=PHONE, n=n) for n in (1, 2))
        other = task.enqueue(token=TOKEN, phone=PHONE + "3", n=3)
        unlocked = task.enqueue(token=TOKEN, n=4)
        twin = task.enqueue(token=TOKEN, phone=PHONE + "9", n=1)
    with tenant(other_tenant):
        elsewhere = task.enqueue(token=TOKEN, phone=PHONE, n=1)

    locks = {each.id: job(each.id).lock for each in (first, same, other, unlocked, elsewhere)}
    assert locks[first.id] == locks[same.id] and locks[unlocked.id] is None
    assert len(set(locks.values())) == 4
    assert str(locks[first.id]).removeprefix("7:to ") != str(locks[elsewhere.id]).removeprefix("8:to ")
    assert twin.id == first.id, "the queueing lock is the same for the same value"
    assert "canary" not in everything()


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"unique": f"u-{TOKEN}"}, "unique key"),
        ({"lock": f"l-{PHONE}"}, "lock"),
        ({"queueing_lock": lambda args: TOKEN}, "queueing lock"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_key_that_shows_a_value_is_refused(task: Task, acme: int, options: dict[str, Any], kind: str) -> None:
    with tenant(acme), pytest.raises(errors.SecretInKey, match=f"Task 'send': its {kind} holds the value") as refused:
        task.using(**options).enqueue(token=TOKEN, phone=PHONE)

    assert "canary" not in str(refused.value)
    assert not Job.objects.exists()


def test_a_short_value_is_refused_only_as_a_word_of_a_key(task: Task, acme: int) -> None:
    with tenant(acme):
        task.using(unique="order-12345").enqueue(token="1234")
        with pytest.raises(errors.SecretInKey):
            task.using(unique="order-1234").enqueue(token="1234")


# -- people's eyes


def test_show_shows_marks_and_pii_only_when_asked(task: Task, acme: int, capsys: Any) -> None:
    with tenant(acme):
        job_id = task.enqueue(token=TOKEN, phone=PHONE).id

    def shown(*words: str) -> Any:
        call_command("manage_task_queue", "show", job_id, "--args", "--json", *words)
        return json.loads(capsys.readouterr().out)["job"]["args"]

    assert shown() == {"token": "[secret]", "phone": "[pii]"}
    assert shown("--pii") == {"token": "[secret]", "phone": PHONE}
    registry.forget("send")
    assert shown() == {"token": "[secret]", "phone": "[pii]"}
    assert shown("--pii") == {"token": "[secret]", "phone": PHONE}
    with pytest.raises(SystemExit) as left:
        call_command("manage_task_queue", "show", job_id, "--pii")
    assert left.value.code == 2


def test_procrastinate_sees_what_is_sealed(task: Task, acme: int) -> None:
    from procrastinate.contrib.django.models import ProcrastinateJob

    with tenant(acme):
        task.enqueue(token=TOKEN)

    assert "canary" not in repr(ProcrastinateJob.objects.get().args)
    assert app.tasks["send"].name == "send"


def test_tests_are_told_what_was_enqueued(task: Task, acme: int) -> None:
    with tenant(acme):
        task.enqueue(token=TOKEN, n=3)

    found = assert_enqueued("send", token=TOKEN, n=3)
    assert arguments(found) == {"token": TOKEN, "n": 3}
    with pytest.raises(AssertionError, match=r"Waiting of it: job \d+ \(tenant 7\) \{'n': 3, 'token': '\[secret\]'\}"):
        assert_enqueued("send", token="another")


# -- guards, taken away


HISTORY, RUN, SEALING, SHOW = (
    "youtility_tasks.history",
    "youtility_tasks.workers.run",
    "youtility_tasks.secrets.sealing",
    "youtility_tasks.documents.jobs",
)
ENQUEUE = "youtility_tasks.enqueue"


@pytest.mark.parametrize(
    ("mutant", "check", "needs"),
    [
        ((ENQUEUE, "_check", "if task.marks:", "if False:"), test_the_row_has_the_value_sealed_and_the_task_has_it_plain, ()),
        ((ENQUEUE, "_check_marked", "shown=sealed.shown", "shown=stored"), test_the_row_has_the_value_sealed_and_the_task_has_it_plain, ()),
        ((ENQUEUE, "_check_marked", "keyed=keyed", "keyed=stored"), test_a_lock_made_of_a_marked_argument_is_the_same_for_the_same_value_and_shows_none, ("declare", "other_tenant")),
        ((SEALING, "SealedCall.refuse_in_key", "if mark is not None:", "if False:"), test_a_key_that_shows_a_value_is_refused, ("key",)),
        ((SEALING, "redact", "if is_sealed(stored):", "if False:"), test_a_job_from_before_the_mark_was_taken_away_still_runs, ("declare",)),
        ((HISTORY, "_as_result", ", declared.marks, verbatim", ", verbatim"), test_a_job_from_before_the_mark_still_runs_and_is_hidden_from_then_on, ("declare",)),
        ((RUN, "_surroundings", "(args, kwargs) if opened is None", "(args, kwargs) if True"), test_the_context_of_the_task_shows_marks, ("only declare",)),
        ((RUN, "_surroundings", "run.hidden = opened.scrubber", "run.hidden = type(opened.scrubber)()"), test_the_row_has_the_value_sealed_and_the_task_has_it_plain, ()),
        ((SHOW, "args", "sealing.redact(stored, marked, verbatim=verbatim)", "stored"), test_show_shows_marks_and_pii_only_when_asked, ("capsys",)),
    ],
    ids=["seal", "result of enqueue", "digests in locks", "values in keys", "sealed without a mark", "clear under a mark", "context", "scrubber", "show"],
)  # fmt: skip
def test_each_guard_is_needed(
    mutant: tuple[str, str, str, str], check: Any, needs: tuple[str, ...], request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch, acme: int, declare: Callable[..., Task],
) -> None:  # fmt: skip
    import importlib

    given: dict[str, Any] = {"acme": acme}
    if needs in ((), ("key",), ("capsys",)):
        given["task"] = declare(send, retry=Retry(2))
    if "declare" in needs or "only declare" in needs:
        given["declare"] = declare
    if "only declare" in needs:
        del given["acme"]
    if "other_tenant" in needs:
        given["other_tenant"] = request.getfixturevalue("other_tenant")
    if needs == ("key",):
        given |= {"options": {"unique": f"u-{TOKEN}"}, "kind": "unique key"}
    if needs == ("capsys",):
        given["capsys"] = request.getfixturevalue("capsys")
    owner: Any = importlib.import_module(mutant[0])
    *path, name = mutant[1].split(".")
    for part in path:
        owner = getattr(owner, part)
    monkeypatch.setattr(owner, name, getattr(owner, name))  # put back at the end
    mutants.apply(mutants.Mutant(*mutant))

    with pytest.raises((AssertionError, pytest.fail.Exception, errors.SecretInKey)):
        check(**given)


# -- what is told before it hurts


def test_production_without_keys_is_warned_of_once_a_task_is_marked(declare: Callable[..., Task]) -> None:
    def found(**settings: Any) -> list[str]:
        with override_settings(YOUTILITY_TASKS=settings):
            return [str(each.id) for each in checks.check_settings(None)]

    assert "youtility_tasks.W002" not in found()
    declare(send)
    assert "youtility_tasks.W002" in found()
    assert "youtility_tasks.W002" not in found(secret_keys={"a": KEY_1})
    assert "youtility_tasks.W002" not in found(allow_unsafe_database=True)
    with override_settings(DEBUG=True):
        assert "youtility_tasks.W002" not in found()


def test_a_mark_on_a_task_declared_for_procrastinate_is_warned_of() -> None:
    assert "youtility_tasks.W003" not in [each.id for each in checks.check_settings(None)]
    app.task(name="their_send")(send)
    try:
        (found,) = [each for each in checks.check_settings(None) if each.id == "youtility_tasks.W003"]
    finally:
        app.tasks.pop("their_send")

    assert "Task 'their_send'" in found.msg and "in clear" in found.msg


# -- a new key


def enqueue_some(task: Task, n: int = 5) -> list[int]:
    with tenant(7):
        return [int(task.enqueue(token=f"{TOKEN}{k}", phone=PHONE, n=k).id) for k in range(n)]


def key_ids() -> set[str]:
    return {args["token"]["key"] for (args,) in Job.objects.values_list("args")}


def test_jobs_in_every_state_are_sealed_anew_and_their_locks_follow(
    declare: Callable[..., Task], acme: int, desk: Desk
) -> None:
    task = declare(send, lock=hidden_lock, queueing_lock=lambda args: f"{args['token']} waits")
    with keys(old=KEY_1):
        ids = enqueue_some(task)
        running = desk.claim(1)
        desk.finish(running[0], "failed", error_class="x")
        (runs,) = desk.claim(1)
        before = {each.pk: each for each in Job.objects.all()}
    with keys(new=KEY_2, old=KEY_1):
        assert rekey.rekey(dry_run=True).by_status == {"todo": 3, "failed": 1, "doing": 1}
        assert key_ids() == {"old"}

        done = rekey.rekey(batch=2)

        assert (done.key_id, done.count, done.is_all) == ("new", 5, True)
        assert rekey.rekey().count == 0
        with tenant(acme):
            twin = task.enqueue(token=f"{TOKEN}4", phone=PHONE, n=4)
    assert int(twin.id) == ids[4], "the new queueing lock is what a new call has"
    after = {each.pk: each for each in Job.objects.all()}
    moved = {pk for pk in ids if after[pk].lock != before[pk].lock}
    assert moved == set(ids) - {runs.id}, "the lock of a running job stays"
    assert len({after[pk].lock for pk in moved}) == 1
    with keys(new=KEY_2):
        desk.finish(runs, "retry")
        desk.leave()
        run_jobs()
    assert sorted(n for _, _, n in told) == [1, 2, 3, 4]


def test_it_goes_on_where_it_was_stopped(task: Task, acme: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with keys(old=KEY_1):
        enqueue_some(task, 7)
    with keys(new=KEY_2, old=KEY_1):
        first = rekey.rekey(batch=2, limit=4)
        assert (first.count, first.is_all) == (4, False)
        assert (rekey.rekey(batch=2).count, key_ids()) == (3, {"new"})


def test_what_cannot_be_opened_is_left_and_told(task: Task, acme: int, capsys: Any) -> None:
    with keys(lost=KEY_1):
        enqueue_some(task, 2)
    with keys(old=KEY_1):
        ids = enqueue_some(task, 2)
    execute("UPDATE procrastinate_jobs SET tenant_id = 9 WHERE id = %s", ids[1])

    with keys(new=KEY_2, old=KEY_1), pytest.raises(SystemExit) as left:
        call_command("manage_task_queue", "rekey", "--json")

    said = capsys.readouterr()
    document = json.loads(said.out)
    assert left.value.code == 1
    assert (document["jobs"], document["unknown_keys"], document["broken"]) == (1, {"lost": 2}, [ids[1]])
    assert "2 jobs were left: they need the key 'lost'" in said.err
    assert f"1 jobs were left: their arguments do not open with the key that they name ({ids[1]})" in said.err


def test_a_job_whose_new_queueing_lock_is_taken_keeps_its_own(declare: Callable[..., Task], acme: int) -> None:
    task = declare(send, queueing_lock=lambda args: args["token"])
    with keys(old=KEY_1), tenant(acme):
        first = task.enqueue(token=TOKEN)
    with keys(new=KEY_2, old=KEY_1):
        with tenant(acme):
            second = task.enqueue(token=TOKEN)
        assert second.id != first.id, "until then the same value has two locks"
        before = job(first.id).queueing_lock
        assert rekey.rekey().count == 1
        assert job(first.id).queueing_lock == before
    with keys(new=KEY_2):
        assert run_jobs() == 2


def test_only_one_tenants_jobs(task: Task, acme: int, other_tenant: int) -> None:
    with keys(old=KEY_1):
        enqueue_some(task, 2)
        with tenant(other_tenant):
            task.enqueue(token=TOKEN)
    with keys(new=KEY_2, old=KEY_1):
        assert rekey.rekey(tenant_id=acme).count == 2
        assert key_ids() == {"new", "old"}


def test_what_only_looks_sealed_is_left_alone(declare: Callable[..., Task], acme: int) -> None:
    lookalike = {"deep": {"$sealed": "secret", "key": "x", "value": "y"}}
    task = declare(send_in_clear)
    with tenant(acme):
        task.enqueue(token=lookalike)

    assert rekey.rekey().count == 0
    run_jobs()
    assert told == [(lookalike, None, 0)]


def test_unmarked_tasks_have_no_marks(add_task: Declared) -> None:
    assert add_task.marks is marks.NONE
