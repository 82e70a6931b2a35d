"""Rolling restarts behind HAProxy as `deploy/haproxy.cfg` has it: clients that send everything once see no failure."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from tests.domain.examples import BREACH
from tests.faults.audit import audit
from tests.faults.load import authorization
from tests.http.api import PATH
from tests.http.sse import listening_at
from tests.machines.proxied import Proxy, haproxy
from tests.machines.steady import steady
from tests.projections.building import soon
from tests.servers.process import ServiceProcess
from tests.servers.programs import needs

RATE = 25
DRAIN_SECONDS = 3
"""More than the two checks, one a second, that tell HAProxy who leaves."""
PIECES = 16
PIECE_SECONDS = 0.2
"""A body takes as long as a process drains, so that each end meets one that is half there."""
SENDERS = 4
PATIENCE_SECONDS = 30.0

pytestmark = needs("haproxy")


@dataclass
class Seen:
    """What the senders of slow bodies and the reader of a stream saw."""

    created: int = 0
    positions: list[int] = field(default_factory=list)
    streams: int = 0
    failed: list[str] = field(default_factory=list)


@asynccontextmanager
async def watching(proxy: Proxy, service: ServiceProcess) -> AsyncIterator[Seen]:
    """Bodies of 1 MiB that come slowly, one after the other from each sender, and a reader of a stream who comes again
    where it ended, until the block ends."""
    seen, over = Seen(), asyncio.Event()

    async def send(user: str) -> None:
        text = json.dumps(BREACH).encode()
        body = text + b" " * (2**20 - len(text))
        size = len(body) // PIECES

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), size):
                yield body[start : start + size]
                await asyncio.sleep(PIECE_SECONDS)

        length = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        async with ClientSession(proxy.url, headers=service.authorization(user=user)) as session:
            while not over.is_set():
                try:
                    async with session.post(PATH, data=pieces(), headers=length) as answer:
                        if answer.status != 201:
                            seen.failed.append(f"{answer.status} {await answer.text()}")
                        seen.created += 1
                except (ClientError, OSError) as error:
                    seen.failed.append(f"slow body: {error!r}")

    async def read() -> None:
        headers = service.authorization()
        while True:
            last = seen.positions[-1] if seen.positions else None
            async with listening_at("127.0.0.1", proxy.port, headers["Authorization"], last=last) as reading:
                seen.streams += 1
                async for told in reading:
                    seen.positions.append(told.id)
                if reading.status != 200 or not reading.ended:
                    seen.failed.append(f"stream: {reading.status}, in order: {reading.ended}")

    senders = [asyncio.create_task(send(f"user{number}")) for number in range(SENDERS)]
    reader = asyncio.create_task(read())
    try:
        yield seen
        over.set()
        await asyncio.gather(*senders)
    finally:
        for task in (*senders, reader):
            task.cancel()
        await asyncio.gather(*senders, reader, return_exceptions=True)


@pytest.mark.parametrize(
    "rounds", [3, pytest.param(100, marks=[pytest.mark.faults, pytest.mark.timeout(2400)])], ids=["few", "many"]
)
async def test_no_request_fails_while_processes_are_restarted_in_turns(
    rounds: int, postgres_dsn: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    settings = {"database_url": postgres_dsn, "rate_limit": "off", "drain_time": str(DRAIN_SECONDS)}
    processes = [start_service(**settings) for _ in range(2)]
    headers = authorization(processes[0])
    with haproxy(tmp_path, processes) as proxy:
        await soon(proxy.ready)
        async with steady([proxy.url], headers, RATE, tries=1) as commands, watching(proxy, processes[0]) as others:
            for number in range(rounds):
                leaving = number % 2
                returns = proxy.came_back(leaving)
                assert await asyncio.to_thread(processes[leaving].terminate, PATIENCE_SECONDS) == 0
                await asyncio.to_thread(processes[leaving].start)
                await soon(partial(_is_back, proxy, leaving, returns), PATIENCE_SECONDS)
                assert not commands.failed, f"round {number}"
                assert not others.failed, f"round {number}"
            last = max(one.position for one in commands.acknowledged)
            await soon(partial(_has_read, others, last), PATIENCE_SECONDS)
    assert not commands.failed
    assert not others.failed
    assert others.created >= SENDERS
    assert others.streams > 1, "the reader came elsewhere"
    assert others.positions == list(range(1, len(others.positions) + 1))
    await audit(postgres_dsn, commands.acknowledged)


async def _is_back(proxy: Proxy, number: int, returns: int) -> bool:
    return proxy.came_back(number) > returns


async def _has_read(seen: Seen, position: int) -> bool:
    return bool(seen.positions) and seen.positions[-1] >= position
