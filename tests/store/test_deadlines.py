"""A database that is away: what was never sent is told apart from what may have been recorded."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple
from uuid import UUID, uuid4

import pytest

from projections.database import Unavailable
from service.store.eraser import Eraser
from service.store.errors import Conflict, OutcomeUnknown
from service.store.writer import Writer
from tests.domain.examples import erased
from tests.servers.postgres import Postgres
from tests.servers.proxy import FaultProxy
from tests.store.engines import PostgresEngine, Process, SqliteEngine, every
from tests.store.events import happening

A, B = UUID(int=1), UUID(int=2)
DEADLINE = 2.0  # seconds
TICK = 0.01


@pytest.fixture
async def proxy(postgres: Postgres, fault_proxy: Callable[[int], Awaitable[FaultProxy]]) -> FaultProxy:
    return await fault_proxy(postgres.port)


@pytest.fixture
async def behind(proxy: FaultProxy, postgres: Postgres, postgres_dsn: str) -> AsyncIterator[Process]:
    """A process that reaches PostgreSQL through the proxy, and has written A's birth."""
    engine = PostgresEngine(postgres_dsn.replace(str(postgres.port), str(proxy.port)))
    async with engine.process(deadline=DEADLINE) as process:
        await process.writer.append(happening(A, 0), repeatable=False)
        yield process
        proxy.silent.clear()
        proxy.reset()


class Refusal(NamedTuple):
    """What the writer says, and after how many seconds. `waited` leaves out those in which the whole loop stood still:
    other programs had the processor then."""

    kind: type[Exception]
    seconds: float
    waited: float

    @property
    def in_time(self) -> bool:
        return self.waited < DEADLINE + 0.3


async def refusal(writer: Writer, id: UUID, version: int) -> Refusal:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(TICK)
            ticks += 1

    ticking = asyncio.create_task(tick())
    begin = time.monotonic()
    with pytest.raises((Unavailable, OutcomeUnknown)) as error:
        await writer.append(happening(id, version), repeatable=False)
    ticking.cancel()
    kind = Unavailable if isinstance(error.value, Unavailable) else OutcomeUnknown
    return Refusal(kind, time.monotonic() - begin, ticks * TICK)


async def test_a_server_that_takes_no_connection_was_sent_nothing(behind: Process, proxy: FaultProxy) -> None:
    await proxy.refuse()
    proxy.reset()
    await refusal(behind.writer, A, 1)  # the old connection may have taken it with it
    refused = await refusal(behind.writer, A, 1)
    assert refused.kind is Unavailable
    assert refused.seconds > DEADLINE - 0.2
    assert refused.in_time
    await proxy.accept()
    assert (await behind.writer.append(happening(A, 1), repeatable=False)).position == 2


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_server_that_does_not_answer_may_have_recorded_it(
    behind: Process, proxy: FaultProxy, direction: str
) -> None:
    proxy.silent.add("up" if direction == "up" else "down")
    refused = await refusal(behind.writer, A, 1)
    assert refused.kind is OutcomeUnknown
    assert refused.in_time
    proxy.silent.clear()
    proxy.reset()
    if direction == "up":
        assert (await behind.writer.append(happening(A, 1), repeatable=False)).position == 2
    else:
        with pytest.raises(Conflict):
            await behind.writer.append(happening(A, 1), repeatable=False)
        assert await behind.log.head() == 2


async def test_what_waits_behind_a_group_that_hangs_is_told_that_it_was_never_sent_and_never_is(
    behind: Process, proxy: FaultProxy
) -> None:
    """Each comes a little later, so that each is in a group of its own when the one before is given up."""
    proxy.silent.add("up")
    first = asyncio.create_task(refusal(behind.writer, A, 1))
    others = []
    for _ in range(3):
        await asyncio.sleep(0.05)
        others.append(asyncio.create_task(refusal(behind.writer, B, 0)))
    assert (await first).kind is OutcomeUnknown
    refused = await asyncio.gather(*others)
    assert [one.kind for one in refused] == [Unavailable] * 3, "the groups after the first only tried to connect"
    assert all(one.in_time for one in refused)
    proxy.silent.clear()
    proxy.reset()
    id = uuid4()
    assert (await behind.writer.append(happening(id, 0), repeatable=False)).position == 2
    await asyncio.sleep(0.2)
    assert [row.originator_id for row in await every(behind.log)] == [A, id]


async def test_an_erasure_that_found_no_connection_in_time_was_never_sent(behind: Process, proxy: FaultProxy) -> None:
    eraser = Eraser(behind.log, behind.feed, DEADLINE / 4, behind.writer.gate)
    erasure = erased(1, ["name"])
    proxy.silent.add("up")
    with pytest.raises(Unavailable):
        await eraser.erase(erasure, [], repeatable=False)
    proxy.silent.clear()
    proxy.silent.add("down")
    with pytest.raises(Unavailable):
        await eraser.erase(erasure, [], repeatable=False)
    proxy.silent.clear()
    proxy.reset()
    assert [row.originator_id for row in await every(behind.log)] == [A]


async def test_who_was_told_that_nothing_was_sent_is_not_sent_with_those_who_still_wait(
    behind: Process, proxy: FaultProxy
) -> None:
    await proxy.refuse()
    proxy.reset()
    await asyncio.sleep(0.05)
    first = asyncio.create_task(refusal(behind.writer, A, 1))
    await asyncio.sleep(DEADLINE / 4)
    early = asyncio.create_task(refusal(behind.writer, B, 0))
    await asyncio.sleep(DEADLINE / 2)
    id = uuid4()
    late = asyncio.create_task(behind.writer.append(happening(id, 0), repeatable=False))
    refused = await early  # it is in one group with the late one by now
    assert refused.kind is Unavailable
    assert refused.in_time
    await proxy.accept()
    assert (await late).position == 2
    await first
    assert [row.originator_id for row in await every(behind.log)] == [A, id]


async def test_a_connection_that_hangs_is_not_waited_for_beyond_the_deadline(
    behind: Process, proxy: FaultProxy
) -> None:
    proxy.silent.add("up")
    assert (await refusal(behind.writer, A, 1)).kind is OutcomeUnknown
    proxy.silent.clear()  # for new connections; what the old one sent has disappeared
    assert (await behind.writer.append(happening(A, 1), repeatable=False)).position == 2


async def test_the_writer_goes_on_with_what_comes_after_an_outage(behind: Process, proxy: FaultProxy) -> None:
    await proxy.refuse()
    proxy.reset()
    waiting = [asyncio.create_task(behind.writer.append(happening(uuid4(), 0), repeatable=False)) for _ in range(20)]
    await asyncio.sleep(DEADLINE / 3)
    await proxy.accept()
    positions = sorted([(await task).position for task in waiting])
    assert positions == list(range(2, 22))


@pytest.mark.parametrize(("field", "poison"), [("tenant_id", "a\0b"), ("originator_version", 2**40)])
async def test_what_the_database_refuses_fails_alone_and_at_once(
    postgres_engine: PostgresEngine, field: str, poison: object
) -> None:
    async with postgres_engine.process(deadline=60) as process:
        wrong = happening(uuid4(), 0)
        object.__setattr__(wrong, field, poison)
        async with asyncio.timeout(30):  # half of what they would have if they were tried again
            results = await asyncio.gather(
                *(process.writer.append(one, repeatable=False) for one in (happening(A, 0), wrong, happening(B, 0))),
                return_exceptions=True,
            )
        assert [isinstance(result, Exception) for result in results] == [False, True, False]
        assert not isinstance(results[1], Unavailable | OutcomeUnknown | Conflict)
        assert [row.originator_id for row in await every(process.log)] == [A, B]


async def test_a_file_that_is_locked_by_somebody_else_costs_time_or_an_unknown_outcome(
    sqlite_engine: SqliteEngine,
) -> None:
    async with sqlite_engine.process(deadline=DEADLINE) as process, sqlite_engine.log() as other:
        await other._file.write(lambda connection: connection.execute("BEGIN IMMEDIATE"))
        patient = asyncio.create_task(process.writer.append(happening(A, 0), repeatable=False))
        await asyncio.sleep(DEADLINE / 4)
        await other._file.write(lambda connection: connection.execute("ROLLBACK"))
        assert (await patient).position == 1

        await other._file.write(lambda connection: connection.execute("BEGIN IMMEDIATE"))
        refused = await refusal(process.writer, A, 1)
        assert refused.kind is OutcomeUnknown
        assert refused.in_time
        await other._file.write(lambda connection: connection.execute("ROLLBACK"))
        with pytest.raises(Conflict):  # the thread had begun, and recorded it after all
            await process.writer.append(happening(A, 1), repeatable=False)
        assert len(await every(process.log)) == 2
