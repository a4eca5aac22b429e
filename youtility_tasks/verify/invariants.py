"""The nine invariants, each a pure function of the case.

What is repeated must be explained by a fault that was recorded; a duplicate that nobody caused is a failure.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

from .case import Case, Check, Violation
from .entries import Kind
from .lives import Attempt, Life
from .shapes import Effects

CRASHING = {"crashes", "poison"}
"""Shapes that crash without a fault of the run."""

ENDS_A_WORKER = {"kill a worker", "kill a supervisor", "rolling restart", "two SIGTERMs"}


def no_loss(case: Case) -> Check:
    """L: at rest every accepted job has ended once: it is in the history for good, or a dead letter. Nothing waits or runs."""
    broken: list[Violation] = []
    counts: Counter[str] = Counter()
    for life in case.lives:
        rolled_back = life.has(Kind.ROLLED_BACK) and not life.accepted
        live = [row for row in life.jobs if row.status in ("todo", "doing")]
        for row in live:
            counts["stuck"] += 1
            broken.append(Violation(life.key, f"job {row.id} is {row.status} at rest (worker {row.worker_id})"))
        there = {row.id for row in life.jobs} | {row.job_id for row in life.finals}
        if rolled_back and there:
            broken.append(Violation(life.key, f"its transaction was rolled back, and there is {_jobs(there)}"))
        elif life.accepted and not there:
            counts["lost"] += 1
            broken.append(Violation(life.key, "accepted, and neither in the queue nor in the history"))
        elif life.accepted or there:
            counts["ok"] += not live
        lost = sorted(life.job_ids - there)
        if there and lost:
            counts["lost"] += 1
            broken.append(Violation(life.key, f"{_jobs(lost)} has vanished"))
        if life.has(Kind.AMBIGUOUS) or (life.entries and not life.accepted and not rolled_back):
            counts["ambiguous"] += 1
        if len(there) > 1:
            counts["duplicated"] += 1
            broken.append(Violation(life.key, f"enqueued once, and there are {len(there)}: {_jobs(there)}"))
        if there and not life.has(Kind.INTENT):
            broken.append(Violation(life.key, f"nobody meant to enqueue {_jobs(there)}"))
    got = _counted(counts, "ok", "lost", "ambiguous", "duplicated", "stuck")
    return Check("L no loss", "every accepted job ended, nothing stuck", got, broken)


def one_end(case: Case) -> Check:
    """T: one end a job after its last opening, as its shape says, and attempts that only rise."""
    broken: list[Violation] = []
    ended = 0
    for life in case.lives:
        reopened = len(life.of(Kind.REOPEN))
        for job_id in life.job_ids:
            finals = [row for row in life.finals if row.job_id == job_id]
            ended += len(finals)
            dead = [row for row in life.jobs if row.id == job_id and row.status == "failed"]
            discarded = [row for row in finals if row.status == "cancelled"]
            if len(finals) - len(discarded) > 1 + reopened or len(discarded) > 1:
                broken.append(Violation(life.key, f"job {job_id} ended {len(finals)} times"))
            if dead and (not finals or finals[-1].status != "failed"):
                broken.append(Violation(life.key, f"job {job_id} is a dead letter without a final failure"))
            if not dead and finals and finals[-1].status == "failed":
                broken.append(Violation(life.key, f"job {job_id} failed for good and is no dead letter"))
            if life.shape is not None and finals and finals[-1].status not in life.shape.ends:
                broken.append(
                    Violation(life.key, f"ended {finals[-1].status}; right is {', '.join(sorted(life.shape.ends))}")
                )
            numbers = [row.attempt for row in life.history if row.job_id == job_id]
            if numbers != sorted(numbers):
                broken.append(Violation(life.key, f"job {job_id} counted its attempts {numbers}"))
    return Check("T one end", "one end a job, as its shape says", f"{ended} ends", broken)


def fenced(case: Case) -> Check:
    """F: one accepted write a claim, by the claim that held the job; a claim that lost it changes nothing."""
    broken: list[Violation] = []
    for life in case.lives:
        for job_id in life.job_ids:
            rows = [row for row in life.history if row.job_id == job_id and row.status != "cancelled"]
            for claim, times in Counter(row.claim for row in rows).items():
                if times > 1:
                    broken.append(Violation(life.key, f"job {job_id}: {times} writes accepted under claim {claim}"))
            begun = {each.claim for each in life.attempts if each.begin.job_id == job_id and each.claim is not None}
            finals = [row for row in rows if row.is_final]
            if finals and begun and max(begun) > max(row.claim for row in finals):
                broken.append(
                    Violation(
                        life.key, f"job {job_id} was ended by claim {finals[-1].claim} while {max(begun)} held it"
                    )
                )
    rejected = case.evidence.dump.counters.get("stale_writes_rejected_total", 0)
    zombies = sum(_zombies(life) for life in case.lives)
    if rejected > zombies:
        broken.append(Violation("*", f"{rejected} writes were rejected as stale, and only {zombies} can have been"))
    seen = sum(entry.kind is Kind.REJECTED for entry in case.evidence.ledger)
    if rejected != seen and _counts_are_exact(case):
        broken.append(Violation("*", f"{rejected} writes are counted as rejected, and the ledger saw {seen}"))
    return Check("F fenced", "no write of a lost claim", f"stale_rejected {rejected} of {zombies} stale claims", broken)


def effects(case: Case) -> Check:
    """E: an effect in the database once, any other at least once, and again only for a recorded fault."""
    broken: list[Violation] = []
    counts: Counter[str] = Counter()
    for life in case.lives:
        if life.shape is None:
            continue
        done = [each for each in life.attempts if each.effects]
        succeeded = any(row.status == "succeeded" for row in life.finals)
        if life.shape.effects is Effects.EXACTLY_ONCE:
            counts["ok"] += life.rows == 1
            if life.rows > 1 or (succeeded and life.rows != 1):
                broken.append(Violation(life.key, f"its exactly-once effect is there {life.rows} times"))
            continue
        if succeeded and life.shape.effects is Effects.AT_LEAST_ONCE and not done:
            broken.append(Violation(life.key, "succeeded without its effect"))
        counts["ok"] += bool(done)
        for one, again in itertools.pairwise(done):
            counts["duplicated"] += 1
            if case.explained(one.pids, one.begin.at, again.begin.at):
                counts["explained"] += 1
            else:
                broken.append(
                    Violation(life.key, f"its effect happened again (claim {again.claim}), and no fault explains it")
                )
    return Check("E effects", "every duplicate explained", _counted(counts, "ok", "duplicated", "explained"), broken)


def exclusive(case: Case) -> Check:
    """X: of one lock, no two attempts run at once that both counted."""
    broken: list[Violation] = []
    intervals: dict[str, list[tuple[int, int, Life, Attempt]]] = {}
    for life in case.lives:
        for each in life.attempts:
            lock = each.begin.data.get("lock")
            if lock and each.end is not None and not _is_stale(life, each):
                intervals.setdefault(lock, []).append((each.begin.at, each.end.at, life, each))
    pairs = 0
    for lock, held in intervals.items():
        held.sort(key=lambda item: item[:2])
        for (_, end, life, _), (begin, _, other, _) in itertools.pairwise(held):
            pairs += 1
            if begin < end:
                broken.append(Violation(life.key, f"it and {other.key} held the lock {lock!r} at once"))
    return Check("X exclusion", "no two of a lock at once", f"{pairs} pairs in turn", broken)


def not_before_its_time(case: Case) -> Check:
    """S: a scheduled job begins when it is due, by the database's clock, and not before."""
    broken: list[Violation] = []
    seen = 0
    for life in case.lives:
        for each in life.attempts:
            early = each.begin.data.get("early_s")
            if early is not None:
                seen += 1
                if early > 0:
                    broken.append(Violation(life.key, f"began {early:.3f} s before it was due"))
    return Check("S schedule", "nothing before its time", f"{seen} begins", broken)


def tenants(case: Case) -> Check:
    """N: a task runs for the tenant that it was enqueued for."""
    broken: list[Violation] = []
    seen = 0
    for life in case.lives:
        meant = {entry.data["tenant"] for entry in life.of(Kind.INTENT) if "tenant" in entry.data}
        for each in life.attempts:
            seen += 1
            got = each.begin.data.get("tenant")
            if meant and got is not None and got not in meant:
                broken.append(Violation(life.key, f"ran for tenant {got}; enqueued for {sorted(meant)}"))
    return Check("N tenants", "each for its own tenant", f"{seen} runs", broken)


def bounded(case: Case) -> Check:
    """B: attempts, crashes and rescues keep to their limits, and nothing begins without a claim."""
    broken: list[Violation] = []
    most = 0
    limits = case.evidence.limits
    for life in case.lives:
        used = [row for row in life.history if row.outcome in ("retry", "failed", "timed_out")]
        most = max([most, *(row.attempt for row in used)])
        bound = (life.shape.max_attempts if life.shape else 0) * (1 + len(life.of(Kind.REOPEN)))
        if life.shape is not None and len(used) > bound:
            broken.append(Violation(life.key, f"{len(used)} attempts failed; right is at most {bound}"))
        for outcome, limit in (("crashed", limits.max_crashes), ("lost", limits.max_rescues)):
            times = sum(row.outcome == outcome for row in life.history)
            if times > limit * (1 + len(life.of(Kind.REOPEN))):
                broken.append(Violation(life.key, f"{outcome} {times} times; right is at most {limit}"))
        twice = [claim for claim, n in Counter(each.claim for each in life.attempts).items() if claim and n > 1]
        if len(life.job_ids) == 1 and twice:
            broken.append(Violation(life.key, f"claim {twice[0]} began more than once"))
    return Check("B bounded", "attempts, crashes, rescues within limits", f"attempts at most {most}", broken)


def accounting(case: Case) -> Check:
    """A: history and ledger tell the same: what succeeded came to its end, and what was lost or crashed met a fault."""
    broken: list[Violation] = []
    counts: Counter[str] = Counter()
    last = max((entry.at for entry in case.evidence.ledger), default=0)
    for life in case.lives:
        ends = {(each.begin.job_id, each.claim): each for each in life.attempts}
        for row in life.history:
            counts[row.outcome] += 1
            own = ends.get((row.job_id, row.claim))
            if row.outcome == "succeeded":
                if own is None or own.outcome != "ok":
                    unknown = any(each.claim is None for each in life.attempts)
                    if not unknown:
                        broken.append(Violation(life.key, f"claim {row.claim} is said to have succeeded, and did not"))
                elif row.result is not None and row.result != life.key:
                    broken.append(Violation(life.key, f"its result is another's: {row.result!r:.60}"))
            elif row.outcome == "lost" or (row.outcome == "crashed" and life.shape and life.shape.name not in CRASHING):
                # A claim that never began could have been anybody's: some fault is then enough.
                met = case.explained(own.pids, own.begin.at, last) if own is not None else bool(case.faults)
                if not met:
                    broken.append(Violation(life.key, f"claim {row.claim} was {row.outcome}, and no fault explains it"))
    rescued = case.evidence.dump.counters.get("rescued_total")
    if rescued is not None and rescued != counts["lost"]:
        aborted = sum(row.status == "aborted" for life in case.lives for row in life.history)
        if not counts["lost"] <= rescued <= counts["lost"] + aborted:
            broken.append(Violation("*", f"rescued_total is {rescued}, and the history has {counts['lost']} lost"))
    return Check("A accounting", "history and ledger agree", _counted(counts, *sorted(counts)), broken)


def _is_stale(life: Life, attempt: Attempt) -> bool:
    """Whether the queue did not count how this attempt ended: no row of its claim, or one that says something else."""
    own = {row.outcome for row in life.history if row.job_id == attempt.begin.job_id and row.claim == attempt.claim}
    if attempt.outcome == "ok":
        return "succeeded" not in own
    return not own - {"lost", "crashed", "aborted"} and attempt.outcome != "AbortRequested"


def _counts_are_exact(case: Case) -> bool:
    """Whether no worker ended, and no statement of one failed, between a rejection and the counting of it."""
    return all(fault.pids is not None and fault.name not in ENDS_A_WORKER for fault in case.faults)


def _zombies(life: Life) -> int:
    """The claims that were lost, whether or not their process lived to write."""
    begun = {each.claim for each in life.attempts}
    unseen = sum(row.outcome in ("lost", "aborted") and row.claim not in begun for row in life.history)
    return unseen + sum(_is_stale(life, each) for each in life.attempts)


def _counted(counts: Counter[str], *names: str) -> str:
    return " ".join(f"{name} {counts[name]}" for name in names) or "nothing"


def _jobs(ids: Iterable[int]) -> str:
    return "job " + ", ".join(str(job_id) for job_id in sorted(ids))
