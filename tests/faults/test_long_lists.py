"""A list without a page is streamed: however long, and however slowly it is read, it takes no memory to speak of."""

import asyncio
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import aiohttp
import orjson
import psutil
import pytest

from domain.event import ActEvent
from service.store.mapper import entry_of
from tests.domain.examples import TENANT, reported
from tests.faults.conftest import Ground
from tests.faults.load import INCIDENTS, authorization
from tests.projections.building import building

MEBIBYTE = 1024 * 1024
DESCRIPTION = 4096
"""Characters of each incident's description."""
BATCH = 500
"""Incidents appended in one transaction."""
RESTS = 10
"""Pauses of the slow reader; between two of them it reads a part of the whole."""
REST_SECONDS = 0.1
MAX_GROWTH = 32 * MEBIBYTE
"""What a chunk takes on its way: rows, a text of them all, and what the connection has not sent yet."""


def long_one() -> ActEvent:
    return replace(reported(description="x" * DESCRIPTION), originator_id=uuid4())


async def filled(folder: Path, dsn: str, incidents: int) -> None:
    """A log with that many incidents, and read models that are up to date."""
    async with building(folder, dsn) as built:
        for first in range(0, incidents, BATCH):
            batch = [long_one() for _ in range(min(BATCH, incidents - first))]
            await built.engine.log.append([entry_of(event, repeatable=False) for event in batch])
        assert await built.catch_up() == incidents


async def peak_while_reading(
    url: str, headers: dict[str, str], process: psutil.Process, size: int
) -> tuple[int, bytes]:
    """The most memory that the process had in the meantime, and what came."""
    peak, received, rested = 0, bytearray(), 0
    async with (
        aiohttp.ClientSession(url, headers=headers, read_bufsize=64 * 1024) as session,
        session.get(INCIDENTS) as response,
    ):
        assert response.status == 200
        assert "Content-Length" not in response.headers
        async for part in response.content.iter_any():
            received += part
            if len(received) > size * rested // RESTS:
                rested += 1
                await asyncio.sleep(REST_SECONDS)
            peak = max(peak, process.memory_info().rss)
    assert rested > RESTS // 2
    return peak, bytes(received)


@pytest.mark.parametrize("incidents", [8_000, pytest.param(30_000, marks=pytest.mark.faults)])
async def test_a_long_list_that_is_read_slowly_takes_little_memory(
    ground: Ground, tmp_path: Path, incidents: int
) -> None:
    await filled(tmp_path / "data", ground.log if isinstance(ground.log, str) else "", incidents)
    service = ground.start()
    headers, process = authorization(service, tenant=TENANT), psutil.Process(service.pid)
    async with aiohttp.ClientSession(service.url, headers=headers) as session:
        for _ in range(3):  # what the first requests load stays
            page = await (await session.get(INCIDENTS, params={"size": 1})).json()
            assert page["page"]["total_records"] == incidents
    before = process.memory_info().rss
    size = incidents * DESCRIPTION
    peak, received = await peak_while_reading(service.url, headers, process, size)
    found = orjson.loads(received)["data"]
    assert found["total"] == len({incident["id"] for incident in found["incidents"]}) == incidents
    assert peak - before < MAX_GROWTH < len(received), f"{(peak - before) // MEBIBYTE} MiB more"
