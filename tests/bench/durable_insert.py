"""What one row costs who only wants it to be on disk: an INSERT that commits, through asyncpg, one after another."""

import asyncio
import time
from statistics import median
from uuid import uuid4

import asyncpg

from tests.bench.traffic import REQUESTS

ROWS = 1_000
WARMING_UP = 100


def insert_milliseconds(dsn: str) -> float:
    """The median, of a row with an incident's body."""
    return asyncio.run(_median(dsn))


async def _median(dsn: str) -> float:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS durable (id uuid PRIMARY KEY, body text NOT NULL)")
        taken = []
        for _ in range(WARMING_UP + ROWS):
            began = time.perf_counter()
            await connection.execute("INSERT INTO durable VALUES ($1, $2)", uuid4(), REQUESTS["create"].body)
            taken.append((time.perf_counter() - began) * 1e3)
        return median(taken[WARMING_UP:])
    finally:
        await connection.close()
