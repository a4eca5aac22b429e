"""The tiers of `verify_task_queue`: what each plays, and the checks that come of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from . import failures, plan
from . import hosts as several
from .case import Check, Violation
from .checker import check, life_of
from .crew import QUICK, SOAK, NotInTime
from .entries import Evidence, Kind, Limits
from .ground import Ground, ground
from .interleavings import explore
from .nemesis import FAULTS
from .networks import NotPermitted
from .run import Script, play

Tell = Callable[[str], None]

SHORT_FAULTS = ("kill_child", "freeze_family", "cut_claims", "terminate_in_finish")
"""Overlapping in one run of the short tier: one of each kind of enemy."""


def interleavings(seed: int, tell: Tell) -> list[Check]:
    """Every order of the statements of two or three sessions, against the model and the checker; nothing is random."""
    with ground() as servers:
        return explore.everything(servers.new_run("interleavings"), tell)


def short(seed: int, tell: Tell) -> list[Check]:
    """The deterministic tier, and one run with four faults in it."""
    with ground() as servers:
        checks = explore.everything(servers.new_run("interleavings"), tell)
        faults = [(1.0 + 1.2 * number, name) for number, name in enumerate(SHORT_FAULTS)]
        script = Script(name="short", seed=seed, jobs=160, rate=20.0, faults=faults)
        return checks + _played(servers, script, tell)


def faults(seed: int, tell: Tell) -> list[Check]:
    """Each fault of the nemesis alone, then each failpoint with each action."""
    rng = random.Random(f"tier {seed}")  # noqa: S311
    checks = []
    with ground() as servers:
        for name in FAULTS:
            # In a network that is deaf, a task's own statements hang too: only the time limit ends it.
            timeout_s = 3.0 if name == "go_deaf" else 20.0
            script = Script(
                name=name, seed=rng.randrange(10**6), jobs=60, rate=40.0, faults=[(0.5, name)], timeout_s=timeout_s
            )
            checks += _played(servers, script, tell)
        for case in failures.CASES:
            script = Script(name=case, seed=rng.randrange(10**6), jobs=40, rate=40.0, failpoint=case)
            checks += _played(servers, script, tell)
    return checks


def soak(seed: int, tell: Tell, *, minutes: float = 20.0) -> list[Check]:
    """Everything at once for many minutes, with the product's own settings and a durable database."""
    rate = 15.0
    script = Script(
        name="soak",
        seed=seed,
        jobs=int(minutes * 60 * rate),
        rate=rate,
        faults=plan.faults(seed, [name for name in FAULTS if name != "kill_generator"], minutes),
        settings=dict(SOAK),
        drain_s=300.0,
        timeout_s=30.0,
    )
    with ground(durable=True) as servers:
        return _played(servers, script, tell)


def hosts(seed: int, tell: Tell, *, seconds: float = 60.0) -> list[Check]:
    """Workers on three hosts, and a primary that dies with a synchronous standby beside it."""
    name = f"hosts, seed {seed}"
    try:
        with several.ground() as (servers, others):
            evidence, seen = several.play(servers, others, seed=seed, seconds=seconds)
    except (NotInTime, NotPermitted) as error:
        return [Check("hosts: it was played", "a run in network namespaces", str(error), [Violation("*", str(error))])]
    checks = [
        *several.checks(evidence, seen, lease_s=float(QUICK["lease_s"])),
        *judged(evidence, "hosts", tell, shown=_SHOWN),
    ]
    bad = sum(not each.ok for each in checks)
    if bad:
        kept = Path.cwd() / f"verify-hosts-{seed}.json"
        evidence.save(kept)
        tell(f"hosts: evidence kept; `verify_task_queue --judge {kept}` judges it again.")
    tell(f"{name}: {'ok' if not bad else f'{bad} of {len(checks)} checks failed'}")
    return checks


TIERS: dict[str, Callable[[int, Tell], list[Check]]] = {
    "interleavings": interleavings,
    "short": short,
    "faults": faults,
    "soak": soak,
    "hosts": hosts,
}


def judged(evidence: Evidence, name: str, tell: Tell, *, shown: int | None = None) -> list[Check]:
    """The checks of one run under its name; tells the life of each violating key (of the first `shown`)."""
    checks = [Check(f"{name}: {each.name}", each.expected, each.got, each.violations) for each in check(evidence)]
    broken = sorted({violation.key for each in checks for violation in each.violations})
    if broken:
        for key in broken[:shown]:
            tell(f"the life of {key}:")
            for line in life_of(evidence, key):
                tell(f"    {line}")
        if shown is not None and len(broken) > shown:
            tell(f"and {len(broken) - shown} more keys.")
    return checks


_SHOWN = 20


def _injured(evidence: Evidence, script: Script) -> Check:
    """A run proves nothing about a fault that did not hit. Among many it may find nothing to hit; alone it must."""
    hits = [entry.data["hits"] for entry in evidence.ledger if entry.kind is Kind.NEMESIS and "hits" in entry.data]
    planned = len(script.faults) + bool(script.failpoint)
    missed = planned == 1 and not any(hits)
    broken = [Violation("*", "the fault found nothing to hit, so nothing was tested")] if missed else []
    return Check(f"{script.name}: I injured", f"{planned} faults", f"{sum(map(bool, hits))} hit", broken)


def _played(servers: Ground, script: Script, tell: Tell) -> list[Check]:
    try:
        evidence = play(servers, script)
    except NotInTime as error:
        return [Check(f"{script.name}: it was played", "a run", str(error), [Violation("*", str(error))])]
    limits = Limits(**{key: value for key, value in script.settings.items() if key in ("max_crashes", "max_rescues")})
    evidence = Evidence(seed=script.seed, ledger=evidence.ledger, dump=evidence.dump, limits=limits)
    checks = [_injured(evidence, script), *judged(evidence, script.name, tell, shown=_SHOWN)]
    bad = sum(not each.ok for each in checks)
    if bad:
        kept = Path.cwd() / f"verify-{script.name.replace('=', '-')}-{script.seed}.json"
        evidence.save(kept)
        tell(f"{script.name}: evidence kept; `verify_task_queue --judge {kept}` judges it again.")
    tell(f"{script.name}: seed {script.seed}, {'ok' if not bad else f'{bad} of {len(checks)} checks failed'}")
    return checks
