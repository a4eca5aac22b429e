"""pgqueuer's worker, run from Python: `pgqueuer run` of this release fails over its own option for the log level."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job

from .. import speak

_BATCH = 100


async def main() -> None:
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(os.environ["DATABASE_URL"])))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)

    @queue.entrypoint("noop")  # type: ignore[untyped-decorator, unused-ignore]
    async def noop(job: Job) -> None:
        json.loads(job.payload or b"{}")

    @queue.entrypoint("mark")  # type: ignore[untyped-decorator, unused-ignore]
    async def mark(job: Job) -> None:
        speak.note(**json.loads(job.payload or b"{}"))

    await queue.run(batch_size=_BATCH)


if __name__ == "__main__":
    asyncio.run(main())
