"""An empty log is filled with another one's rows: all of them exactly as they are, or none."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from service.store.errors import NotEmpty
from service.store.identity import NotALog
from service.store.log import Log, Outcome, Row, Verdict
from tests.store.engines import Engine, PostgresEngine, SqliteEngine, every
from tests.store.events import births, entry
from tests.store.test_log import is_dense

A, COMMAND = UUID(int=0xA), UUID(int=0xC0)
INDEXES = {"log_aggregate", "log_tenant", "log_subject", "log_command"}


class Interrupted(Exception):
    """What happens to whoever brings the rows."""


async def in_parts(rows: Sequence[Row], end: Exception | None = None, size: int = 3) -> AsyncIterator[Sequence[Row]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
    if end is not None:
        raise end


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[Log]:
    """A log with a bit of everything: keys, several versions, something erased, another identity than at first."""
    engine = SqliteEngine(tmp_path / "source.db")
    async with engine.log() as log:
        await log.append([entry(A, 0, COMMAND, name="Ǻ 🚒 \u2028"), *births(6)])
        await log.append([entry(A, 1), *(other._replace(tenant_id="other") for other in births(3))])
        await engine.sql("UPDATE log SET state = NULL, salt = NULL WHERE notification_id = 5")
        await log.restore()
        yield log


async def test_every_row_and_the_identity_are_what_they_were(source: Log, log: Log, engine: Engine) -> None:
    rows = await every(source)
    await log.load(in_parts(rows), source.log_id, restored=source.restored)
    assert await every(log) == rows
    assert (await log.identity())[:2] == (log.log_id, log.restored) == (source.log_id, True)
    async with engine.log() as again:
        assert (again.log_id, again.restored) == (source.log_id, True)


async def test_it_goes_on_as_the_log_that_it_is(source: Log, log: Log, engine: Engine) -> None:
    await log.load(in_parts(await every(source)), source.log_id, restored=True)
    outcomes = await log.append([entry(A, 2), entry(uuid4(), 0, COMMAND), entry(A, 1), *births(1)])
    assert [(outcome.verdict, outcome.position) for outcome in outcomes] == [
        (Verdict.APPENDED, 12), (Verdict.REPEATED, 1), (Verdict.CONFLICT, 0), (Verdict.APPENDED, 13),
    ]  # fmt: skip
    assert is_dense(await every(log))
    assert [row.position for row in await log.stream(A)] == [1, 8, 12]
    assert await log.count("other", 0) == 3
    catalog = "SELECT indexname FROM pg_indexes WHERE tablename = 'log' AND indexname != 'log_pkey'"
    if isinstance(engine, SqliteEngine):
        catalog = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'log'"
    assert {name for (name,) in await engine.sql(catalog)} == INDEXES


async def test_a_log_that_has_events_is_refused_and_left_alone(source: Log, log: Log) -> None:
    await log.append(births(1))
    before = await every(log)
    with pytest.raises(NotEmpty):
        await log.load(in_parts(await every(source)), source.log_id, restored=True)
    assert await every(log) == before
    assert await log.identity() == (log.log_id, False, None)
    assert await log.append(births(1))


async def test_what_fails_in_the_middle_leaves_an_empty_log_that_can_be_loaded(source: Log, log: Log) -> None:
    rows, before = await every(source), log.log_id
    with pytest.raises(Interrupted):
        await log.load(in_parts(rows, Interrupted()), source.log_id, restored=True)
    assert await every(log) == []
    assert await log.identity() == (before, False, None)
    await log.load(in_parts(rows), source.log_id, restored=True)
    assert await every(log) == rows


async def test_rows_that_contradict_each_other_are_refused(source: Log, log: Log) -> None:
    rows = await every(source)
    one, *_, last = rows
    for wrong in (
        last._replace(originator_id=one.originator_id, originator_version=0),
        last._replace(command_id=COMMAND),
        last._replace(position=1),
    ):
        with pytest.raises(NotALog):
            await log.load(in_parts([*rows[:-1], wrong]), source.log_id, restored=False)
        assert await every(log) == []
    assert [outcome.position for outcome in await log.append(births(2))] == [1, 2]


async def test_an_append_that_comes_meanwhile_waits_and_finds_what_was_loaded(
    source: Log, postgres_engine: PostgresEngine
) -> None:
    """On SQLite there is no other process that could."""
    rows = await every(source)
    async with postgres_engine.log() as loading, postgres_engine.log() as serving:
        appended: list[asyncio.Task[list[Outcome]]] = []

        async def slowly() -> AsyncIterator[Sequence[Row]]:
            yield rows[:4]
            appended.append(asyncio.create_task(serving.append([entry(A, 0), *births(1)])))
            await asyncio.sleep(0.3)
            assert not appended[0].done()
            yield rows[4:]

        await loading.load(slowly(), source.log_id, restored=False)
        conflict, later = await appended[0]
        assert (conflict.verdict, later.position) == (Verdict.CONFLICT, 12)
        assert is_dense(await every(loading))
