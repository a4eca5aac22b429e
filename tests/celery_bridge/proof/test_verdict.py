"""The verdict alone: a run in which all is well, and what each thing that may go wrong turns red."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from youtility_tasks.verify.bridge import verdict
from youtility_tasks.verify.bridge.evidence import Beat, Evidence
from youtility_tasks.verify.bridge.handed_out import lost_by_celery
from youtility_tasks.verify.entries import Entry, Kind

TICK = "tick"
S = 10**9


def entry(kind: Kind, at: float, key: str = "", *, pid: int = 1, job_id: int | None = None, **data: Any) -> Entry:
    return Entry(id=f"{at}-{kind}-{key}-{pid}", kind=kind, at=int(at * S), key=key, pid=pid, job_id=job_id, data=data)


def call(key: str, at: float, side: str, *, pid: int, ends: bool = True) -> list[Entry]:
    said = [
        entry(Kind.INTENT, at, key, task="mail"),
        entry(Kind.ACK, at + 0.1, key, task="mail"),
        entry(Kind.BEGIN, at + 0.2, key, pid=pid, side=side, task="mail"),
    ]
    return said + ([entry(Kind.END, at + 0.3, key, pid=pid, side=side, became="returned")] if ends else [])


def kill(name: str, at: float, pids: Any) -> Entry:
    return entry(
        Kind.NEMESIS, at, fault=f"kill {name}", pids=pids, **{"from": int((at - 0.5) * S), "to": int((at + 0.5) * S)}
    )


@pytest.fixture
def well() -> Evidence:
    ledger = [
        *call("a", 1, "celery", pid=10),
        *call("b", 2, "ours", pid=20),
        *call("c", 3, "celery", pid=11, ends=False),
        entry(Kind.BEGIN, 5, "c", pid=21, side="ours", task="mail"),
        entry(Kind.END, 5.1, "c", pid=21, side="ours", task="mail", became="returned"),
        entry(Kind.AMBIGUOUS, 6, "d", error="broker away"),
        *(entry(Kind.EFFECT, 7 + n, TICK, job_id=-1 - n) for n in range(2)),
        *(entry(Kind.EFFECT, 9 + n, TICK, job_id=1 + n) for n in range(2)),
        kill("celery", 3.5, [11]),
        kill("ours", 30, [20]),
        kill("redis", 40, "*"),
    ]
    return Evidence(
        seed=1, tasks=["mail"], ledger=ledger, effects=[("a", "celery"), ("b", "ours"), ("c", "celery")], tick=TICK,
        beat=Beat(counted=2, counted_at_end=2, last_at=100.5, ours=[102.5, 103.5], noted=[(101.5, 1)], settled_to=103.5),
        shadows=3, moved={"postgres": 2, "celery": 1}, adopted=4, rollbacks=3, routes={"mail": "postgres"}, waiting={"mail here": 0},
    )  # fmt: skip


def red(evidence: Evidence) -> set[str]:
    return {each.name for each in verdict.check(evidence) if not each.ok}


def test_a_run_in_which_all_is_well_is_well(well: Evidence) -> None:
    assert red(well) == set()


def without(evidence: Evidence, *, key: str) -> Evidence:
    return replace(evidence, effects=[each for each in evidence.effects if each[0] != key])


def unkilled(evidence: Evidence, name: str) -> Evidence:
    return replace(evidence, ledger=[each for each in evidence.ledger if each.data.get("fault") != f"kill {name}"])


def more(evidence: Evidence, *entries: Entry) -> Evidence:
    return replace(evidence, ledger=sorted([*evidence.ledger, *entries], key=lambda each: each.at))


AGAIN = [
    entry(Kind.BEGIN, 12, "b", pid=22, side="ours", task="mail"),
    entry(Kind.END, 12.1, "b", pid=22, side="ours", task="mail"),
]
THERE_TOO = [
    entry(Kind.BEGIN, 12, "b", pid=12, side="celery", task="mail"),
    entry(Kind.END, 12.1, "b", pid=12, side="celery", task="mail"),
]

WRONG: list[tuple[str, Callable[[Evidence], Evidence], set[str]]] = [
    ("an effect is missing", lambda e: without(e, key="b"), {"lost"}),
    ("an effect is there twice", lambda e: replace(e, effects=[*e.effects, ("b", "ours")]), {"double effects"}),
    ("the kill that explains a repetition did not happen", lambda e: unkilled(e, "celery"), {"run on both sides", "faults"}),
    ("Celery runs what ours ran", lambda e: more(e, *THERE_TOO), {"run on both sides"}),
    ("ours runs it again", lambda e: more(e, *AGAIN), {"run twice by ours"}),
    ("a shadow leaves an effect", lambda e: replace(e, effects=[*e.effects, ("s", "shadow")]), {"shadows"}),
    ("a shadow differs", lambda e: replace(e, parity=["mail"]), {"shadows"}),
    ("a task never ran here", lambda e: replace(e, tasks=["mail", "report"]), {"tasks"}),
    ("a tick's job is lost", lambda e: replace(e, ledger=[each for each in e.ledger if each.job_id != 2]), {"ticks that ran"}),
    ("a tick of Beat's is fired again", lambda e: replace(e, beat=replace(e.beat, ours=[100.5, 102.5, 103.5], counted=1, counted_at_end=1)), {"ticks fired twice"}),
    ("Beat goes on", lambda e: replace(e, beat=replace(e.beat, counted_at_end=3)), {"ticks fired twice"}),
    ("a tick is nobody's", lambda e: replace(e, beat=replace(e.beat, noted=[])), {"ticks missed"}),
    ("nothing was rolled back", lambda e: replace(e, rollbacks=2), {"faults"}),
    ("nothing was moved back", lambda e: replace(e, moved={"postgres": 2}), {"moved while they waited"}),
    ("something waits", lambda e: replace(e, waiting={"mail in Redis": 1}), {"at rest"}),
    ("a route was forgotten", lambda e: replace(e, routes={"mail": "celery"}), {"at rest"}),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "broken"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_what_is_wrong_turns_its_check_red_and_no_other(
    well: Evidence, spoil: Callable[[Evidence], Evidence], broken: set[str]
) -> None:
    assert red(spoil(well)) == broken


def test_a_call_that_runs_twice_within_celery_is_told_and_not_judged(well: Evidence) -> None:
    twice = more(
        well,
        entry(Kind.BEGIN, 12, "a", pid=13, side="celery", task="mail"),
        entry(Kind.END, 12.1, "a", pid=13, side="celery", task="mail"),
    )

    assert red(twice) == set()
    (told,) = [each.got for each in verdict.check(twice) if each.name == "run twice by ours"]
    assert "twice within Celery, with one effect: 1" in told


def test_evidence_comes_back_from_its_file(well: Evidence, tmp_path: Any) -> None:
    well.save(tmp_path / "e.json")
    again = Evidence.load(tmp_path / "e.json")
    assert red(again) == set()
    assert (sorted(again.ledger, key=lambda e: e.id), again.effects) == (
        sorted(well.ledger, key=lambda e: e.id),
        well.effects,
    )


def test_what_celery_itself_lost_with_redis_is_told_and_only_if_redis_was_killed(well: Evidence) -> None:
    call = [entry(Kind.INTENT, 39, "e", task="mail"), entry(Kind.ACK, 39.1, "e", task="mail", id="c-5")]
    lost = replace(more(well, *call), lost_by_celery=["c-5"])

    assert red(lost) == set()
    assert "1 by Celery's worker" in verdict.check(lost)[0].got
    assert "lost" in red(replace(lost, lost_by_celery=[]))
    assert "lost" in red(unkilled(lost, "redis"))


def test_redis_own_log_says_what_was_popped_and_not_written_down(tmp_path: Path) -> None:
    def said(*words: str) -> bytes:
        return f"*{len(words)}\r\n".encode() + b"".join(f"${len(each)}\r\n{each}\r\n".encode() for each in words)

    first, second, third = (json.dumps({"headers": {"id": each}}) for each in ("one", "two", "three"))
    log = (
        said("SELECT", "0")
        + said("LPUSH", "celery", first)
        + said("LPUSH", "celery", second)
        + said("LPUSH", "celery", third)
    )
    log += (
        said("RPOP", "celery")
        + said("HSET", "unacked", "tag", json.dumps([json.loads(first), "", ""]))
        + said("RPOP", "celery")
    )
    (tmp_path / "appendonly.aof.1.incr.aof").write_bytes(log + said("LPUSH", "celery", "cut")[:-4])

    assert lost_by_celery(tmp_path) == ["two"]
