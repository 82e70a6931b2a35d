"""Group commit, on both engines: a result for each command, in one transaction for all."""

import asyncio
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.event import Recorded
from service.store.errors import Conflict, Overloaded, Repeated
from service.store.feed import Feed
from service.store.log import Log
from service.store.writer import MAX_GROUP, MAX_WAITING, Writer
from tests.store.engines import Engine, every
from tests.store.events import entry, happening

A, B, C = (UUID(int=n) for n in range(1, 4))
COMMAND = UUID(int=0xC0)


async def in_one_go(log: Log, *events: Any, repeatable: bool = False) -> list[Recorded | BaseException]:
    """All of them wait before the writer begins."""
    writer = Writer(log, Feed(log), 10)
    waiting = [asyncio.create_task(writer.append(event, repeatable=repeatable)) for event in events]
    await asyncio.sleep(0)
    assert writer.waiting == len(events)
    writer.close()
    await writer.run()
    return await asyncio.gather(*waiting, return_exceptions=True)


def outcomes(results: list[Recorded | BaseException]) -> list[int | str]:
    return [result.position if isinstance(result, Recorded) else type(result).__name__ for result in results]


async def test_each_command_has_its_own_result(log: Log) -> None:
    await log.append([entry(A, 0)])
    results = await in_one_go(log, happening(B, 0), happening(A, 0), happening(C, 3), happening(A, 1))
    assert outcomes(results) == [2, "Conflict", "Conflict", 3]


async def test_what_is_returned_is_what_was_recorded(log: Log) -> None:
    event = happening(A, 0)
    (recorded,) = await in_one_go(log, event)
    (row,) = await every(log)
    assert recorded == Recorded(event, 1, row.recorded_at, row.digest)


async def test_events_of_one_aggregate_are_handled_one_after_the_other(log: Log) -> None:
    results = await in_one_go(log, *(happening(A, version) for version in range(5)), happening(B, 0))
    assert outcomes(results) == [1, 3, 4, 5, 6, 2]


async def test_of_rivals_for_a_version_one_wins(log: Log) -> None:
    results = await in_one_go(log, happening(A, 0), happening(A, 0), happening(A, 0), happening(A, 1))
    assert outcomes(results) == [1, "Conflict", "Conflict", 2]


async def test_a_command_that_comes_twice_is_carried_out_once(log: Log) -> None:
    results = await in_one_go(log, happening(A, 0, COMMAND), happening(B, 0, COMMAND), repeatable=True)
    assert outcomes(results) == [1, "Repeated"]
    (again,) = await in_one_go(log, happening(C, 0, COMMAND), repeatable=True)
    assert isinstance(again, Repeated)
    assert again.position == 1
    assert outcomes(await in_one_go(log, happening(C, 0, COMMAND))) == [2]  # without a key its id guards nothing


async def test_more_than_a_group_is_several(log: Log) -> None:
    results = await in_one_go(log, *(happening(uuid4(), 0) for _ in range(2 * MAX_GROUP + 1)))
    assert outcomes(results) == list(range(1, 2 * MAX_GROUP + 2))
    times = [row.recorded_at for row in await every(log)]
    assert times == sorted(set(times))


async def test_the_queue_is_bounded(log: Log) -> None:
    writer = Writer(log, Feed(log), 60)
    event = happening(A, 0)
    waiting = [asyncio.create_task(writer.append(event, repeatable=False)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await writer.append(event, repeatable=False)
    assert writer.waiting == MAX_WAITING
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_tenant_with_many_commands_does_not_hold_up_anothers(log: Log) -> None:
    flood = [happening(uuid4(), 0) for _ in range(2 * MAX_GROUP)]
    results = await in_one_go(log, *flood, happening(A, 0, tenant="rival"), happening(B, 0, tenant="rival"))
    assert outcomes(results[:1] + results[-2:]) == [1, 2, 4]
    assert all(isinstance(result, Recorded) for result in results)


async def test_who_floods_is_refused_and_nobody_else(log: Log) -> None:
    writer = Writer(log, Feed(log), 60)
    waiting = [asyncio.create_task(writer.append(happening(A, 0), repeatable=False)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    rival = asyncio.create_task(writer.append(happening(B, 0, tenant="rival"), repeatable=False))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await waiting[-1]
    with pytest.raises(Overloaded):
        await writer.append(happening(A, 0), repeatable=False)
    assert (writer.waiting, rival.done()) == (MAX_WAITING, False)
    waiting.append(rival)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_writer_that_closes_takes_no_more_and_finishes_what_waits(engine: Engine) -> None:
    async with engine.log() as log:
        feed = Feed(log)
        writer = Writer(log, feed, 10)
        waiting = [asyncio.create_task(writer.append(happening(uuid4(), 0), repeatable=False)) for _ in range(9)]
        await asyncio.sleep(0)
        writer.close()
        with pytest.raises(Overloaded):
            await writer.append(happening(A, 0), repeatable=False)
        await writer.run()
        assert [(await task).position for task in waiting] == list(range(1, 10))


async def test_one_that_gave_up_waiting_does_not_hold_up_the_others(engine: Engine) -> None:
    async with engine.process() as process:
        impatient = asyncio.create_task(process.writer.append(happening(A, 0), repeatable=False))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await process.writer.append(happening(B, 0), repeatable=False)).event.originator_id == B
        rows = await every(process.log)
    assert [row.position for row in rows] == list(range(1, len(rows) + 1))


async def test_a_lone_command_is_not_delayed_by_a_timer(engine: Engine) -> None:
    async with engine.process() as process:
        await process.writer.append(happening(A, 0), repeatable=False)
        took = []
        for version in range(1, 21):
            begin = time.perf_counter()
            await process.writer.append(happening(A, version), repeatable=False)
            took.append(time.perf_counter() - begin)
    assert sorted(took)[10] < 0.05


async def test_two_processes_race_for_every_version(engine: Engine) -> None:
    async def race(writer: Writer) -> int:
        won = 0
        for version in range(30):
            try:
                await writer.append(happening(A, version), repeatable=False)
                won += 1
            except Conflict:
                pass
        return won

    async with engine.process() as first, engine.process() as second:
        # Each version is won by one of them; whoever falls behind finds it taken.
        won = await asyncio.gather(race(first.writer), race(second.writer))
        rows = await every(first.log)
    assert [row.originator_version for row in rows] == list(range(30))
    assert [row.position for row in rows] == list(range(1, 31))
    assert sum(won) == 30
