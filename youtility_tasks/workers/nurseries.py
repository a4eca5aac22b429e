"""Where a worker's children are born: one nursery for most, one each for jobs that crashed before.

A nursery dies with all its children, each of which may have killed it. So who is suspected is born apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections import deque
from collections.abc import Callable

from .nursery import Matron, Nursery

logger = logging.getLogger(__name__)


class Nurseries:
    """The nurseries of one worker. Every method is called on its loop.

    `heard` is called with what a nursery tells (a birth or a death), `lost` once one has died.
    """

    def __init__(
        self, matron: Matron, *, heard: Callable[[Nursery, dict[str, int]], None], lost: Callable[[Nursery], None]
    ) -> None:
        self.matron, self._heard, self._lost = matron, heard, lost
        self.gone = asyncio.Event()
        """Set when no child can be born any more, or a nursery has died through no job's fault."""
        self._unborn: deque[Nursery] = deque()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(matron.control, self._hear_matron)
        self.shared = self.open()

    def open(self) -> Nursery:
        """One more nursery, for a single child."""
        nursery = self.matron.nursery()
        self._unborn.append(nursery)
        self._loop.add_reader(nursery.control, self._hear_nursery, nursery)
        return nursery

    def leave(self, nursery: Nursery) -> None:
        """A child of it is no more; close it if it was the only one."""
        if nursery is not self.shared:
            self._close(nursery)

    def give_up(self, nursery: Nursery) -> None:
        """It is stopped, or hangs: kill it, if the matron has told of its birth; if not, she hangs too."""
        if nursery.pid is None:
            self.gone.set()
            return
        logger.warning("nursery killed, it tells nothing pid=%s", nursery.pid)
        nursery.given_up = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(nursery.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let them all go, and with them the children that are left."""
        self._close(self.shared)
        self._close(self.matron)

    def _close(self, mother: Nursery | Matron) -> None:
        self._loop.remove_reader(mother.control)
        mother.close()

    def _hear_matron(self) -> None:
        news = self.matron.news()
        if news is None:
            self._loop.remove_reader(self.matron.control)
            self.gone.set()
            return
        for item in news:
            if "born" in item:
                self._unborn.popleft().pid = item["born"]

    def _hear_nursery(self, nursery: Nursery) -> None:
        news = nursery.news()
        if news is None:
            self._close(nursery)
            if nursery is self.shared:
                self.shared = self.open()
            self._lost(nursery)
            return
        for item in news:
            self._heard(nursery, item)
