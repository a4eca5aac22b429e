"""What the files of this folder say of times, sizes and counts: taken from the settings, or computed from them here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from youtility_tasks import objectives, queues
from youtility_tasks.conf import QueueSettings, settings
from youtility_tasks.workers.supervisor import longest_stop_s
from youtility_tasks.workers.vitals import longest_turn_s

MARGIN_S = 5
"""Beyond what the workers take themselves: the kernel, the service manager and the network want theirs."""
MOST_REPLICAS = 4
"""To which KEDA lets the pods of one queue grow."""
WEB_WORKERS, WEB_THREADS, WEB_REPLICAS = 2, 4, 2
POOL = 20
"""Sessions of PostgreSQL that pgbouncer keeps for one user of one database."""
RESERVED = 20
"""Sessions of PostgreSQL for people, backups, the exporter and set-ups."""


@dataclass(frozen=True, slots=True)
class QueueNumbers:
    """One queue, as a unit, a container or a Deployment sees it."""

    name: str
    slug: str
    """Its name where only letters, digits and hyphens are allowed."""
    processes: int
    threads: int
    start_within_s: int
    memory_mib: int
    """One child more than there are, at the size after which it is replaced: for the worker itself, and for what a job
    may add before its child is between two jobs."""
    connections: int
    """README, "Connections and poolers": two of the worker, one a thread, and one that comes for moments."""


def all_of_them() -> dict[str, Any]:
    """Everything that a template may name. Raises ConfigurationError as the settings do."""
    given, promised = settings(), objectives.all_of_them()
    served = [_queue(name, shape, promised[name]) for name, shape in queues.configured().items()]
    workers = sum(queue.connections for queue in served)
    web = WEB_REPLICAS * WEB_WORKERS * WEB_THREADS
    return {
        "queues": served,
        "settings": given,
        "stop_s": math.ceil(longest_stop_s()) + MARGIN_S,
        "watchdog_s": math.ceil(longest_turn_s()) + MARGIN_S,
        "lease_s": math.ceil(given.lease_s),
        "web_stop_s": math.ceil(given.api_statement_s) + 2 * MARGIN_S,
        "margin_s": MARGIN_S,
        "most_replicas": MOST_REPLICAS,
        "web": {"workers": WEB_WORKERS, "threads": WEB_THREADS, "replicas": WEB_REPLICAS},
        "pool": POOL,
        "worker_connections": workers,
        "web_connections": web,
        "reserved": RESERVED,
        "max_connections": (MOST_REPLICAS + 1) * workers + web + POOL + RESERVED,
        "statement_ms": math.ceil(given.statement_deadline_s * 1_000),
    }


def _queue(name: str, shape: QueueSettings, promise: objectives.Objective) -> QueueNumbers:
    return QueueNumbers(
        name=name,
        slug=name.replace("_", "-").replace(".", "-").strip("-"),
        processes=shape.processes,
        threads=shape.threads,
        start_within_s=math.ceil(promise.start_within_s),
        memory_mib=(shape.processes + 1) * settings().max_child_memory_mib,
        connections=1 + shape.slots + 1,
    )
