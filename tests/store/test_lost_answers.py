"""A commit whose acknowledgement is lost: the same group is sent again. No false conflict, no second event."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.event import Recorded
from projections.database import Unavailable
from service.store.errors import OutcomeUnknown, Repeated
from service.store.log import Row
from tests.servers.postgres import Postgres
from tests.servers.proxy import FaultProxy
from tests.store.engines import PostgresEngine, Process, every
from tests.store.events import happening
from tests.store.test_log import is_dense

A, B = UUID(int=1), UUID(int=2)
COMMAND = UUID(int=0xC0)
PATIENCE_SECONDS = 30.0
APPEND = r"from append\("
LOCK = "pg_advisory{}(1229804851, 'ims.log'::regclass::oid::integer)"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def proxy(postgres: Postgres, fault_proxy: Callable[[int], Awaitable[FaultProxy]]) -> FaultProxy:
    return await fault_proxy(postgres.port)


@pytest.fixture
def behind(proxy: FaultProxy, postgres: Postgres, postgres_dsn: str) -> PostgresEngine:
    return PostgresEngine(postgres_dsn.replace(str(postgres.port), str(proxy.port)))


@pytest.fixture
async def process(behind: PostgresEngine) -> AsyncIterator[Process]:
    async with behind.process() as process:
        await process.writer.append(happening(A, 0), repeatable=False)
        yield process


@pytest.fixture
async def outside(process: Process, postgres_dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else who can hold the lock that appending needs."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def until_waiting(outside: asyncpg.Connection, backends: int) -> None:
    async with asyncio.timeout(10):
        while await outside.fetchval(WAITING) < backends:
            await asyncio.sleep(0.01)


async def test_the_answer_is_lost_after_the_commit(process: Process, proxy: FaultProxy) -> None:
    lost = proxy.lose_next_answer(APPEND)
    recorded = await process.writer.append(happening(A, 1), repeatable=False)
    assert lost.is_set()
    assert recorded.position == 2
    assert (await process.writer.append(happening(A, 2), repeatable=False)).position == 3
    rows = await every(process.log)
    assert [row.originator_version for row in rows] == [0, 1, 2]
    assert rows[1].recorded_at == recorded.recorded_at
    assert is_dense(rows)


async def test_the_answer_to_a_whole_group_is_lost(process: Process, proxy: FaultProxy) -> None:
    proxy.latency = 0.02
    lost = proxy.lose_next_answer(APPEND)
    events = [happening(uuid4(), 0) for _ in range(50)] + [happening(A, 0), happening(A, 1)]
    results = await asyncio.gather(
        *(process.writer.append(event, repeatable=False) for event in events), return_exceptions=True
    )
    assert lost.is_set()
    assert [type(result).__name__ for result in results if not isinstance(result, Recorded)] == ["Conflict"]
    assert len(await every(process.log)) == 52
    assert [row.originator_version for row in await process.log.stream(A)] == [0, 1]


async def test_the_client_is_cut_while_the_server_still_waits_for_the_lock(
    process: Process, proxy: FaultProxy, outside: asyncpg.Connection
) -> None:
    await outside.execute(f"SELECT {LOCK.format('_lock')}")
    lost = proxy.lose_next_answer(APPEND, "sent")
    appending = asyncio.create_task(process.writer.append(happening(A, 1), repeatable=False))
    await asyncio.wait_for(lost.wait(), 5)
    await until_waiting(outside, 2)  # the one that was cut off, and the one that asks again
    assert await process.log.head() == 1
    await outside.execute(f"SELECT {LOCK.format('_unlock')}")
    assert (await appending).position == 2
    async with asyncio.timeout(5):
        while await outside.fetchval(WAITING):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert [row.originator_version for row in await every(process.log)] == [0, 1]


async def test_what_was_not_known_by_the_deadline_is_told_to_who_repeats_the_command(
    behind: PostgresEngine, process: Process, outside: asyncpg.Connection
) -> None:
    await outside.execute(f"SELECT {LOCK.format('_lock')}")
    async with behind.process(deadline=0.5) as impatient:
        with pytest.raises(OutcomeUnknown):
            await impatient.writer.append(happening(B, 0, COMMAND), repeatable=True)
        await outside.execute(f"SELECT {LOCK.format('_unlock')}")
        try:
            repeated = (await impatient.writer.append(happening(uuid4(), 0, COMMAND), repeatable=True)).position
        except Repeated as error:
            repeated = error.position
    rows = await every(process.log)
    assert [row.command_id for row in rows].count(COMMAND) == 1
    assert repeated == len(rows) == 2


async def cuts(process: Process, proxy: FaultProxy, seconds: float) -> None:
    """Many write while answers are lost, connections reset and new ones refused, at random."""
    chance = random.Random(1)
    acknowledged: list[Recorded] = []
    end = asyncio.get_running_loop().time() + seconds

    async def write() -> None:
        id, version = uuid4(), 0
        while asyncio.get_running_loop().time() < end:
            acknowledged.append(await process.writer.append(happening(id, version), repeatable=False))
            version += 1

    async def cut() -> None:
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(chance.uniform(0.02, 0.2))
            match chance.randrange(4):
                case 0:
                    proxy.lose_next_answer(APPEND)
                case 1:
                    proxy.lose_next_answer(APPEND, "sent")
                case 2:
                    proxy.reset()
                case _:
                    await proxy.refuse()
                    proxy.reset()
                    await asyncio.sleep(0.05)
                    await proxy.accept()

    await asyncio.gather(cut(), *(write() for _ in range(20)))
    rows = await _read_at_last(process)
    assert is_dense(rows)
    found = {(row.originator_id, row.originator_version): (row.position, row.recorded_at) for row in rows}
    assert len(found) == len(rows) == len(acknowledged) + 1
    for recorded in acknowledged:
        event = recorded.event
        assert found[event.originator_id, event.originator_version] == (recorded.position, recorded.recorded_at)
    assert len(acknowledged) > 20


async def _read_at_last(process: Process) -> list[Row]:
    """A connection of the pool may still be found cut off."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with suppress(Unavailable):
                return await every(process.log)
            await asyncio.sleep(0.05)


async def test_a_bad_network(process: Process, proxy: FaultProxy) -> None:
    await cuts(process, proxy, 2)


@pytest.mark.faults
async def test_a_bad_network_for_long(process: Process, proxy: FaultProxy) -> None:
    await cuts(process, proxy, 60)
