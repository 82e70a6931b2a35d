"""Five hundred readers at once, half of them slow, coming and going: each hears everything once, of its tenant only."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from service.subscribers import tail
from tests.bench.readers import idle_cost
from tests.http.api import Api
from tests.http.conftest import Serve
from tests.http.sse import SMALL_BUFFER, listening
from tests.servers.process import ServiceProcess

READERS = 500
EVENTS = 240
TENANTS = ("acme", "rival", "third")
IDLE_BYTES = 60 * 2**20


@dataclass
class Heard:
    tenant: str
    slow: bool
    positions: list[int] = field(default_factory=list)
    tenants: set[str] = field(default_factory=set)
    connections: int = 0


async def follow(api: Api, heard: Heard, dice: random.Random, last: int, written: asyncio.Event) -> None:
    """Until the tenant's last event: by many connections, each from where the one before it ended."""
    while not heard.positions or heard.positions[-1] < last:
        heard.connections += 1
        leave_after = dice.randrange(5, 80)
        at = heard.positions[-1] if heard.positions else 0
        buffer = SMALL_BUFFER if heard.slow else None
        async with listening(api.by(tenant=heard.tenant), last=at or None, buffer=buffer) as reading:
            assert reading.status == 200
            async for told in reading:
                heard.positions.append(told.id)
                heard.tenants.add(told.data["tenantid"])
                leave_after -= 1
                if not leave_after or told.id >= last:
                    break
                if heard.slow and not written.is_set():
                    await asyncio.sleep(0.5)


@pytest.mark.timeout(180)
async def test_each_of_many_readers_hears_everything_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MAX_EVENTS", 8)
    api = await serve(read_timeout=30)  # a stream begins when the read models have what it tells
    dice = random.Random(500)
    expected: dict[str, list[int]] = {tenant: [] for tenant in TENANTS}
    schedule = [dice.choice(TENANTS) for _ in range(EVENTS - len(TENANTS))] + list(TENANTS)
    for position, tenant in enumerate(schedule, start=1):
        expected[tenant].append(position)
    written = asyncio.Event()

    async def write() -> None:
        await asyncio.sleep(0.5)
        for tenant in schedule:
            await api.by(tenant=tenant).report(description="x" * 8_000)
        written.set()

    readers = [Heard(TENANTS[n % 3], slow=n % 2 == 0) for n in range(READERS)]
    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        for reader in readers:
            last = expected[reader.tenant][-1]
            group.create_task(follow(api, reader, random.Random(dice.random()), last, written))

    assert [reader for reader in readers if reader.positions != expected[reader.tenant]] == []
    assert all(reader.tenants == {reader.tenant} for reader in readers)
    assert sum(reader.connections for reader in readers) > 1.5 * READERS, "they came again, at random positions"
    assert api.parts.tail.dropped > READERS / 10, "slow ones were dropped"


async def test_five_hundred_idle_readers_are_cheap(start_service: Callable[..., ServiceProcess]) -> None:
    service = await asyncio.to_thread(start_service)
    authorization = (await asyncio.to_thread(service.authorization))["Authorization"]
    cost = await idle_cost(service, authorization, READERS)
    assert cost < IDLE_BYTES, f"{cost / 2**20:.1f} MB"
