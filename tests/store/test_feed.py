"""What was appended, in order and without a hole, whoever appended it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.erased import Erased
from domain.event import Recorded
from projections.database import Unavailable
from service.store import feed as feed_module
from service.store.feed import READ_EVENTS, Feed, LogWentBack
from service.store.log import Log, Row
from service.store.mapper import UnreadableEvent, entry_of
from tests.servers.postgres import Postgres
from tests.servers.proxy import FaultProxy
from tests.store.engines import Engine, PostgresEngine, Process
from tests.store.events import births, entry, happening

A = UUID(int=1)


async def follow(feed: Feed, upto: int, after: int = 0, limit: int = 7) -> list[Recorded]:
    facts: list[Recorded] = []
    async with asyncio.timeout(20):
        while (position := facts[-1].position if facts else after) < upto:
            facts += [fact for fact in await feed.after(position, limit, 5) if isinstance(fact, Recorded)]
    return facts


async def write(process: Process, number: int, pause: float = 0) -> None:
    for _ in range(number):
        await process.writer.append(happening(uuid4(), 0), repeatable=False)
        await asyncio.sleep(pause)


async def test_two_processes_write_and_both_see_all_in_order(engine: Engine) -> None:
    async with engine.process() as first, engine.process() as second:
        followers = [asyncio.create_task(follow(process.feed, 120)) for process in (first, second)]
        await asyncio.gather(*(write(process, 30) for process in (first, second, first, second)))
        seen = await asyncio.gather(*followers)
        rows = await first.log.read(0, 1000)
    expected = [(row.position, row.originator_id, row.recorded_at) for row in rows]
    for facts in seen:
        assert [(fact.position, fact.event.originator_id, fact.recorded_at) for fact in facts] == expected
    for process in (first, second):
        assert process.heard == [(row.originator_id, row.originator_version) for row in rows]
        assert process.feed.head.value == 120


async def test_in_turns_too(engine: Engine) -> None:
    async with engine.process() as first, engine.process() as second:
        for _ in range(10):
            await write(first, 1)
            await write(second, 1)
        assert [fact.position for fact in await follow(first.feed, 20)] == list(range(1, 21))
        assert [fact.position for fact in await follow(second.feed, 20)] == list(range(1, 21))


async def test_what_a_process_wrote_itself_it_knows_at_once(engine: Engine) -> None:
    async with engine.process() as process:
        written = []
        for version in range(20):
            written.append(await process.writer.append(happening(A, version), repeatable=False))
            await asyncio.sleep(0)
            assert process.feed.head.value == version + 1
        facts = await process.feed.after(0, 30, 0)
    assert facts == written
    # The look that it takes once a second may find an event before the writer has handed it over; never most of them.
    assert sum(fact is recorded for fact, recorded in zip(facts, written, strict=True)) > 10


async def test_another_process_is_woken_by_a_bell(postgres_engine: PostgresEngine) -> None:
    async with postgres_engine.process() as first, postgres_engine.process() as second:
        await write(first, 1)
        assert await second.feed.head.reach(1, 5)
        await asyncio.sleep(0.1)
        took = []
        for position in range(2, 7):
            begin = asyncio.get_running_loop().time()
            await write(first, 1)
            assert await second.feed.head.reach(position, 5)
            took.append(asyncio.get_running_loop().time() - begin)
    assert sorted(took)[2] < 0.3


async def test_without_a_bell_it_looks_once_a_second(log: Log) -> None:
    feed = Feed(log)
    await feed.start()
    running = asyncio.create_task(feed.run())
    await asyncio.sleep(0.1)
    await log.append(births(1))
    assert not await feed.head.reach(1, 0.3)
    assert await feed.head.reach(1, 2)
    running.cancel()


class SlowToAnswer:
    """A log whose answers to `read` are on their way until they are let through."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.head, self.digests = log.head, log.digests
        self.asked, self.let_through = asyncio.Event(), asyncio.Event()

    async def read(self, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        rows = await self._log.read(after, limit, max_bytes)
        self.asked.set()
        await self.let_through.wait()
        return rows


async def test_a_bell_that_rings_during_a_look_is_heard(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "LOOK_SECONDS", 60.0)
    slow: Any = SlowToAnswer(log)
    feed = Feed(slow)
    await feed.start()
    running = asyncio.create_task(feed.run())
    await slow.asked.wait()
    await log.append(births(1))
    feed.ring()
    slow.let_through.set()
    assert await feed.head.reach(1, 2)
    running.cancel()


async def test_it_begins_at_the_head_and_the_past_is_read_from_the_log(log: Log) -> None:
    await log.append(births(5))
    feed = Feed(log)
    await feed.start()
    assert feed.head.value == 5
    assert [fact.position for fact in await feed.after(1, 3, 0)] == [2, 3, 4]
    assert await feed.after(5, 3, 0.01) == []


async def test_who_lags_behind_the_window_reads_from_the_log(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "WINDOW", 8)
    async with engine.process() as process:
        await asyncio.gather(*(write(process, 10) for _ in range(5)))
        assert len(process.feed._window) == 8
        for after in (0, 30, 41, 42, 49):
            facts = await follow(process.feed, 50, after)
            assert [fact.position for fact in facts] == list(range(after + 1, 51))
        assert await process.feed.after(50, 5, 0.01) == []


async def test_a_read_is_bounded(log: Log) -> None:
    for _ in range(4):
        await log.append(births(200))
    feed = Feed(log)
    await feed.catch_up()
    assert feed.head.value == 800
    feed._window.clear()
    assert len(await feed.after(0, 10_000, 0)) == READ_EVENTS


DAMAGES: dict[str, str | bytes] = {
    "unknown topic": "topic = 'IncidentVaporised'",
    "topic of an aggregate": "topic = 'Incident'",
    "newer shape": b'{"class_version":2}',
    "damaged": b'{"half',
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_what_cannot_be_read_stops_who_follows_and_nobody_else(engine: Engine, damage: str | bytes) -> None:
    async with engine.process() as process:
        listened: list[tuple[UUID, int]] = []
        await process.log.append([*births(2), entry(A, 0), *births(2)])
        if isinstance(damage, bytes):
            quote = "'\\x" if "postgres" in engine.url else "x'"
            damage = f"state = {quote}{damage.hex()}'"
        await engine.sql(f"UPDATE log SET {damage} WHERE notification_id = 3")
        feed = Feed(process.log)
        feed.listen(lambda _tenant, id, version, _position: listened.append((id, version)))
        await feed.catch_up()
        assert feed.head.value == 5
        assert listened[2] == (A, 0)
        assert [fact.position for fact in await feed.after(0, 10, 0)] == [1, 2]
        for _ in range(2):
            with pytest.raises(UnreadableEvent):
                await feed.after(2, 10, 0)
        assert [fact.position for fact in await feed.after(3, 10, 0)] == [4, 5]


async def test_what_was_erased_has_its_place(engine: Engine) -> None:
    async with engine.process() as process:
        await process.log.append([*births(1), entry(A, 0)])
        await process.log.append([entry(A, 1)])
        await process.feed.catch_up()
        assert process.feed._window
        await engine.sql("UPDATE log SET state = NULL, salt = NULL WHERE notification_id <= 2")
        process.feed._window.popleft()
        assert [type(fact) for fact in await process.feed.after(0, 2, 0)] == [Erased, Erased]
        # Its later events may be in memory as they were: what is read next must not be older than that.
        assert not process.feed._window


@pytest.mark.parametrize("instead", [0, 1], ids=["gone", "another event"])
async def test_a_log_that_went_back_is_noticed_and_nothing_is_told_from_memory(engine: Engine, instead: int) -> None:
    async with engine.log() as log:
        feed = Feed(log)
        await feed.start()
        await log.append(births(2))
        await feed.catch_up()
        feed.doubt()
        await feed.catch_up()  # a connection was lost and nothing else
        await log.append(births(1))
        await feed.catch_up()
        assert feed.recent(2, 10)
        await engine.sql("DELETE FROM log WHERE notification_id = 3")
        await log.append(births(instead))
        for _ in range(2):
            feed.doubt()
            assert feed.recent(2, 10) is None
            with pytest.raises(LogWentBack, match=f"position 3 of the log is {'another event' if instead else 'gone'}"):
                await feed.catch_up()


async def test_without_a_doubt_it_is_noticed_that_other_events_came_in_the_place_of_those_that_are_gone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head may be where it was, or beyond, by the time of the next look."""
    monkeypatch.setattr(feed_module, "LOOK_SECONDS", 0.0)
    for instead in (0, 3, 5):
        async with engine.log() as log:
            await engine.sql("DELETE FROM log")
            feed = Feed(log)
            await feed.start()
            await log.append(births(3))
            await feed.catch_up()
            await engine.sql("DELETE FROM log WHERE notification_id > 1")
            await log.append(births(instead))
            with pytest.raises(LogWentBack, match=r"position 3 of the log is .*Run `ims restored` first"):
                await feed.catch_up()
            assert feed.head.value == 3


async def test_a_process_that_is_told_of_another_event_than_it_knows_takes_nothing_after_it(engine: Engine) -> None:
    async def live() -> None:
        async with engine.process() as process:
            await write(process, 3)
            await engine.sql("DELETE FROM log WHERE notification_id > 1")
            await write(process, 3)  # positions 2 to 4
            assert process.feed.head.value == 3

    with pytest.raises(LogWentBack, match="position 2 of the log is another event now"):
        await live()


async def test_what_was_there_at_the_last_look_must_be_there_whatever_was_appended_since(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process wrote in the place of what is gone, and this one after that."""
    monkeypatch.setattr(feed_module, "LOOK_SECONDS", 0.0)
    async with engine.log() as log, engine.log() as other:
        feed = Feed(log)
        await feed.start()
        await log.append(births(3))
        await feed.catch_up()
        await feed.catch_up()
        await engine.sql("DELETE FROM log WHERE notification_id > 1")
        await other.append(births(2))
        event = happening(uuid4(), 0)
        mine = entry_of(event, repeatable=False)
        (outcome,) = await log.append([mine])
        assert (outcome.position, outcome.recorded_at is not None) == (4, True)
        feed.offer([Recorded(event, outcome.position, outcome.recorded_at, mine.digest)])
        assert feed.head.value == 4
        with pytest.raises(LogWentBack, match="position 3 of the log is another event now"):
            await feed.catch_up()


async def test_it_goes_on_when_the_database_is_back(
    postgres: Postgres, postgres_dsn: str, fault_proxy: Callable[[int], Awaitable[FaultProxy]]
) -> None:
    proxy = await fault_proxy(postgres.port)
    behind = postgres_dsn.replace(str(postgres.port), str(proxy.port))
    async with PostgresEngine(behind).process() as cut, PostgresEngine(postgres_dsn).process() as other:
        await write(other, 1)
        assert await cut.feed.head.reach(1, 5)
        await proxy.refuse()
        proxy.reset()
        await write(other, 1)
        with pytest.raises(Unavailable):
            await cut.feed.catch_up()
        assert not await cut.feed.head.reach(2, 0.2)
        await proxy.accept()
        assert await cut.feed.head.reach(2, 5)
