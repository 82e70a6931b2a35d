"""`python -m tests.bench.readers`: what readers of the stream over HTTP cost, idle in memory, listening in creates.

The creates are of one machine within one run: without readers, with one, with many.
"""

import asyncio
import time
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import psutil

from tests.http.api import incident
from tests.http.sse import Reading, listening_at
from tests.servers.process import ServiceProcess

IDLE = 500
IDLE_MEGABYTES_MARK = 60
LISTENING = (0, 1, 50)
CLIENTS, CREATES = 32, 3_000
SETTLE_SECONDS = 1.0


def main() -> None:
    with (
        TemporaryDirectory(prefix="ims-bench-") as folder,
        ServiceProcess(Path(folder), {"rate_limit": "off"}) as service,
    ):
        asyncio.run(_measure(service))


async def _measure(service: ServiceProcess) -> None:
    headers = service.authorization()
    megabytes = await idle_cost(service, headers["Authorization"], IDLE) / 2**20
    _say(f"{IDLE} idle readers: {megabytes:.1f} MB (mark: under {IDLE_MEGABYTES_MARK} MB)")
    async with aiohttp.ClientSession(service.url, headers=headers) as session:
        await _creates(session)
        for number in LISTENING:
            async with AsyncExitStack() as readers:
                last = await _head(session)
                draining = [
                    asyncio.create_task(_drain(await readers.enter_async_context(_reading(service, headers, last))))
                    for _ in range(number)
                ]
                rate = await _creates(session)
                _say(f"{number} listening readers: {rate:,.0f} creates/s")
                for task in draining:
                    task.cancel()


async def idle_cost(service: ServiceProcess, authorization: str, number: int) -> int:
    """Bytes by which the service grows when so many readers come and nothing happens. One was there before."""
    port = int(service.url.rpartition(":")[2])
    process = psutil.Process(service.pid)
    async with AsyncExitStack() as readers:
        await readers.enter_async_context(listening_at("127.0.0.1", port, authorization))
        before = int(process.memory_info().rss)
        for _ in range(number):
            reading = await readers.enter_async_context(listening_at("127.0.0.1", port, authorization))
            assert reading.status == 200
        await asyncio.sleep(SETTLE_SECONDS)
        return int(process.memory_info().rss) - before


async def _creates(session: aiohttp.ClientSession) -> float:
    async def create() -> None:
        for _ in range(CREATES // CLIENTS):
            async with session.post("/v1/incident", json=incident()) as answer:
                assert answer.status == 201

    began = time.perf_counter()
    await asyncio.gather(*(create() for _ in range(CLIENTS)))
    return CREATES / (time.perf_counter() - began)


async def _head(session: aiohttp.ClientSession) -> int:
    async with session.get("/status") as answer:
        return int((await answer.json())["log"]["head"])


def _reading(service: ServiceProcess, headers: dict[str, str], last: int) -> AbstractAsyncContextManager[Reading]:
    port = int(service.url.rpartition(":")[2])
    return listening_at("127.0.0.1", port, headers["Authorization"], last=last)


async def _drain(reading: Reading) -> None:
    while await reading.raw(2**16):
        pass


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
