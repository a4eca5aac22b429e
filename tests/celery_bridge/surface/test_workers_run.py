"""A task of each kind in real workers: what only processes, clocks and commits can show."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from django.db import transaction

from tests.acceptance.crew import QUICK, Crew, until
from tests.celery_bridge.surface.app import tasks
from youtility_tasks import errors
from youtility_tasks.celery_bridge import AsyncResult, chain, chord, group

pytestmark = pytest.mark.timeout(110)


def told(crew: Crew, event: str) -> list[list[str]]:
    return [each["said"] for each in crew.diary(event)]


def test_calls_and_their_arguments(at_work: Crew) -> None:
    with transaction.atomic():
        result = tasks.about_me.apply_async((1,), {"a": 2}, queue="email", headers={"who": "me"})
        with pytest.raises(errors.WaitRefused):
            result.get()

    me = result.get(timeout=20)
    assert (me["id"], me["args"], me["kwargs"], me["queue"], me["who"]) == (result.id, [1], {"a": 2}, "email", "me")
    assert tasks.add.apply_async((2, 2), countdown=0.2).get(timeout=20) == 4
    assert tasks.adding.delay(1).get(timeout=20) == 11


def test_a_retry_waits_as_long_as_its_task_has_asked_for(at_work: Crew) -> None:
    result = tasks.patient.delay()

    assert result.get(timeout=20) == 1
    first, second = at_work.queue.rows(
        "SELECT started_at, finished_at FROM youtility_tasks_history WHERE job_id = %s ORDER BY id", int(result.id)
    )
    waited_s = (second[0] - first[1]).total_seconds() / QUICK["retry_delay_factor"]
    assert 90 < waited_s < 1_500, (
        "a hundred seconds of a clock that goes a hundred times as fast, and the worker's way to it"
    )


def test_retries_and_hooks(at_work: Crew) -> None:
    retried, given_up, refreshed, noted, other = (
        tasks.tweet.delay(2), tasks.tweet.delay(9), tasks.refresh.delay(2), tasks.noted.delay("retry"), tasks.counts_down.delay(2),
    )  # fmt: skip

    assert retried.get(timeout=20) == [2, {}]
    with pytest.raises(ConnectionError):
        given_up.get(timeout=20)
    assert (refreshed.get(timeout=20), noted.get(timeout=20), other.get(timeout=20)) == (2, "retry", [2, 0, "again"])
    own = [each["event"] for each in at_work.diary() if noted.id in each["said"] and each["event"] != "waits"]
    assert own == ["before_start", "on_retry", "before_start", "on_success", "after_return"]


def test_a_time_limit_is_seen_under_celerys_name(at_work: Crew) -> None:
    result = tasks.works_too_long.delay()

    assert result.get(timeout=20) == "cleaned up in a hurry"


def test_a_state_of_its_own_while_it_runs(at_work: Crew) -> None:
    gate = at_work.gate("uploads")
    result = tasks.uploads.delay(["a", "b", "c"], str(gate))

    until(lambda: result.state == "PROGRESS" and result.info == {"current": 2, "total": 3})
    gate.touch()
    assert result.get(timeout=20) == 3


def test_chords_and_links_and_errbacks(at_work: Crew) -> None:
    whole = (group(tasks.add.s(i, i) for i in range(20)) | tasks.xsum.s() | tasks.mul.s(2)).delay()
    linked = tasks.add.apply_async((2, 2), link=tasks.mul.s(16))
    failing = chain(tasks.add.s(1, 1), tasks.fails.si(), tasks.add.s(1)).apply_async(link_error=tasks.told.s())
    header = chord([tasks.add.s(1, 1), tasks.fails.s()])(tasks.xsum.s().on_error(tasks.told_the_id.s()))

    assert whole.get(timeout=20) == 760
    assert linked.get(timeout=20) == 4
    assert linked.children[0].get(timeout=20) == 64
    with pytest.raises(ZeroDivisionError):
        failing.get(timeout=20)
    with pytest.raises(ZeroDivisionError):
        header.get(timeout=20)
    until(lambda: told(at_work, "told") and told(at_work, "told the id"))
    assert told(at_work, "told") == [[failing.parent.id, tasks.fails.name, "True", "True", "True"]]
    assert told(at_work, "told the id") == [[header.id]]


def test_a_task_that_is_revoked_while_it_runs(at_work: Crew) -> None:
    gate = at_work.gate("never")
    result = tasks.waits.apply_async((str(gate),), task_id="to-be-revoked")
    until(lambda: told(at_work, "waits"))
    AsyncResult("to-be-revoked").revoke()
    assert result.state == "STARTED"

    AsyncResult("to-be-revoked").revoke(terminate=True)

    until(lambda: result.state == "REVOKED")
    assert ["tests.celery_bridge.surface.app.tasks.waits", "True", "False"] in told(at_work, "revoked")


def test_what_a_killed_process_ran_runs_again_with_the_same_id(at_work: Crew) -> None:
    gate = at_work.gate("later")
    result = tasks.waits.delay(str(gate))
    first = until(lambda: [each for each in at_work.diary("waits") if result.id in each["said"]])[0]
    os.kill(first["pid"], signal.SIGKILL)
    again: Any = until(lambda: [each for each in at_work.diary("waits") if result.id in each["said"]][1:])
    gate.touch()

    assert result.get(timeout=20) == "let go"
    assert again[0]["pid"] != first["pid"]
