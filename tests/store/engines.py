"""Both engines behind one face, so that one test runs on each; and what a process of the service makes of a log."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg

from service.store.bells import Bells
from service.store.feed import Feed
from service.store.log import Log, Row
from service.store.postgres import Postgres
from service.store.postgres_log import HEAD_CHANNEL, PostgresLog
from service.store.sqlite_file import DatabaseFile
from service.store.sqlite_log import SqliteLog
from service.store.writer import Writer

SCHEMA = "ims"
SQLITE_PREFIX = "sqlite:///"


@dataclass
class Process:
    """A log with its writer and its feed, running as they do in the service."""

    log: Log
    writer: Writer
    feed: Feed
    heard: list[tuple[Any, int]] = field(default_factory=list)


class Engine(Protocol):
    url: str

    def log(self, timeout: float = 5.0) -> Any:
        """`async with engine.log() as log`: one process's view of the one log, connections and threads of its own."""

    def process(self, deadline: float = 10.0, timeout: float = 5.0) -> Any:
        """`async with engine.process() as process`; it leaves when all that waits is written."""

    async def sql(self, statement: str) -> Sequence[Sequence[Any]]:
        """A look, or a change, from outside."""
        ...


class SqliteEngine:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"{SQLITE_PREFIX}{path}"

    @asynccontextmanager
    async def log(self, timeout: float = 5.0) -> AsyncIterator[SqliteLog]:
        file = DatabaseFile(self.path, "FULL")
        try:
            log = SqliteLog(file)
            await log.open()
            yield log
        finally:
            file.close()

    @asynccontextmanager
    async def process(self, deadline: float = 10.0, timeout: float = 5.0) -> AsyncIterator[Process]:
        async with self.log() as log, _running(log, deadline) as process:
            yield process

    async def sql(self, statement: str) -> Sequence[Sequence[Any]]:
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()


class PostgresEngine:
    def __init__(self, url: str) -> None:
        self.url = url

    @asynccontextmanager
    async def log(self, timeout: float = 5.0) -> AsyncIterator[PostgresLog]:
        async with self._opened(timeout) as (log, _):
            yield log

    @asynccontextmanager
    async def process(self, deadline: float = 10.0, timeout: float = 5.0) -> AsyncIterator[Process]:
        async with self._opened(timeout) as (log, bells), _running(log, deadline) as process:
            bells.on(HEAD_CHANNEL, lambda _: process.feed.ring())
            async with _task(bells.run(process.log.log_id)):
                yield process

    async def sql(self, statement: str) -> Sequence[Sequence[Any]]:
        connection = await asyncpg.connect(self.url, server_settings={"search_path": SCHEMA})
        try:
            rows: Sequence[Sequence[Any]] = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    @asynccontextmanager
    async def _opened(self, timeout: float) -> AsyncIterator[tuple[PostgresLog, Bells]]:
        postgres = Postgres(self.url, SCHEMA, pool=4, timeout=timeout)
        async with AsyncExitStack() as open_things:
            await postgres.open()
            open_things.callback(postgres.close)
            bells = Bells(postgres)
            log = PostgresLog(postgres, bells)
            await log.open()
            open_things.push_async_callback(log.close)
            yield log, bells


def engine_of(url: str) -> Engine:
    return SqliteEngine(Path(url.removeprefix(SQLITE_PREFIX))) if url.startswith(SQLITE_PREFIX) else PostgresEngine(url)


async def every(log: Log) -> list[Row]:
    return await log.read(0, 1_000_000)


@asynccontextmanager
async def _running(log: Log, deadline: float) -> AsyncIterator[Process]:
    feed = Feed(log)
    await feed.start()
    writer = Writer(log, feed, deadline)
    process = Process(log, writer, feed)
    feed.listen(lambda _tenant, id, version, _position: process.heard.append((id, version)))
    writing = asyncio.create_task(writer.run())
    try:
        async with _task(feed.run()):
            yield process
    finally:
        writer.close()
        await writing


@asynccontextmanager
async def _task(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
