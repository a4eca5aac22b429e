"""Where a job's CPU time goes: PostgreSQL, the worker, the children, and what the messages between those two cost."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterable

from youtility_tasks.workers import wire

from . import meter

PARTS = {
    "postgresql": "PostgreSQL: claim, finish with history, commit",
    "worker": "worker: the pump, the lease, handing out, taking in",
    "children": "children: the task with its tenant, clocks, signals and output",
    "pipe": "of worker and children: messages between them (JSON and socket)",
}

_A_LETTER, _LETTERS = 50, 400


def seconds(supervisor: int, servers: Iterable[int]) -> dict[str, float]:
    """CPU seconds used so far by the servers and by the parts of one worker's family.

    The family has five generations: supervisor, worker, matron, nurseries, children; what the last but one have reaped
    are children which have been replaced.
    """
    workers = meter.below(supervisor)
    matrons = [pid for worker in workers for pid in meter.below(worker)]
    nurseries = [pid for matron in matrons for pid in meter.below(matron)]
    children = [pid for nursery in nurseries for pid in meter.below(nursery)]
    return {
        "postgresql": meter.cpu_s(servers),
        "worker": sum(map(meter.own_s, (supervisor, *workers, *matrons, *nurseries))),
        "children": sum(map(meter.reaped_s, nurseries)) + sum(map(meter.own_s, children)),
    }


def a_job_us(before: dict[str, float], after: dict[str, float], jobs: int) -> dict[str, float]:
    """Microseconds of CPU a job, by part."""
    return {part: 1e6 * (after[part] - before[part]) / jobs for part in before} | {"pipe": pipe_us()}


def pipe_us() -> float:
    """Microseconds of CPU that a job's two messages take, to the child and back: packed, sent, received, put together."""
    assignment = [1, 1, "bench_noop", json.dumps({"number": 1, "name": "x", "flags": [1]}), 1, 7, 1]
    ending = {
        "id": 1, "claim_number": 1, "happened": "returned", "run_ms": 0.012, "cpu_ms": 0.012, "peak_memory_kib": 40_000
    }  # fmt: skip
    ours, theirs = socket.socketpair()
    with ours, theirs:
        began = time.process_time()
        for message in ({"run": [assignment] * _A_LETTER}, {"ended": [ending] * _A_LETTER}):
            inbox = wire.Inbox()
            for _ in range(_LETTERS):
                ours.sendall(wire.pack(message))
                while not wire.receive(theirs, inbox):
                    pass
        return 1e6 * (time.process_time() - began) / (_A_LETTER * _LETTERS)
