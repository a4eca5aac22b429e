"""How long a job stands for later calls: the table of youtility_tasks/UNIQUENESS.md, cell by cell, and what lets a key go."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from tests.integration.desk import Desk, execute, job, rescue, rows
from tests.integration.mutants import must_catch, undone
from youtility_tasks import Debounce, Task, Unique, acts, enqueue_many, errors, tenant, why
from youtility_tasks.models import Job, UniqueKey
from youtility_tasks.tasks_api import TaskResultStatus
from youtility_tasks.upkeep import unique_keys

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).resolve().parents[2] / "youtility_tasks/UNIQUENESS.md").read_text(encoding="utf-8")
STAGES = (
    "it waits",
    "it runs",
    "it waits for a retry",
    "it is a dead letter",
    "it has succeeded",
    "it was cancelled or discarded",
)
RULES = {
    text: eval(text, {"Unique": Unique, "Debounce": Debounce})  # noqa: S307 - our own page
    for text in re.findall(r"^\| `((?:Unique|Debounce)\(.*?\))` \|", PAGE, re.M)
}
ENQUEUE, REPLACE = "youtility_tasks_enqueue_unique_v1", "youtility_tasks_replace_v1"


def cells() -> list[Any]:
    (heading,) = re.findall(r"^\| rule \| (.*) \|$", PAGE, re.M)
    assert tuple(heading.split(" | ")) == STAGES
    found = re.findall(r"^\| `((?:Unique|Debounce)\(.*?\))` \| (.*) \|$", PAGE, re.M)
    return [
        (rule, stage, held) for rule, cells in found for stage, held in zip(STAGES, cells.split(" | "), strict=True)
    ]


def under(task: Task, rule: Unique | Debounce) -> Task:
    return task.using(debounce=rule) if isinstance(rule, Debounce) else task.using(unique=rule)


def due_now() -> None:
    execute(
        "UPDATE procrastinate_jobs SET scheduled_at = clock_timestamp() - interval '1 second' WHERE status = 'todo'"
    )


def bring(desk: Desk, job_id: str, stage: str) -> None:
    """The job of that id, which is the only one, to that stage."""
    if stage == "it waits":
        return
    if stage == "it was cancelled or discarded":
        acts.cancel(int(job_id))
        return
    due_now()
    held = desk.take()
    if stage == "it waits for a retry":
        desk.finish(held, "retry", delay_s=60)
    elif stage != "it runs":
        desk.finish(held, {"it is a dead letter": "failed", "it has succeeded": "succeeded"}[stage])


def test_the_page_has_every_rule() -> None:
    assert len(RULES) == 5 and len(cells()) == 30


@pytest.mark.parametrize(("text", "stage", "expected"), cells())
def test_a_key_is_held_as_the_table_says(desk: Desk, report_task: Task, text: str, stage: str, expected: str) -> None:
    task = under(report_task, RULES[text])
    first = task.enqueue(site_id=5)
    assert first.is_new
    bring(desk, first.id, stage)

    again = task.enqueue(site_id=5)

    assert (again.id == first.id, again.is_new) == ((True, False) if expected == "held" else (False, True))
    assert task.enqueue(site_id=6).is_new, "another key"


@pytest.mark.parametrize("text", RULES)
def test_what_was_discarded_lets_its_key_go(desk: Desk, report_task: Task, text: str) -> None:
    task = under(report_task, RULES[text])
    first = task.enqueue()
    bring(desk, first.id, "it is a dead letter")

    acts.discard(int(first.id))

    assert task.enqueue().is_new


def test_a_period_is_let_go_by_a_cancel_also_while_the_job_runs(desk: Desk, report_task: Task) -> None:
    task = report_task.using(unique=Unique(period_s=60))

    def check() -> None:
        first = task.enqueue()
        desk.take()
        acts.cancel(int(first.id))
        assert task.enqueue().is_new

    must_catch(check, "youtility_tasks_abort_v1", "k.tenant_id = o.tenant_id AND k.job_id = o.id", "false")


def test_a_period_ends_by_the_databases_clock(desk: Desk, report_task: Task) -> None:
    task = report_task.using(unique=Unique(period_s=60))

    def check() -> None:
        first = task.enqueue()
        desk.finish(desk.take(), "succeeded")
        execute("UPDATE youtility_tasks_uniquekey SET held_until = clock_timestamp() + interval '1 second'")
        again = task.enqueue()
        assert (again.id, again.is_new, again.status) == (first.id, False, TaskResultStatus.SUCCESSFUL)
        execute("UPDATE youtility_tasks_uniquekey SET held_until = clock_timestamp()")
        anew = task.enqueue()
        assert anew.is_new and anew.id != first.id
        assert rows(
            "SELECT job_id, held_until > clock_timestamp() + interval '59 s' FROM youtility_tasks_uniquekey"
        ) == [(int(anew.id), True)]
        assert task.enqueue().id == anew.id

    must_catch(check, ENQUEUE, "AND k.held_until > clock_timestamp()", "")


def test_a_period_with_a_while_holds_for_both(desk: Desk, report_task: Task) -> None:
    task = report_task.using(unique=Unique(period_s=60, while_="waiting_or_running"))

    def check() -> None:
        first = task.enqueue()
        execute("UPDATE youtility_tasks_uniquekey SET held_until = clock_timestamp()")
        assert task.enqueue().id == first.id, "it still waits"
        assert not UniqueKey.objects.exists(), "which begins no period"
        desk.finish(desk.take(), "succeeded")
        assert task.enqueue().is_new
        desk.finish(desk.take(), "succeeded")
        assert not task.enqueue().is_new, "its period is not over"

    must_catch(
        check,
        ENQUEUE,
        "DELETE FROM youtility_tasks_uniquekey k\n                     WHERE",
        "DELETE FROM youtility_tasks_uniquekey k\n                     WHERE false AND",
    )


def test_a_period_whose_job_nobody_knows_any_more_is_a_typed_error(desk: Desk, report_task: Task) -> None:
    task = report_task.using(unique=Unique(period_s=60))
    first = task.enqueue()
    desk.finish(desk.take(), "succeeded")
    execute("DELETE FROM youtility_tasks_history")

    with pytest.raises(
        errors.EnqueueError, match=rf"job {first.id} holds this call's key, .*youtility_tasks_uniquekey"
    ):
        task.enqueue()
    assert task.using(unique=False).enqueue().is_new


def test_one_key_of_many_is_found_by_its_own_index(report_task: Task) -> None:
    """Also where the statement was planned on an empty table, as it is in a session that has been there from the first day."""
    task = report_task.using(unique=Unique(by="site_id", period_s=60))
    task.enqueue(site_id=-1)
    execute(
        "INSERT INTO youtility_tasks_uniquekey (tenant_id, task_name, key, job_id, held_until)"
        " SELECT 0, 'report', 'k' || n, n, '9000-01-01' FROM generate_series(1, 2000) n"
    )

    def read() -> int:
        ((count,),) = rows(
            "SELECT idx_tup_fetch + seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'youtility_tasks_uniquekey'"
        )
        return int(count)

    before = read()
    assert task.enqueue(site_id=5).is_new and not task.enqueue(site_id=5).is_new
    assert read() - before < 20


def test_without_its_index_a_key_holds_nothing(desk: Desk, report_task: Task) -> None:
    for index, rule in {
        "youtility_tasks_jobs_done_key": Unique(while_="until_done"),
        "youtility_tasks_jobs_unique_key": Unique(),
        "procrastinate_jobs_queueing_lock_idx_v1": Unique(while_="waiting"),
    }.items():
        task = report_task.using(unique=rule)
        for is_there in (True, False):
            with undone():
                if not is_there:
                    execute(f"DROP INDEX {index}")
                task.enqueue()
                assert task.enqueue().is_new is not is_there, index


@pytest.mark.parametrize("text", RULES)
def test_a_conflict_is_an_answer_and_no_error(report_task: Task, text: str) -> None:
    task = under(report_task, RULES[text])

    def check() -> None:
        first = task.enqueue()
        execute("UPDATE youtility_tasks_uniquekey SET held_until = clock_timestamp()")
        assert task.enqueue().is_new is (text == "Unique(period_s=3600)")
        assert first.is_new

    (guard, instead) = ("ON CONFLICT DO NOTHING;", ";")
    if text == "Unique(period_s=3600)":
        guard, instead = (
            "DO UPDATE SET job_id = 0, held_until = excluded.held_until",
            "DO UPDATE SET job_id = k.job_id / 0",
        )
    must_catch(check, ENQUEUE, guard, instead)


def test_what_was_rolled_back_holds_nothing(report_task: Task) -> None:
    for rule in RULES.values():
        task = under(report_task, rule)
        with transaction.atomic():
            task.enqueue(site_id=9)
            transaction.set_rollback(True)

        assert task.enqueue(site_id=9).is_new
        assert not task.enqueue(site_id=9).is_new


def test_a_job_whose_worker_died_holds_its_key(desk: Desk, report_task: Task) -> None:
    for n, while_ in enumerate(("waiting", "waiting_or_running", "until_done")):
        task = report_task.using(unique=Unique(while_=while_))  # type: ignore[arg-type]
        first = task.enqueue(site_id=n)
        desk.take()
        desk.fall_silent()
        assert rescue() == {int(first.id): "rescued"}

        assert task.enqueue(site_id=n).id == first.id
        desk = Desk()
        desk.finish(desk.take(), "succeeded")


def test_a_job_that_comes_back_for_its_retry_goes_on_without_a_key_that_another_has(
    desk: Desk, report_task: Task
) -> None:
    task = report_task.using(unique=Unique(while_="waiting"))
    first = task.enqueue()
    held = desk.take()
    second = task.enqueue()

    assert desk.finish(held, "retry")

    assert (job(first.id).queueing_lock, task.enqueue().id) == (None, second.id)


def test_a_dead_letter_that_is_retried_holds_its_key_on(desk: Desk, report_task: Task) -> None:
    task = report_task.using(unique=Unique(while_="until_done"))
    first = task.enqueue()
    bring(desk, first.id, "it is a dead letter")
    found = task.enqueue()
    assert (found.id, found.status) == (first.id, TaskResultStatus.FAILED)

    acts.retry(int(first.id))

    assert task.enqueue().id == first.id
    bring(desk, first.id, "it has succeeded")
    assert task.enqueue().is_new


# -- whose key


@pytest.mark.parametrize("text", RULES)
def test_keys_of_two_tenants_or_tasks_never_meet(
    declare: Callable[..., Task], acme: int, other_tenant: int, text: str
) -> None:
    def one(*, site_id: int = 1) -> None:
        return None

    one.__module__, one.__qualname__ = __name__, "one"
    tasks = [under(declare(one, name=name), RULES[text]) for name in ("report_a", "report_b")]
    ids = []
    for client in (acme, other_tenant):
        with tenant(client):
            for task in tasks:
                made = task.enqueue(site_id=5)
                assert made.is_new and task.enqueue(site_id=5).id == made.id
                ids.append(made.id)

    assert len(set(ids)) == 4


def test_text_and_rules_of_the_same_words_do_not_meet_but_where_they_are_the_same(report_task: Task) -> None:
    text = report_task.using(unique="k").enqueue()

    assert report_task.using(unique=Unique(key="k")).enqueue().id == text.id
    assert report_task.using(unique=Unique(key="k", while_="waiting")).enqueue().is_new
    assert report_task.using(unique=Unique(key="k", while_="until_done")).enqueue().is_new
    assert report_task.using(unique=Unique(key="k", period_s=9)).enqueue().is_new
    assert report_task.using(debounce=Debounce(9, key="k")).enqueue().is_new


def test_a_function_says_which_calls_share_a_key_and_which_have_none(ruled: Callable[..., Task]) -> None:
    task = ruled(unique=Unique(key=lambda args: f"site {args['site_id']}" if args["site_id"] else None))

    ids = [result.id for result in enqueue_many(task, [{"site_id": n} for n in (1, 0, 1, 0, 2)])]

    assert ids[0] == ids[2] and len(set(ids)) == 4
    assert task.enqueue(site_id=0).is_new and not task.enqueue(site_id=2).is_new


def test_a_declared_rule_is_for_every_call_and_may_be_taken_away(ruled: Callable[..., Task]) -> None:
    task = ruled(unique=Unique(by="site_id"))
    first = task.enqueue(site_id=5)

    assert task.using(priority=1).enqueue(site_id=5, reason="x").id == first.id
    assert task.delay(site_id=5).id == first.id
    assert task.apply_async((5,), countdown=60).id == first.id
    assert task.using(unique=False).enqueue(site_id=5).is_new
    assert task.using(debounce=5).enqueue(site_id=5).is_new, "another rule in its place"


# -- batches


def test_of_a_batch_with_one_key_the_first_call_makes_the_job(report_task: Task) -> None:
    calls = [{"site_id": n % 2, "reason": f"call {n}"} for n in range(5)]
    waiting = report_task.using(unique=Unique(by="site_id")).enqueue(site_id=1)

    results = enqueue_many(report_task.using(unique=Unique(by="site_id")), calls)

    assert [each.is_new for each in results] == [True, False, False, False, False]
    assert [each.id for each in results[1::2]] == [waiting.id] * 2 and len({each.id for each in results[::2]}) == 1
    assert job(results[0].id).args == {"site_id": 0, "reason": "call 0"}


def test_a_batch_that_is_debounced_leaves_its_last_call(ruled: Callable[..., Task]) -> None:
    task = ruled(debounce=Debounce(30, by="site_id"))

    results = enqueue_many(task, [{"site_id": 1, "reason": f"call {n}"} for n in range(4)])

    assert [(each.is_new, each.is_replaced) for each in results] == [(True, False), *[(False, True)] * 3]
    assert [row.args["reason"] for row in Job.objects.all()] == ["call 3"]


def test_a_batch_of_another_tenant_that_is_not_active_is_refused(ruled: Callable[..., Task], acme: int) -> None:
    task = ruled(tenant="one", unique=Unique(by="site_id"))
    execute("UPDATE youtility_tasks_tenant SET is_active = false WHERE id = %s", acme)

    with tenant(acme), pytest.raises(errors.UnknownTenant):
        enqueue_many(task, [{"site_id": 1}, {"site_id": 2}])
    assert not Job.objects.exists() and not UniqueKey.objects.exists()


# -- upkeep, and what people are told


def test_upkeep_takes_away_the_keys_whose_period_is_over(report_task: Task) -> None:
    for n in range(5):
        report_task.using(unique=Unique(period_s=600)).enqueue(site_id=n)
    execute(
        "UPDATE youtility_tasks_uniquekey SET held_until = clock_timestamp() - interval '2 minutes' WHERE job_id %% 2 = 0"
    )
    ((over,),) = rows("SELECT count(*) FROM youtility_tasks_uniquekey WHERE held_until < clock_timestamp()")
    assert 0 < over < 5

    assert unique_keys.forget_over(lambda: False, batch=1) == (over, True)
    assert UniqueKey.objects.count() == 5 - over
    assert unique_keys.forget_over(lambda: False) == (0, True)


def test_a_job_says_what_it_holds_and_until_when(desk: Desk, report_task: Task) -> None:
    held = report_task.using(unique=Unique(key="k", while_="until_done", period_s=600)).enqueue()
    bring(desk, held.id, "it is a dead letter")

    found = why.why(int(held.id))

    assert "Later calls with its key 'k' are answered with it until it has succeeded or was cancelled" in found.sentence
    assert [(each["key"], each["while_"]) for each in found.facts["holds"]] == [("k", "until_done"), ("k", "period")]
    acts.discard(int(held.id))
    assert "holds" not in why.why(int(held.id)).facts

    debounced = report_task.using(debounce=Debounce(30, key="d")).enqueue()
    assert (
        "Later calls with its key 'd' give it their arguments and move it while it waits."
        in why.why(int(debounced.id)).sentence
    )
    desk_job = report_task.using(unique=Unique(key="w", while_="waiting")).enqueue()
    assert [each["while_"] for each in why.why(int(desk_job.id)).facts["holds"]] == ["waiting"]
