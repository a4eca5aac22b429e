"""Chains, groups, chords and links of Celery's guide to canvas, each a run of a workflow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction

from youtility_tasks import Task, errors, tenant
from youtility_tasks.celery_bridge import AsyncResult, GroupResult, Signature, chain, chord, group, signature
from youtility_tasks.models import BridgeCall, Job, TaskWorkflow
from youtility_tasks.testing import run_jobs

pytestmark = pytest.mark.django_db


def doubled(*, number: int, times: int = 2) -> int:
    return number * times


def told(app: Any, word: str) -> list[tuple[Any, ...]]:
    return [each[1:] for each in app.heard if each[0] == word]


def test_a_signature_is_a_call_that_is_not_made_yet(app: Any) -> None:
    add = app.add
    by_name = signature(add.name, args=(2, 2), countdown=0)
    partial, immutable = add.s(2), add.si(2, 2)
    results = [by_name.delay(), partial.delay(4), partial.clone(args=(8,)).apply_async(), immutable.delay(9)]
    run_jobs()

    assert [each.get() for each in results] == [4, 6, 10, 4]
    assert (by_name.task, by_name.args, by_name.kwargs, by_name.options) == (add.name, (2, 2), {}, {"countdown": 0})
    assert add.s(2, 2)() == 4
    assert repr(add.s(2, 2)) == f"{add.name}(2, 2)"
    again = Signature.from_dict(json.loads(json.dumps(add.s(2, 2) | add.s(4))))
    assert isinstance(again, chain)
    assert again.apply().get() == 8


def test_a_chain_gives_each_result_to_the_next(app: Any) -> None:
    add, mul = app.add, app.mul
    result = chain(add.s(4, 4), mul.s(8), mul.s(10))()
    piped = (add.s(2) | mul.s(4)).apply_async((2,))
    fixed = (add.si(2, 2) | add.si(4, 4)).delay()
    run_jobs()

    assert (result.get(), result.parent.get(), result.parent.parent.get(), result.parent.parent.parent) == (
        640,
        64,
        8,
        None,
    )
    assert (piped.get(), fixed.get(), fixed.parent.get()) == (16, 8, 4)
    first = AsyncResult(result.parent.parent.id)
    assert [each.get() for each in first.children] == [64]
    assert (first.get_leaf(), [value for _, value in first.collect()]) == (640, [8, 64, 640])


def test_a_group_runs_its_members_side_by_side(app: Any) -> None:
    result = group(app.add.s(i, i) for i in range(5))()
    partial = group(app.add.s(2), app.mul.s(3)).delay(10)
    assert (result.ready(), result.waiting(), result.completed_count()) == (False, True, 0)
    run_jobs()

    assert (result.get(), partial.get()) == ([0, 2, 4, 6, 8], [12, 30])
    assert (result.ready(), result.successful(), result.failed(), result.completed_count(), len(result)) == (
        True,
        True,
        False,
        5,
        5,
    )
    restored = GroupResult.restore(result.id)
    assert restored is not None
    assert restored.get() == result.join() == [0, 2, 4, 6, 8]
    assert group([])().get() == []


def test_a_group_with_a_member_that_fails_says_so(app: Any) -> None:
    result = group(app.add.s(1, 1), app.fails.s(), app.add.s(2, 2))()
    run_jobs()

    assert (result.failed(), result.completed_count()) == (True, 2)
    with pytest.raises(ZeroDivisionError):
        result.get()
    assert [each if isinstance(each, int) else type(each).__name__ for each in result.get(propagate=False)] == [
        2,
        "ZeroDivisionError",
        4,
    ]


@pytest.mark.parametrize("how", ["called", "piped", "in a chain", "applied"])
def test_a_chord_gives_the_list_in_order_to_its_body(app: Any, how: str) -> None:
    header = [app.add.s(i, i) for i in range(10)]
    started = {
        "called": lambda: chord(header)(app.xsum.s()),
        "piped": lambda: (group(header) | app.xsum.s()).delay(),
        "in a chain": lambda: chain(group(header), app.xsum.s())(),
        "applied": lambda: chord(header, app.xsum.s()).apply_async(),
    }[how]()
    ordered = chord([app.add.s(i, 0) for i in range(12)])(app.said.s())
    run_jobs()

    assert started.get() == 90
    assert started.parent.get() == [i + i for i in range(10)]
    assert ordered.get() == [list(range(12)), {}]


def test_canvases_nest(app: Any) -> None:
    add, mul, xsum = app.add, app.mul, app.xsum
    to_group = chain(add.s(1, 1), group(add.s(10), mul.s(10)))()
    through = chain(add.s(1, 1), group(add.s(10), mul.s(10)), xsum.s(), mul.s(2))()
    of_chains = chord([chain(add.s(i, i), mul.s(3)) for i in range(3)], xsum.s())()
    twice = chain(group(add.s(1, 1), add.s(2, 2)), group(xsum.s(), app.said.s()))()
    of_groups = group(group(add.s(1, 1), add.s(2, 2)), add.s(3, 3))()
    run_jobs()

    assert to_group.get() == [12, 20]
    assert (through.get(), through.parent.get()) == (64, 32)
    assert of_chains.get() == 18
    assert twice.get() == [6, [[2, 4], {}]]
    assert of_groups.get() == [2, 4, 6]  # as in Celery, one group


def test_map_starmap_and_chunks(app: Any) -> None:
    mapped, star = app.xsum.map([[1, 2], [3]]).delay(), app.add.starmap(zip(range(3), range(3), strict=True)).delay()
    parts = app.add.chunks(zip(range(10), range(10), strict=True), 4)()
    run_jobs()

    assert (mapped.get(), star.get()) == ([3, 3], [0, 2, 4])
    assert parts.get() == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]]
    later = app.add.chunks(zip(range(6), range(6), strict=True), 2).group().skew(start=1, stop=2)
    assert [each.options["countdown"] for each in later.tasks] == [1, 2, 2]


def test_links_begin_with_the_success_of_a_task_and_errbacks_with_its_failure(app: Any) -> None:
    linked = app.add.apply_async((2, 2), link=[app.mul.s(16), app.said.si("linked")], link_error=app.told.s())
    failing = app.fails.apply_async(link=app.said.si("never"), link_error=[app.told.s(), app.told_the_id.s()])
    run_jobs()

    assert linked.get() == 4
    assert sorted(str(each.get()) for each in linked.children) == ["64", "['linked', {}]"]
    assert told(app, "told") == [(failing.id, app.fails.name, True, True, True)]
    assert told(app, "told the id") == [(failing.id,)]
    assert told(app, "said") == [("linked",)]


def test_a_chain_ends_with_the_first_failure_and_each_errback_hears_of_it_once(app: Any) -> None:
    whole = chain(app.add.s(1, 1), app.fails.si(), app.said.s()).apply_async(link_error=app.told.s())
    run_jobs()

    assert (whole.state, whole.ready()) == ("FAILURE", True)
    with pytest.raises(ZeroDivisionError, match="unluckily"):
        whole.get()
    assert told(app, "told") == [(whole.parent.id, app.fails.name, True, True, True)]
    assert told(app, "said") == []


def test_the_errback_of_a_chord_hears_once_of_a_header_that_failed(app: Any) -> None:
    broken = (group(app.add.s(1, 1), app.fails.s(), app.fails.s()) | app.xsum.s().on_error(app.told.s())).delay()
    whole = chord([app.add.s(1, 1)], app.xsum.s().on_error(app.told.s()))()
    in_body = chord([app.add.s(1, 1)], app.fails.si().on_error(app.told.s()))()
    run_jobs()

    assert (broken.state, whole.get(), in_body.state) == ("FAILURE", 2, "FAILURE")
    assert sorted(each[0] for each in told(app, "told")) == sorted([broken.id, in_body.id])
    assert all(each[2:] == (True, True, True) for each in told(app, "told"))


def test_what_ignores_its_job_lets_nothing_begin_behind_it(app: Any) -> None:
    whole = chain(app.drops.s("ignore"), app.said.s()).apply_async(link_error=app.told.s())
    run_jobs()

    assert whole.parent.state == "IGNORED"
    assert (told(app, "said"), told(app, "told")) == ([], [])


def test_a_canvas_is_in_the_callers_transaction_and_tenant(app: Any, acme: int, other_tenant: int) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        app.order(1).delay()
        raise RuntimeError
    assert not TaskWorkflow.objects.exists()
    with tenant(acme):
        mine = app.order(1, 2).delay()
    run_jobs()
    with tenant(acme):
        assert mine.get() == 60
    with tenant(other_tenant):
        assert AsyncResult(mine.id).state == "PENDING"
        assert AsyncResult(mine.id).children == []
        assert GroupResult.restore(f"{mine.id.partition(':')[0]}:group1") is None


def test_options_of_a_signature_are_those_of_its_step(app: Any) -> None:
    result = group(
        app.add.s(1, 1).set(queue="email", priority=0), app.add.s(2, 2).set(countdown=3600, task_id="the-late-one")
    )()
    slow = chain(app.add.s(1, 1), app.mul.s(2).set(countdown=3600))()
    run_jobs()

    late = Job.objects.get(pk=Job.objects.order_by("pk").first().pk)  # type: ignore[union-attr]
    assert (late.scheduled_at is not None, result[0].get(), result[1].state) == (True, 2, "PENDING")
    assert BridgeCall.objects.get(celery_id="the-late-one").workflow_id is not None
    assert AsyncResult("the-late-one").state == "PENDING"
    assert (slow.state, slow.parent.get()) == ("PENDING", 2)
    AsyncResult("the-late-one").revoke()
    assert AsyncResult("the-late-one").state == "REVOKED"
    with pytest.raises(errors.Refused, match="Cancel the whole canvas"):
        chain(app.add.s(1, 1), app.add.s(1))().revoke()


def test_an_id_for_a_canvas_is_that_of_its_last_task(app: Any) -> None:
    chained = chain(app.add.s(1, 1), app.about_me.s()).apply_async(task_id="of-the-chain")
    body = chord([app.add.s(1, 1)], app.about_me.s()).apply_async(task_id="of-the-chord")
    linked = app.about_me.apply_async(task_id="linked", link=app.said.s())
    run_jobs()

    assert [each.id for each in (chained, body, linked)] == ["of-the-chain", "of-the-chord", "linked"]
    assert [AsyncResult(each.id).get()["id"] for each in (chained, body, linked)] == [
        each.id for each in (chained, body, linked)
    ]
    assert (AsyncResult("of-the-chain").parent.get(), len(AsyncResult("linked").children)) == (2, 1)


def test_a_signature_is_an_argument(app: Any) -> None:
    result = app.calls_back.delay(7, app.mul.s(6))
    run_jobs()

    assert AsyncResult(result.get()).get() == 42


def test_members_know_their_group_and_their_family(app: Any) -> None:
    whole = chain(app.about_me.s(0), group(app.about_me.s(), app.about_me.s()))()
    run_jobs()
    first, second = whole.get()

    assert (first["index"], second["index"], first["group"]) == (0, 1, whole.id)
    assert first["root_id"] == first["parent_id"] == whole[0].parent.id
    assert [each["id"] for each in (first, second)] == [each.id for each in whole]


def test_our_own_tasks_stand_in_canvases(app: Any, declare: Any) -> None:
    task: Task = declare(doubled, tenant="all")
    mixed = chain(app.add.s(1, 1), task.s(), task.s(times=5), app.add.s(1))()
    linked = task.apply_async((4,), link=app.said.s())
    run_jobs()

    assert mixed.get() == 21
    assert (linked.get(), [each.get() for each in linked.children]) == (8, [[8, {}]])
    assert (task.apply((4,)).get(), task.s(4)(), chain(task.s(4), task.s()).apply().get()) == (8, 8, 16)
    with pytest.raises(errors.NotOfCelery, match=r"flow\.fan_out"):
        chord([app.add.s(1, 1)], task.s())()
    with pytest.raises(errors.NotOfCelery, match="si"):
        chain(app.add.s(1, 1), task.s(1, 2))()


def test_a_task_starts_a_canvas(app: Any) -> None:
    outer = app.starts_a_chord.delay([1, 2])
    run_jobs()

    assert AsyncResult(outer.get()).get() == 6


def test_a_canvas_may_be_large(app: Any) -> None:
    result = chord([app.add.si(1, 1) for _ in range(150)])(app.xsum.s())
    run_jobs()

    assert result.get() == 300
