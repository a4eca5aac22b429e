"""The factory that `pgqueuer run` calls."""

from __future__ import annotations

import json
import os

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job

from .. import speak


async def main() -> PgQueuer:
    queue = PgQueuer(AsyncpgDriver(await asyncpg.connect(os.environ["DATABASE_URL"])))

    @queue.entrypoint("noop")  # type: ignore[untyped-decorator, unused-ignore]
    async def noop(job: Job) -> None:
        json.loads(job.payload or b"{}")

    @queue.entrypoint("mark")  # type: ignore[untyped-decorator, unused-ignore]
    async def mark(job: Job) -> None:
        speak.note(**json.loads(job.payload or b"{}"))

    return queue
