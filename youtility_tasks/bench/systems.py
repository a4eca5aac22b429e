"""The systems that are measured: what each needs, how it is set up, how its client and its workers are started."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from youtility_tasks.standalone.database import from_url

OURS = "ours"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class System:
    """One system. Commands are words after the Python of its environment; `-m` runs a module there."""

    name: str
    title: str
    setting: str
    """The Django settings, where there is a Django."""
    prepare: tuple[tuple[str, ...], ...]
    client: tuple[str, ...]
    worker: tuple[str, ...]
    note: str
    """How it was set up, for the reader of its figures."""
    pins: tuple[str, ...] = ()
    """What is installed into its own environment; none: the present one."""
    needs_redis: bool = False
    in_transaction: bool = True
    """Whether a job can be put in the transaction of the rows that it is about."""

    def env(self, url: str, redis_url: str = "") -> dict[str, str]:
        """The environment of its processes: a clean one, and the way to its database."""
        kept = {
            key: os.environ[key] for key in ("PATH", "HOME", "LANG", "TMPDIR", "YOUTILITY_HOME") if key in os.environ
        }
        database: Mapping[str, Any] = from_url(url)
        return {
            **kept,
            "PYTHONDONTWRITEBYTECODE": "1",
            "DJANGO_SETTINGS_MODULE": self.setting,
            "DATABASE_URL": url,
            "BENCH_DATABASE": json.dumps(database),
            "BENCH_REDIS": redis_url,
            "PYTHONPATH": str(_HERE.parents[1] if self.name == OURS else _HERE),
        }


_DJANGO = ("Django==5.2.19", "psycopg[binary,pool]==3.3.9")

SYSTEMS = {
    system.name: system
    for system in (
        System(
            name=OURS,
            title="youtility-tasks",
            setting="youtility_tasks.bench.ours.settings",
            # A checkout may have no bytecode; what pip installs has, as all peers have here.
            prepare=(("-m", "compileall", "-q", str(_HERE.parent)), ("-m", "django", "migrate", "--verbosity", "0")),
            client=("-m", "youtility_tasks.bench.ours.client"),
            worker=("-m", "django", "run_postgresql_worker", "--queues", "high_priority"),
            note="sync task in a child process; enqueue for one tenant; history on",
        ),
        System(
            name="procrastinate",
            title="procrastinate + Django",
            setting="peers.procrastinate.settings",
            prepare=(("-m", "django", "migrate", "--verbosity", "0"),),
            client=("-m", "peers.procrastinate.client"),
            worker=("-m", "django", "procrastinate", "--verbosity", "0", "worker", "--concurrency", "10"),
            note="its own worker, concurrency 10, async task",
            pins=("procrastinate[django]==3.10.0", *_DJANGO),
        ),
        System(
            name="pgqueuer",
            title="pgqueuer",
            setting="",
            prepare=(("-m", "peers.pgqueuer.install"),),
            client=("-m", "peers.pgqueuer.client"),
            worker=("-m", "peers.pgqueuer.worker"),
            note="asyncpg driver, batch size 100, async task; all tables logged",
            pins=("pgqueuer==1.6.0", "asyncpg==0.32.0"),
        ),
        System(
            name="celery",
            title="Celery + Redis",
            setting="peers.celery.settings",
            prepare=(("-m", "django", "migrate", "--verbosity", "0"),),
            client=("-m", "peers.celery.client"),
            worker=("-m", "celery", "-A", "peers.celery.app", "worker", "--concurrency", "2", "--loglevel", "ERROR"),
            note="acks_late, prefork 2, results in PostgreSQL by django-celery-results, connections kept; Redis with snapshots only",
            pins=("celery==5.7.0", "redis==8.1.0", "packaging==25.0", "django-celery-results==2.6.0", *_DJANGO),
            needs_redis=True,
            in_transaction=False,
        ),
    )
}
