"""Makes pgqueuer's tables."""

from __future__ import annotations

import asyncio
import os

import asyncpg
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries


async def install() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()


if __name__ == "__main__":
    asyncio.run(install())
