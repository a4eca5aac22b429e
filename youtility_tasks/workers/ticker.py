"""A worker's eye on the schedules: asleep until the next tick, woken when a schedule changes, and never in the pump's way.

Every worker has one. Ticks are turned into jobs in a thread and on a connection of its own (`schedules/firing.py`), as a task
of the schedule's tenant.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import Error, connections

from youtility_tasks import queries
from youtility_tasks.conf import settings
from youtility_tasks.errors import UnknownTask
from youtility_tasks.schedules import firing

from .link import Link, LinkDown

CHANNEL = "youtility_tasks_schedules"
AT_ONCE = 50
"""Schedules that one round takes up."""
DEADLINE_S = 30.0
"""After which a round's connection is cut, whatever it waits for."""
LOCKED_S = 5.0
"""Until the next look while somebody has locked the table; with each the log says so."""
_TAKEN_S, _LONGEST_S = 0.2, 5.0
"""A schedule that somebody else has, or whose job waits for a lock, is looked at again so soon, later every time."""
_UNKNOWN_S = 30.0
"""One whose task this code does not know: another worker may."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Later:
    until: float
    """Monotonic seconds."""
    times: int = 1


class Ticker:
    """Fires what is due for as long as `is_wanted()`."""

    def __init__(self, link: Link, is_wanted: Callable[[], bool]) -> None:
        self.link, self.is_wanted = link, is_wanted
        self.wake = asyncio.Event()
        self._later: dict[int, _Later] = {}

    async def keep(self) -> None:
        """Never ends; a failure is logged, and tried again."""
        while True:
            self.wake.clear()
            sleep_s = await self._round() if self.is_wanted() else settings().schedule_poll_s
            try:
                async with asyncio.timeout(sleep_s):
                    await self.wake.wait()
            except TimeoutError:
                continue

    async def _round(self) -> float:
        """Fire what is due; how long to sleep then, if nothing happens."""
        now = time.monotonic()
        off = [schedule_id for schedule_id, later in self._later.items() if later.until > now]
        try:
            async with self.link.turn:
                rows = await self.link.ask("due_schedules", but_not=off, most=AT_ONCE + 1)
        except LinkDown as error:
            logger.warning("schedules out of reach error=%s", error)
            await self.link.pause()
            return 0.0
        if rows and rows[0][0] is None:
            logger.warning("schedules not looked for, somebody has locked their table")
            return LOCKED_S
        due = [(schedule_id, tenant_id) for schedule_id, tenant_id, in_s in rows if in_s <= 0][:AT_ONCE]
        if due:
            await apart(lambda: self._fire(due))
            return 0.0
        for schedule_id in [each for each in self._later if each not in off]:
            del self._later[schedule_id]  # it is due no more: somebody has fired it
        waits = [settings().schedule_poll_s * random.uniform(0.8, 1)]  # noqa: S311 - only spreads workers
        waits += [in_s for _, _, in_s in rows]
        waits += [later.until - now for later in self._later.values()]
        return max(0.001, min(waits))

    def _fire(self, due: Sequence[tuple[int, int]]) -> None:
        """In the round's thread."""
        connection = connections[settings().database]
        try:
            connection.ensure_connection()
            with queries.deadline(connection.connection, DEADLINE_S):
                for schedule_id, tenant_id in due:
                    self._fire_one(schedule_id, tenant_id)
        except Error as error:
            logger.warning("schedules not looked at error=%s", str(error).strip().partition("\n")[0])
            for schedule_id, _ in due:
                self._put_off(schedule_id)
        finally:
            connection.close()

    def _fire_one(self, schedule_id: int, tenant_id: int) -> None:
        try:
            settled = firing.fire(schedule_id, tenant_id)
        except UnknownTask as error:
            logger.warning("schedule left to other code schedule=%s tenant=%s error=%s", schedule_id, tenant_id, error)
            self._put_off(schedule_id, _UNKNOWN_S)
        except Error as error:
            said = str(error).strip().partition("\n")[0]
            logger.warning("schedule not fired yet schedule=%s tenant=%s error=%s", schedule_id, tenant_id, said)
            self._put_off(schedule_id)
            connections[settings().database].ensure_connection()
        except Exception:  # whatever it was, the other schedules have their turn
            logger.exception("schedule not fired schedule=%s tenant=%s", schedule_id, tenant_id)
            self._put_off(schedule_id, _LONGEST_S)
        else:
            if settled is None:
                self._put_off(schedule_id)
            else:
                self._later.pop(schedule_id, None)

    def _put_off(self, schedule_id: int, wait_s: float | None = None) -> None:
        before = self._later.get(schedule_id)
        times = before.times + 1 if before is not None else 1
        wait_s = min(_LONGEST_S, _TAKEN_S * 2 ** min(times - 1, 10)) if wait_s is None else wait_s
        self._later[schedule_id] = _Later(time.monotonic() + wait_s, times)


async def apart(work: Callable[[], None]) -> None:
    """Do it in a thread that neither the loop nor the interpreter waits for at the end."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def run() -> None:
        try:
            work()
        except Exception:
            logger.exception("schedules stopped")
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, name="schedules", daemon=True).start()
    await ended.wait()
