"""When a worker claims nothing."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from youtility_tasks.conf import QueueSettings, settings
from youtility_tasks.workers.appetite import Appetite
from youtility_tasks.workers.holdings import Holdings
from youtility_tasks.workers.lease import Lease
from youtility_tasks.workers.worker import Worker


def worker(**state: Any) -> Worker:
    """A worker without its processes and its connection."""
    made = Worker.__new__(Worker)
    made.appetite = Appetite(QueueSettings(processes=1, threads=2))
    made.children = SimpleNamespace(stuck=lambda: 0)  # type: ignore[assignment]
    made.holdings = Holdings()
    deaf: Any = lambda *_: None  # noqa: E731
    made.lease = Lease("email", 2, None, None, made.holdings, token="", dead=[], look_again=deaf, obey=deaf)  # type: ignore[arg-type]
    made.lease.worker_id, made.stop_at, made.is_quiet = 1, None, False
    for name, value in state.items():
        setattr(made.lease if hasattr(made.lease, name) else made, name, value)
    return made


def test_a_worker_with_a_lease_claims_what_can_start() -> None:
    assert worker()._room() == 2


@pytest.mark.parametrize("state", [{"worker_id": None}, {"stop_at": 0.0}, {"is_quiet": True}], ids=str)
def test_a_worker_that_is_not_registered_or_stops_or_is_quiet_claims_nothing(state: dict[str, Any]) -> None:
    assert worker(**state)._room() == 0


def test_a_worker_that_cannot_renew_its_lease_claims_nothing_until_it_can() -> None:
    cut_off = worker(renewed_at=time.monotonic() - settings().lease_s - 1)
    assert cut_off._room() == 0

    cut_off.lease.renewed_at = time.monotonic()
    assert cut_off._room() == 2
