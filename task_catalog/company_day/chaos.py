"""A rough day: processes are killed at any moment, every job runs twice, the mail server is away for twenty minutes.

Its totals are those of a fair day (catalog.md 5.9).
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import psutil
from django.db import connection

from . import scopes
from .weather import Weather

if TYPE_CHECKING:
    from .stage import Scene

logger = logging.getLogger(__name__)

MAIL_AWAY_FROM, MAIL_AWAY_UNTIL = timedelta(hours=14), timedelta(hours=14, minutes=20)
_KILLS = (
    "child",
    "child",
    "child",
    "nursery",
    "child",
    "child",
    "worker",
    "child",
    "child",
    "sink",
    "child",
    "supervisor",
)
"""Who is killed, one after the other; what comes first costs least."""
_PAUSE_S = (1.0, 4.0)

_KEEP = """
    CREATE SCHEMA company_day;
    CREATE UNLOGGED TABLE company_day.ended (LIKE procrastinate_jobs);
    CREATE UNLOGGED TABLE company_day.delivered (id bigint PRIMARY KEY);
    CREATE FUNCTION company_day.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        job procrastinate_jobs := OLD;
    BEGIN
        IF job.id %% %(every)s = 0 AND NOT EXISTS (SELECT FROM company_day.delivered d WHERE d.id = job.id) THEN
            job.status := 'todo';
            job.attempts := 0;
            job.claim_number := job.claim_number + 1;
            job.worker_id := NULL;
            job.claimed_at := NULL;
            job.queueing_lock := NULL;
            job.crash_count := 0;
            job.rescue_count := 0;
            INSERT INTO company_day.ended SELECT job.*;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER company_day_keep AFTER DELETE ON procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION company_day.keep();
"""
"""A queue that forgets that a job has ended: what its workers' finish deletes is kept, and comes back once."""
_FORGET = """
    DROP TRIGGER IF EXISTS company_day_keep ON procrastinate_jobs;
    DROP SCHEMA IF EXISTS company_day CASCADE;
"""
_AGAIN = """
    WITH ended AS (DELETE FROM company_day.ended RETURNING *),
         noted AS (INSERT INTO company_day.delivered SELECT id FROM ended)
    INSERT INTO procrastinate_jobs SELECT * FROM ended
"""


class Chaos(Weather):
    """What goes wrong is drawn from `seed`; when exactly it meets whom, nobody knows."""

    def __init__(self, seed: int, *, every: int = 1) -> None:
        """`every`: of how many jobs one runs twice; 1 means all."""
        self._every = every
        self._rng = random.Random(seed)  # noqa: S311 - whom it meets is no secret
        self._scene: Scene | None = None
        self.kills: list[str] = []
        """Who was killed, in order."""

    @contextmanager
    def over(self, scene: Scene) -> Iterator[None]:
        self._scene = scene
        is_over = threading.Event()
        killer = threading.Thread(target=self._kill, args=(scene, is_over), daemon=True)
        with scopes.director(), connection.cursor() as cursor:
            cursor.execute(_FORGET)
            cursor.execute(_KEEP % {"every": self._every})
        killer.start()
        try:
            yield
        finally:
            is_over.set()
            killer.join()
            logger.warning("chaos has killed, one after the other: %s", ", ".join(self.kills) or "nobody")
            with scopes.director(), connection.cursor() as cursor:
                cursor.execute(_FORGET)

    def before(self, instant: datetime) -> None:
        assert self._scene is not None  # noqa: S101 - set by `over`
        since_midnight = timedelta(hours=instant.hour, minutes=instant.minute)
        shall_be_open = not MAIL_AWAY_FROM <= since_midnight < MAIL_AWAY_UNTIL
        if shall_be_open and not self._scene.sink.is_open:
            self._scene.sink.open()
        elif not shall_be_open and self._scene.sink.is_open:
            self._scene.sink.close()

    def deliver_again(self) -> bool:
        with scopes.director(), connection.cursor() as cursor:
            cursor.execute(_AGAIN)
            return bool(cursor.rowcount)

    def _kill(self, scene: Scene, is_over: threading.Event) -> None:
        for who in _KILLS:
            if is_over.wait(self._rng.uniform(*_PAUSE_S)):
                return
            with suppress(psutil.Error):
                victim = self._victim(scene, who)
                if victim is not None:
                    victim.kill()
                    self.kills.append(who)

    def _victim(self, scene: Scene, who: str) -> psutil.Process | None:
        """One of the processes below the workers' tether: supervisor, its workers, their nurseries, their children."""
        pid = scene.sink.pid if who == "sink" else scene.workers.pid
        if pid is None:
            return None
        level = {"sink": 0, "supervisor": 1, "worker": 2, "nursery": 3, "child": 4}[who]
        family = [psutil.Process(pid)]
        for _ in range(level):
            family = [child for parent in family for child in parent.children()]
        return self._rng.choice(family) if family else None
