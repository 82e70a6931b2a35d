"""Streams that nobody reads: what waits for them is bounded, of one and of all, and they lose the connection."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import psutil
import pytest
from aiohttp import ClientSession

from service.subscribers import tail
from tests.domain.examples import BREACH
from tests.http.api import Api
from tests.http.conftest import Serve
from tests.http.sse import SMALL_BUFFER, STREAM, listening, listening_at
from tests.servers.process import ServiceProcess

STREAMS = 60
EVENTS = 150
TEXT = "x" * 20_000
GROWN_BYTES = 100 * 2**20
"""Of a process with these streams; with all of it in buffers, thrice, it would be 500 MiB and more."""


async def test_a_process_does_not_grow_with_what_they_might_read(start_service: Callable[..., ServiceProcess]) -> None:
    service = await asyncio.to_thread(start_service, rate_limit="off")
    headers = await asyncio.to_thread(service.authorization)
    async with ClientSession(service.url, headers=headers) as client:
        for _ in range(EVENTS):
            async with client.post("/v1/incident", json={**BREACH, "description": TEXT}) as answer:
                assert answer.status == 201
        process = psutil.Process(service.pid)
        before = process.memory_info().rss
        port = int(service.url.rpartition(":")[2])
        async with AsyncExitStack() as opened:
            for _ in range(STREAMS):
                await opened.enter_async_context(
                    listening_at("127.0.0.1", port, headers["Authorization"], buffer=SMALL_BUFFER)
                )
            for _ in range(10):
                async with client.get("/v1/incident?size=1") as answer:
                    assert answer.status == 200
                await asyncio.sleep(0.05)
            assert process.memory_info().rss - before < GROWN_BYTES


async def test_of_all_that_hold_too_much_those_of_the_tenant_that_holds_most_are_dropped(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "MAX_HELD_BYTES", 2**20)
    api = await serve()
    rival = api.by(tenant="rival")
    for _ in range(20):
        await api.report(description=TEXT)
        await rival.report(description=TEXT)
    async with AsyncExitStack() as opened:
        other = await opened.enter_async_context(listening(rival, buffer=SMALL_BUFFER))
        for _ in range(8):
            await opened.enter_async_context(listening(api, buffer=SMALL_BUFFER))
        await holds(api)
        assert api.parts.tail.dropped > 0
        assert len(await other.take(20)) == 20, "another tenant's reader is not dropped for it"
    async with listening(api) as reading:
        assert len(await reading.take(20)) == 20


async def holds(api: Api) -> None:
    """Until the readers hold no more than they may, though some were too much."""
    async with asyncio.timeout(10):
        while api.parts.tail.held > tail.MAX_HELD_BYTES or not api.parts.tail.dropped:
            await asyncio.sleep(0.01)


async def test_a_tenant_has_so_many_readers_and_no_more(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MAX_TENANT_READERS", 1)
    api = await serve()
    async with listening(api):
        (await api.get(STREAM)).refused(503, "READERS_LIMIT")
        async with listening(api.by(tenant="rival")) as reading:
            assert reading.status == 200
