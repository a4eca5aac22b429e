"""The verdict: a pure function of what a run has left behind.

A call is lost if it was acknowledged and has no effect; double if it has two. Celery promises that a call runs at least once: one that runs in Celery twice
is told and not judged, the effects ledger makes one effect of it. What runs on both sides, or twice on ours, must have met a fault.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from youtility_tasks.verify.case import Check, Fault, Violation
from youtility_tasks.verify.entries import Entry, Kind

from .evidence import Evidence

_MOST = 20
"""So many violations of a check are told."""
_SAME_S = 0.001


@dataclass(slots=True)
class Run:
    """One run of a call."""

    side: str
    pid: int
    begin: int
    end: int | None = None
    became: str = ""


@dataclass(slots=True)
class Call:
    """One key: what was said of it, and its runs, oldest first."""

    key: str
    task: str = ""
    celery_id: str = ""
    """What the call site was given: a job's, or Celery's."""
    kinds: set[Kind] = field(default_factory=set)
    runs: list[Run] = field(default_factory=list)


def check(evidence: Evidence) -> list[Check]:
    """Judge a run that was drained."""
    calls = calls_of(evidence)
    effects = Counter(key for key, side in evidence.effects)
    return [
        _lost(evidence, calls, effects),
        _double(effects),
        *_sides(evidence, calls),
        _shadows(evidence),
        _all_tasks(evidence, calls),
        _ticks_counted(evidence),
        _ticks_once(evidence),
        _ticks_missed(evidence),
        _faults(evidence),
        _moves(evidence),
        _at_rest(evidence),
    ]


def calls_of(evidence: Evidence) -> list[Call]:
    """The calls of the load, with their runs."""
    found: dict[str, Call] = {}
    open_runs: dict[tuple[str, int], Run] = {}
    for entry in evidence.ledger:
        if not entry.key or entry.key == evidence.tick:
            continue
        call = found.setdefault(entry.key, Call(entry.key))
        call.kinds.add(entry.kind)
        call.task = entry.data.get("task", call.task)
        call.celery_id = entry.data.get("id", call.celery_id)
        if entry.kind is Kind.BEGIN:
            run = Run(entry.data["side"], entry.pid, entry.at)
            call.runs.append(run)
            open_runs[entry.key, entry.pid] = run
        elif entry.kind is Kind.END and (entry.key, entry.pid) in open_runs:
            run = open_runs.pop((entry.key, entry.pid))
            run.end, run.became = entry.at, entry.data.get("became", "")
    return list(found.values())


def _check(name: str, expected: str, got: str, violations: Iterable[Violation]) -> Check:
    return Check(name, expected, got, list(violations)[:_MOST])


def _lost(evidence: Evidence, calls: list[Call], effects: Counter[str]) -> Check:
    accepted = [each for each in calls if Kind.ACK in each.kinds]
    without = [each for each in accepted if not effects[each.key]]
    was_killed = any(each.name == "kill redis" for each in _faults_of(evidence.ledger))
    theirs = {
        each.key for each in without if was_killed and each.celery_id in evidence.lost_by_celery and not each.runs
    }
    lost = [each for each in without if each.key not in theirs]
    said = [Violation(each.key, f"{each.task} was called, and has no effect; runs: {each.runs}") for each in lost]
    more = (
        f"; {len(theirs)} by Celery's worker, which had popped them and not written them down as Redis was killed"
        if theirs
        else ""
    )
    return _check("lost", "0", f"{len(lost)} of {len(accepted)} calls{more}", said)


def _double(effects: Counter[str]) -> Check:
    double = {key: n for key, n in effects.items() if n > 1}
    return _check(
        "double effects", "0", str(len(double)), (Violation(key, f"{n} effects") for key, n in double.items())
    )


def _sides(evidence: Evidence, calls: list[Call]) -> list[Check]:
    faults = _faults_of(evidence.ledger)
    both, twice, in_celery = [], [], 0
    for call in calls:
        sides = Counter(run.side for run in call.runs)
        in_celery += sides["celery"] > 1
        if len(call.runs) < 2 or not sides["ours"]:
            continue
        # Each but the last must have met a fault: otherwise there was nothing to run again.
        unexplained = [run for run, after in pairwise(call.runs) if not _explained(run, after.begin, faults)]
        if unexplained and sides["celery"] and any(run.side != call.runs[-1].side for run in unexplained):
            both.append(Violation(call.key, f"{call.task}: {call.runs}"))
        elif unexplained and sides["ours"] > 1:
            twice.append(Violation(call.key, f"{call.task}: {call.runs}"))
    return [
        _check("run on both sides", "0 that no fault explains", f"{len(both)} of {len(calls)} calls", both),
        _check(
            "run twice by ours",
            "0 that no fault explains",
            f"{len(twice)}; twice within Celery, with one effect: {in_celery}",
            twice,
        ),
    ]


def _explained(run: Run, until: int, faults: list[Fault]) -> bool:
    """Whether a fault met it; one that did not end was under way until the next one began."""
    end = until if run.end is None else run.end
    return any(fault.explains({run.pid}, run.begin, end) for fault in faults)


def _faults_of(ledger: list[Entry]) -> list[Fault]:
    found = []
    for entry in ledger:
        if entry.kind is Kind.NEMESIS:
            pids = entry.data["pids"]
            found.append(
                Fault(
                    entry.data["fault"], entry.data["from"], entry.data["to"], None if pids == "*" else frozenset(pids)
                )
            )
    return found


def _shadows(evidence: Evidence) -> Check:
    left = [Violation(key, "an effect of a shadow") for key, side in evidence.effects if side == "shadow"]
    left += [Violation(name, "parity: a result or an outcome differs") for name in evidence.parity]
    if not evidence.shadows:
        left.append(Violation("shadows", "none has run"))
    return _check("shadows", "they run, leave nothing and differ in nothing", f"{evidence.shadows} have run", left)


def _all_tasks(evidence: Evidence, calls: list[Call]) -> Check:
    sides: dict[str, set[str]] = defaultdict(set)
    for call in calls:
        sides[call.task] |= {run.side for run in call.runs}
    missing = [
        Violation(name, f"has run on: {', '.join(sorted(sides[name])) or 'no side'}")
        for name in evidence.tasks
        if not sides[name] >= {"celery", "ours"}
    ]
    returned = {call.task for call in calls for run in call.runs if run.became == "returned"}
    n = len(evidence.tasks)
    return _check(
        "tasks", f"{n} have run on both sides", f"{n - len(missing)}; {len(returned)} did what they do", missing
    )


# -- the schedule that Beat has handed over


def _ticks_counted(evidence: Evidence) -> Check:
    ran = {entry.job_id for entry in evidence.ledger if entry.key == evidence.tick and entry.kind is Kind.EFFECT}
    beat, ours = evidence.beat.counted, len(evidence.beat.ours)
    wrong = []
    if len(ran) != beat + ours:
        wrong.append(Violation("ticks", f"{len(ran)} jobs ran"))
    if not beat or not ours:
        wrong.append(Violation("ticks", "each side must have fired"))
    return _check("ticks that ran", f"{beat} of Beat and {ours} of ours", str(len(ran)), wrong)


def _ticks_once(evidence: Evidence) -> Check:
    beat = evidence.beat
    again = [
        Violation(f"{at:.3f}", f"Beat had fired by {beat.last_at:.3f}")
        for at in beat.ours
        if at <= beat.last_at + _SAME_S
    ]
    again += [Violation(f"{at:.3f}", f"{n} times") for at, n in Counter(beat.ours).items() if n > 1]
    if beat.counted_at_end != beat.counted:
        again.append(Violation("Beat", f"fired {beat.counted_at_end - beat.counted} times after the hand-over"))
    return _check("ticks fired twice", "0", str(len(again)), again)


def _ticks_missed(evidence: Evidence) -> Check:
    beat = evidence.beat
    due = int(beat.settled_to - beat.last_at + _SAME_S)
    known = {round(at - beat.last_at) for at in beat.ours}
    for first, count in beat.noted:
        known |= {round(first - beat.last_at) + n for n in range(count)}
    missed = [Violation(f"+{n} s", "neither fired nor noted") for n in range(1, due + 1) if n not in known]
    noted = sum(count for _, count in beat.noted)
    return _check(
        "ticks missed",
        f"0 of {due} since Beat's last",
        f"{len(missed)}; {noted} that fell due while neither fired are one",
        missed,
    )


# -- what was done to it


def _faults(evidence: Evidence) -> Check:
    names = {each.name for each in _faults_of(evidence.ledger)}
    wanted = {"kill celery", "kill ours", "kill redis"}
    missing = [Violation(name, "did not happen") for name in sorted(wanted - names)]
    if evidence.rollbacks < 3:
        missing.append(Violation("rollbacks", f"{evidence.rollbacks} of 3"))
    return _check(
        "faults",
        "3 rollbacks; Celery's worker, ours and Redis killed",
        f"{evidence.rollbacks} rollbacks; {', '.join(sorted(names))}",
        missing,
    )


def _moves(evidence: Evidence) -> Check:
    got = {**evidence.moved, "adopted": evidence.adopted}
    missing = [Violation(where, "none was moved") for where in ("postgres", "celery", "adopted") if not got.get(where)]
    return _check(
        "moved while they waited",
        "some each way, and adopted",
        ", ".join(f"{name} {n}" for name, n in sorted(got.items())),
        missing,
    )


def _at_rest(evidence: Evidence) -> Check:
    left = [Violation(where, f"{n} wait") for where, n in sorted(evidence.waiting.items()) if n]
    left += [Violation(name, f"goes to {side}") for name, side in sorted(evidence.routes.items()) if side != "postgres"]
    return _check("at rest", "nothing waits, every task goes to postgres", f"{len(evidence.routes)} routes", left)
