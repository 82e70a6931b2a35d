"""Whoever catches up gets every row once, in order, however the pages were read."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from projections.database import Unavailable
from service.store import read_ahead
from service.store.log import Log, Row
from service.store.read_ahead import ReadAhead
from tests.store.engines import SCHEMA, SQLITE_PREFIX, Engine
from tests.store.events import births, entry

LIMIT = 3


class Counting:
    """Passes reads on to a log, notes from where they were asked for, and can be away."""

    def __init__(self, log: Log) -> None:
        self.asked: list[int] = []
        self.away = False
        self._read: Callable[[int, int], Awaitable[list[Row]]] = log.read

    async def read(self, after: int, limit: int) -> list[Row]:
        self.asked.append(after)
        if self.away:
            raise Unavailable("away")
        return await self._read(after, limit)


Pages = tuple[ReadAhead[Row], Counting]


@pytest.fixture
async def pages(log: Log, monkeypatch: pytest.MonkeyPatch) -> Pages:
    """A machine may be slow: no page is too old, unless a test says so."""
    monkeypatch.setattr(read_ahead, "MAX_AGE_SECONDS", 60.0)
    counting = Counting(log)
    return ReadAhead(counting.read), counting


async def positions(pages: ReadAhead[Row], after: int) -> list[int]:
    return [row.position for row in await pages.after(after, LIMIT)]


async def test_the_next_page_is_asked_for_with_this_one_and_once(log: Log, pages: Pages) -> None:
    await log.append(births(8))
    ahead, counting = pages
    assert [await positions(ahead, after) for after in (0, 3, 6)] == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert counting.asked == [0, 3, 6]


async def test_an_end_that_was_read_ahead_is_looked_at_again(log: Log, pages: Pages) -> None:
    await log.append(births(3))
    ahead, counting = pages
    assert await positions(ahead, 0) == [1, 2, 3]
    await ahead._coming[3].page
    await log.append([entry(UUID(int=100), 0)])
    assert await positions(ahead, 3) == [4]
    assert counting.asked == [0, 3, 3]


async def test_who_goes_back_or_comes_late_reads_anew(
    engine: Engine, log: Log, pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log.append(births(7))
    ahead, _ = pages
    assert await positions(ahead, 0) == [1, 2, 3]
    assert await positions(ahead, 1) == [2, 3, 4]
    monkeypatch.setattr(read_ahead, "MAX_AGE_SECONDS", 0.0)
    await ahead._coming[4].page
    table = "log" if engine.url.startswith(SQLITE_PREFIX) else f"{SCHEMA}.log"
    await engine.sql(f"UPDATE {table} SET state = NULL WHERE notification_id = 5")
    assert [row.state is None for row in await ahead.after(4, LIMIT)] == [True, False, False]


async def test_a_log_that_is_away_is_told_to_who_wants_the_page(log: Log, pages: Pages) -> None:
    await log.append(births(5))
    ahead, counting = pages
    counting.away = True
    with pytest.raises(Unavailable):
        await positions(ahead, 0)
    counting.away = False
    assert await positions(ahead, 0) == [1, 2, 3]
    assert await positions(ahead, 3) == [4, 5]


async def test_what_was_read_ahead_is_forgotten_with_an_erasure(log: Log, pages: Pages) -> None:
    await log.append(births(5))
    ahead, counting = pages
    assert await positions(ahead, 0) == [1, 2, 3]
    ahead.forget()
    assert await positions(ahead, 3) == [4, 5]
    assert counting.asked.count(3) == 2
