"""A worker's hand in operations on many jobs: asleep until somebody begins one, and never in the pump's way.

Every worker has one. Batches are done in a thread and on a connection of its own (`operations/carrying.py`), as a task of the
operation's tenant, or as an operator; workers that meet at one operation leave it to whoever has its row.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

from django.db import Error, connections

from youtility_tasks import queries
from youtility_tasks.conf import settings
from youtility_tasks.errors import ConfigurationError

from .link import Link, LinkDown
from .ticker import LOCKED_S, apart

CHANNEL = "youtility_tasks_operations"
POLL_S = 30.0
"""Longest sleep between two looks."""
AT_ONCE = 20
"""Operations that one round takes up, each for a second or two."""
DEADLINE_S = 60.0
"""After which a round's connection is cut, whatever it waits for."""
_TAKEN_S, _FAILED_S = 2.0, 10.0
"""One that another worker has, or that failed, is looked at again so soon."""

logger = logging.getLogger(__name__)


class Operating:
    """Carries on what is unfinished for as long as `is_wanted()`."""

    def __init__(self, link: Link, is_wanted: Callable[[], bool]) -> None:
        self.link, self.is_wanted = link, is_wanted
        self.wake = asyncio.Event()
        self._until: dict[int, float] = {}
        """Operations that are left alone until then, in monotonic seconds."""

    async def keep(self) -> None:
        """Never ends; a failure is logged, and tried again."""
        while True:
            self.wake.clear()
            sleep_s = await self._round() if self.is_wanted() else POLL_S
            try:
                async with asyncio.timeout(sleep_s):
                    await self.wake.wait()
            except TimeoutError:
                continue

    async def _round(self) -> float:
        """Do some of what there is; how long to sleep then, if nothing happens."""
        now = time.monotonic()
        self._until = {each: until for each, until in self._until.items() if until > now}
        try:
            async with self.link.turn:
                rows = await self.link.ask("unfinished_operations", but_not=list(self._until), most=AT_ONCE)
        except LinkDown as error:
            logger.warning("operations out of reach error=%s", error)
            await self.link.pause()
            return 0.0
        if rows and rows[0][0] is None:
            logger.warning("operations not looked for, somebody has locked their table")
            return LOCKED_S
        if rows:
            await apart(lambda: self._carry_on([(row[0], row[1]) for row in rows]))
            return 0.0
        waits = [until - now for until in self._until.values()]
        return max(0.05, min([POLL_S * random.uniform(0.8, 1), *waits]))  # noqa: S311 - only spreads workers

    def _carry_on(self, found: Sequence[tuple[int, int | None]]) -> None:
        """In the round's thread."""
        from youtility_tasks.operations import carrying  # few workers ever see one, and it brings 15 modules

        for operation_id, tenant_id in found:
            if not self.is_wanted():
                return
            wait_s: float | None = None
            connection = connections[settings().database]
            try:
                connection.ensure_connection()
                with queries.deadline(connection.connection, DEADLINE_S):
                    if carrying.carry_on(operation_id, tenant_id) is None:
                        wait_s = _TAKEN_S
            except ConfigurationError as error:  # no operator among the roles here: another worker may have one
                logger.warning("operation left to others id=%s error=%s", operation_id, error)
                wait_s = POLL_S
            except Error as error:
                said = str(error).strip().partition("\n")[0]
                logger.warning("operation not carried on yet id=%s tenant=%s error=%s", operation_id, tenant_id, said)
                wait_s = _FAILED_S
            except Exception:  # whatever it was, the others have their turn
                logger.exception("operation not carried on id=%s tenant=%s", operation_id, tenant_id)
                wait_s = _FAILED_S
            finally:
                connections[settings().database].close()
            if wait_s is not None:
                self._until[operation_id] = time.monotonic() + wait_s
