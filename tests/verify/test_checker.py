"""The verdict on ledgers that were made by hand: each invariant is found broken when it is, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.verify.story import Story
from youtility_tasks.verify.checker import life_of
from youtility_tasks.verify.entries import Evidence, Kind


@pytest.fixture
def story() -> Story:
    """A run in which one other job went well."""
    return Story().well("brief-9", 9, pid=900)


def test_a_run_in_which_all_goes_well_breaks_nothing(story: Story) -> None:
    story.well()

    assert story.broken() == set()
    assert story.checks()["L"].got == "ok 2 lost 0 ambiguous 0 duplicated 0 stuck 0"


def test_a_run_that_never_was_breaks_nothing() -> None:
    assert Story().broken() == set()


# -- L


def test_an_accepted_job_that_is_nowhere_is_lost(story: Story) -> None:
    story.enqueued("instant-1", 1)

    assert story.broken() == {"L"}
    assert story.checks()["L"].violations[0].what == "accepted, and neither in the queue nor in the history"


def test_a_job_whose_history_vanished_is_lost_though_it_ran(story: Story) -> None:
    story.enqueued("instant-1", 1)
    story.ran("instant-1", 1)

    assert "L" in story.broken()


@pytest.mark.parametrize("status", ["todo", "doing"])
def test_a_job_that_waits_or_runs_at_rest_is_stuck(story: Story, status: str) -> None:
    story.enqueued("instant-1", 1)
    story.queued("instant-1", 1, status, worker_id=4)

    assert story.broken() == {"L"}
    assert "stuck 1" in story.checks()["L"].got


@pytest.mark.parametrize("jobs", [0, 1])
def test_an_enqueue_that_was_not_answered_may_have_made_one_job_or_none(story: Story, jobs: int) -> None:
    story.tell(Kind.INTENT, "instant-1")
    story.tell(Kind.AMBIGUOUS, "instant-1")
    for job_id in range(1, jobs + 1):
        story.ran("instant-1", job_id)
        story.recorded("instant-1", job_id)

    assert story.broken() == set()
    assert "ambiguous 1" in story.checks()["L"].got


def test_an_enqueue_that_was_not_answered_may_not_have_made_two(story: Story) -> None:
    story.tell(Kind.INTENT, "instant-1")
    story.tell(Kind.AMBIGUOUS, "instant-1")
    for job_id in (1, 2):
        story.ran("instant-1", job_id, pid=job_id)
        story.recorded("instant-1", job_id)

    assert {"L", "E"} <= story.broken()


def test_a_transaction_that_was_taken_back_leaves_no_job(story: Story) -> None:
    story.tell(Kind.INTENT, "rolled_back-1")
    story.tell(Kind.ROLLED_BACK, "rolled_back-1")
    assert story.broken() == set()

    story.ran("rolled_back-1", 1)
    story.recorded("rolled_back-1", 1)
    assert "L" in story.broken()


def test_an_acknowledgement_before_a_rollback_is_a_loss(story: Story) -> None:
    story.tell(Kind.INTENT, "rolled_back-1")
    story.tell(Kind.ACK, "rolled_back-1", job_id=1)
    story.tell(Kind.ROLLED_BACK, "rolled_back-1")

    assert story.broken() == {"L"}


def test_a_job_that_nobody_enqueued_is_found(story: Story) -> None:
    story.recorded("instant-1", 1)

    assert "L" in story.broken()


# -- T


def test_a_job_may_end_once(story: Story) -> None:
    story.well()
    story.recorded("instant-1", 1, claim=2)

    assert "T" in story.broken()


def test_a_job_must_end_as_its_shape_says(story: Story) -> None:
    story.enqueued("always_fails-1", 1)
    story.tell(Kind.BEGIN, "always_fails-1", job_id=1, claim=1, pid=1)
    story.tell(Kind.END, "always_fails-1", job_id=1, claim=1, pid=1, outcome="ok")
    story.recorded("always_fails-1", 1)

    assert story.broken() == {"T"}


@pytest.mark.parametrize(("outcome", "status"), [("failed", None), ("lost", "failed")])
def test_a_dead_letter_and_its_final_failure_belong_together(story: Story, outcome: str, status: str | None) -> None:
    story.enqueued("always_fails-1", 1)
    story.recorded("always_fails-1", 1, outcome=outcome)
    if status:
        story.queued("always_fails-1", 1, status)
    story.fault()

    assert "T" in story.broken()


def test_a_dead_letter_that_was_given_new_attempts_may_end_again(story: Story) -> None:
    story.enqueued("always_fails-1", 1)
    story.tell(Kind.REOPEN, "always_fails-1", job_id=1)
    for claim in (1, 3):
        story.recorded("always_fails-1", 1, claim=claim, outcome="failed")
    story.queued("always_fails-1", 1, "failed")

    assert story.broken() == set()


def test_attempts_are_counted_on_after_new_attempts_were_given(story: Story) -> None:
    story.enqueued("always_fails-1", 1)
    story.tell(Kind.REOPEN, "always_fails-1", job_id=1)
    for claim, attempt in ((1, 3), (3, 1)):
        story.recorded("always_fails-1", 1, claim=claim, attempt=attempt, outcome="failed")
    story.queued("always_fails-1", 1, "failed")

    assert story.broken() == {"T"}


# -- F


def test_two_writes_under_one_claim_are_one_too_many(story: Story) -> None:
    story.enqueued("instant-1", 1)
    story.ran("instant-1", 1)
    story.fault(100)
    story.recorded("instant-1", 1, outcome="lost")
    story.recorded("instant-1", 1)

    assert "F" in story.broken()


def test_an_end_by_a_claim_that_had_lost_the_job_is_found(story: Story) -> None:
    story.enqueued("instant-1", 1)
    story.ran("instant-1", 1, claim=1)
    story.fault(100)
    story.ran("instant-1", 1, claim=2, pid=200)
    story.recorded("instant-1", 1, claim=1)

    assert story.broken() == {"F"}


def test_rejecting_a_write_that_was_not_stale_is_found(story: Story) -> None:
    story.counted(stale_writes_rejected_total=1)

    assert story.broken() == {"F"}


@pytest.mark.parametrize(("counted", "broken"), [(1, set()), (0, {"F"})])
def test_the_counter_of_rejected_writes_agrees_with_the_ledger(story: Story, counted: int, broken: set[str]) -> None:
    lost_and_run_again(story)
    story.tell(Kind.REJECTED, job_id=1)
    story.counted(stale_writes_rejected_total=counted, rescued_total=1)

    assert story.broken() == broken


@pytest.mark.parametrize(("fault", "pids"), [("kill a worker", [100]), ("reset storm", "*")])
def test_a_worker_or_a_database_that_ended_may_have_left_a_rejected_write_uncounted(
    story: Story, fault: str, pids: list[int] | str
) -> None:
    lost_and_run_again(story)
    story.tell(Kind.REJECTED, job_id=1)
    story.tell(Kind.NEMESIS, fault=fault, pids=pids, **{"from": 0, "to": 10**9})
    story.counted(rescued_total=1)

    assert story.broken() == set()


def lost_and_run_again(story: Story) -> None:
    """A frozen worker's job, which it finished too late."""
    story.tell(Kind.NEMESIS, fault="freeze a worker", pids=[100], **{"from": 0, "to": 10**9})
    rescued(story)


# -- E


def rescued(story: Story) -> None:
    story.enqueued("instant-1", 1)
    story.ran("instant-1", 1, claim=1, ends="")
    story.ran("instant-1", 1, claim=2, pid=200)
    story.recorded("instant-1", 1, claim=1, outcome="lost")
    story.recorded("instant-1", 1, claim=2)


def test_an_effect_that_happened_again_needs_a_fault(story: Story) -> None:
    rescued(story)

    assert story.broken() == {"E", "A"}


def test_a_fault_that_met_the_process_explains_it(story: Story) -> None:
    rescued(story)
    story.fault(100, 101)

    assert story.broken() == set()
    assert "duplicated 1 explained 1" in story.checks()["E"].got


@pytest.mark.parametrize(("pids", "start", "end"), [((300,), 0, 10_000), ((100,), 9_000, 10_000), ((100,), 0, 5)])
def test_a_fault_elsewhere_or_at_another_time_explains_nothing(
    story: Story, pids: tuple[int, ...], start: int, end: int
) -> None:
    rescued(story)
    story.fault(*pids, start=start, end=end)

    assert "E" in story.broken()


@pytest.mark.parametrize("rows", [0, 2])
def test_an_exactly_once_effect_is_there_once_whatever_happened(story: Story, rows: int) -> None:
    story.well("once-1")
    story.effects(once_1=1)
    assert story.broken() == set()

    story.effects(once_1=rows)
    story.fault()
    assert story.broken() == {"E"}


def test_a_success_without_its_effect_is_found(story: Story) -> None:
    story.enqueued("instant-1", 1)
    story.tell(Kind.BEGIN, "instant-1", job_id=1, claim=1, pid=1)
    story.tell(Kind.END, "instant-1", job_id=1, claim=1, pid=1, outcome="ok")
    story.recorded("instant-1", 1)

    assert story.broken() == {"E"}


# -- X, S, N, B, A


def two_of_a_lock(story: Story, *, second_begins: int) -> None:
    for number, (begin, end) in enumerate([(1_000, 1_100), (second_begins, second_begins + 100)], 1):
        key, about = f"locked-{number}", {"job_id": number, "claim": 1, "pid": number}
        story.enqueued(key, number)
        story.tell(Kind.BEGIN, key, **about, lock="l", at=begin)
        story.tell(Kind.EFFECT, key, **about, at=begin + 1)
        story.tell(Kind.END, key, **about, outcome="ok", at=end)
        story.recorded(key, number)


def test_two_of_a_lock_must_not_run_at_once(story: Story) -> None:
    two_of_a_lock(story, second_begins=1_050)

    assert story.broken() == {"X"}


def test_two_of_a_lock_may_run_in_turn(story: Story) -> None:
    two_of_a_lock(story, second_begins=1_101)

    assert story.broken() == set()


def test_a_scheduled_job_must_not_begin_before_its_time(story: Story) -> None:
    story.well("scheduled-1", early_s=0.5)

    assert story.broken() == {"S"}


def test_a_job_must_not_run_for_another_tenant(story: Story) -> None:
    story.enqueued("instant-1", 1)
    about = {"job_id": 1, "claim": 1, "pid": 1}
    story.tell(Kind.BEGIN, "instant-1", **about, tenant=2)
    story.tell(Kind.EFFECT, "instant-1", **about)
    story.tell(Kind.END, "instant-1", **about, outcome="ok")
    story.recorded("instant-1", 1)

    assert story.broken() == {"N"}


@pytest.mark.parametrize(("outcome", "times"), [("retry", 9), ("crashed", 4), ("lost", 11)])
def test_attempts_crashes_and_rescues_keep_to_their_limits(story: Story, outcome: str, times: int) -> None:
    story.fault()
    story.enqueued("instant-1", 1)
    for claim in range(1, times + 1):
        story.recorded("instant-1", 1, claim=claim, outcome=outcome)
    story.ran("instant-1", 1, claim=times + 1)
    story.recorded("instant-1", 1, claim=times + 1)

    assert story.broken() == {"B"}


def test_one_claim_begins_once(story: Story) -> None:
    story.well()
    story.fault()
    story.ran("instant-1", 1, pid=200)

    assert story.broken() == {"B"}


def test_a_success_that_never_came_to_its_end_is_found(story: Story) -> None:
    story.enqueued("instant-1", 1)
    story.ran("instant-1", 1, ends="RuntimeError")
    story.recorded("instant-1", 1)

    assert story.broken() == {"A"}


def test_the_result_of_another_job_is_found(story: Story) -> None:
    story.enqueued("instant-1", 1)
    story.ran("instant-1", 1)
    story.recorded("instant-1", 1, result="instant-2")

    assert story.broken() == {"A"}


def test_the_counter_of_rescues_agrees_with_the_history(story: Story) -> None:
    story.counted(rescued_total=1)

    assert story.broken() == {"A"}


# -- telling


def test_the_whole_life_of_a_key_is_told(story: Story) -> None:
    rescued(story)

    told = "\n".join(life_of(story.evidence(), "instant-1"))

    for part in ("intent", "ack job=1", "begin job=1 claim=2 pid=200", "history job=1 claim=1 attempt=1 lost"):
        assert part in told
    assert "brief-9" not in told


def test_the_evidence_can_be_kept_and_judged_again(story: Story, tmp_path: Path) -> None:
    rescued(story)
    story.queued("instant-2", 2, "doing")
    evidence = story.evidence()

    evidence.save(tmp_path / "kept.json")

    assert Evidence.load(tmp_path / "kept.json") == evidence
