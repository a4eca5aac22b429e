"""A draining worker looks once more for a job whose lock came free after its last claim: once, and for each claim anew."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from typing import Any, cast
from unittest import mock

import pytest

from tests.acceptance.app.mutants import Mutant, apply
from youtility_tasks.conf import QueueSettings
from youtility_tasks.workers import worker as module
from youtility_tasks.workers.nursery import Matron
from youtility_tasks.workers.worker import Worker

WORKER = "youtility_tasks.workers.worker"
NO_JOB: list[tuple[Any, ...]] = [([], False, None)]
JOB = (None, None, None, 1, "nobody declares it", "{}", 0, 7, 1, 0, True, None)


_CLAIMS = ("pump", "pump_lone")


class Script:
    """Stands for the database: the lock of a waiting job has come free, and so many claims get the job although it has."""

    def __init__(self, claims: list[list[tuple[Any, ...]]]) -> None:
        self.claims, self.said = claims, list[str]()
        self.turn = asyncio.Lock()

    async def ask(self, name: str, /, **parameters: Any) -> list[tuple[Any, ...]]:
        self.said.append(name)
        assert len(self.said) < 200, "it asks on and on"
        if name in _CLAIMS and parameters["n"]:
            return self.claims.pop(0) if self.claims else NO_JOB
        if name in _CLAIMS:
            return NO_JOB
        return {"next_due": [(None, False)], "waits_elsewhere": [(False, False, False, True)]}.get(name, [])


def looks(claims: list[list[tuple[Any, ...]]]) -> list[str]:
    """What a draining worker asks for until it leaves; fails when it never does."""

    async def drain() -> list[str]:
        with mock.patch.object(module, "Children") as children:
            children.return_value.stuck.return_value = 0
            shape = QueueSettings(processes=1, threads=1)
            worker = Worker("email", shape, cast(Matron, None), drain=True, token="", dead=[])
        script = Script(claims)
        worker.link = worker.lease._link = cast(Any, script)
        worker.lease.worker_id = 1
        worker._confirm = lambda sent, accepted, resent: worker.holdings.drop_all()  # type: ignore[method-assign]
        async with asyncio.timeout(2):
            await worker._pump_loop()
        return [name for name in script.said if name in {*_CLAIMS, "waits_elsewhere"}]

    return asyncio.run(drain())


def test_a_lock_that_has_come_free_is_looked_for_once() -> None:
    assert looks([]) == ["pump_lone", "waits_elsewhere", "pump_lone", "waits_elsewhere"]


def test_after_a_claim_it_is_looked_for_anew() -> None:
    """The job that was got held a lock itself, and the next one under it may have come free since."""
    claimed = [JOB, *NO_JOB]
    said = looks([NO_JOB, claimed, NO_JOB])
    assert said[:3] == ["pump_lone", "waits_elsewhere", "pump_lone"]
    assert said[3:].count("waits_elsewhere") == 2, said


@pytest.fixture
def original() -> Iterator[None]:
    kept = dict(vars(Worker))
    yield
    for name in ("_waits_elsewhere", "_pump"):
        setattr(Worker, name, kept[name])


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (Mutant(WORKER, "Worker._waits_elsewhere", "if is_free and not", "if False and not"), test_a_lock_that_has_come_free_is_looked_for_once),
        (Mutant(WORKER, "Worker._waits_elsewhere", " and not self.looked_for_free", ""), test_a_lock_that_has_come_free_is_looked_for_once),
        (Mutant(WORKER, "Worker._pump", "self.looked_for_free = False", "pass"), test_after_a_claim_it_is_looked_for_anew),
    ],
)  # fmt: skip
def test_without_its_care_it_leaves_too_early_or_never(original: None, mutant: Mutant, check: Any) -> None:
    assert importlib.import_module(WORKER) is module
    apply(mutant)
    with pytest.raises((AssertionError, TimeoutError)):
        check()
