"""A log and the read models that are built from it, in this process, on either engine; and a look at every row."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from domain.event import ActEvent, Fact, Recorded
from projections.follower import Follower
from projections.lease import Lease, Leases
from projections.read_models import FOLLOWER, ReadModels
from projections.tables import ReadModel, Tables
from service.engines import Engine, open_engine
from service.generations import define, read_models
from service.leases import open_leases
from service.settings import Settings
from service.store.feed import Feed
from service.store.mapper import entry_of

Dump = dict[str, list[tuple[Any, ...]]]


@dataclass
class Building:
    """`noticed` gathers what the followers report."""

    settings: Settings
    engine: Engine
    leases: Leases
    feed: Feed
    noticed: list[tuple[str, str]] = field(default_factory=list)
    moves: list[tuple[int, int]] = field(default_factory=list)

    async def record(self, *events: ActEvent) -> list[Recorded]:
        """Append them, each in a transaction of its own."""
        recorded = []
        for event in events:
            entry = entry_of(event, repeatable=False)
            (outcome,) = await self.engine.log.append([entry])
            assert outcome.recorded_at is not None
            recorded.append(Recorded(event, outcome.position, outcome.recorded_at, entry.digest))
        await self.feed.catch_up()
        return recorded

    def follower(self, models: ReadModel | None = None, leases: Leases | None = None) -> Follower[Fact]:
        return Follower(
            FOLLOWER,
            self.feed,
            Tables(
                self.engine.database,
                leases or self.leases,
                lambda generation: models or read_models(self.engine, generation),
            ),
            leases or self.leases,
            lambda lease, position: self.moves.append((lease.generation, position)),
            lambda event, detail: self.noticed.append((event, detail)),
        )

    async def lease(self) -> Lease:
        lease = await self.leases.acquire(FOLLOWER)
        assert lease is not None
        return lease

    async def catch_up(self, models: ReadModel | None = None) -> int:
        """Apply all that the log has; returns the position."""
        await self.feed.catch_up()
        lease = await self.lease()
        try:
            return await self.follower(models).follow(lease, until=self.feed.head.value)
        finally:
            await self.leases.release(lease)

    async def position(self) -> int:
        state = await self.leases.state(FOLLOWER)
        assert state is not None
        return state.position

    def models(self, generation: int = 1) -> ReadModels:
        return read_models(self.engine, generation)

    async def dump(self, generation: int = 1) -> Dump:
        """Every row of every table; counts that came back to nothing do not count."""
        models = self.models(generation)
        return {
            "incidents": await self._rows(models.incidents.table, "tenant_id, id"),
            "past": await self._rows(models.incidents.past.table, "tenant_id, id, occ_lock"),
            "attributes": await self._rows(models.incidents.attributes.table, "tenant_id, incident_id, name"),
            "past_attributes": await self._rows(
                models.incidents.attributes.past, "tenant_id, incident_id, name, from_position"
            ),
            "counts": await self._rows(models.incidents.counts, "tenant_id, status, type, severity", "n <> 0"),
            "comments": await self._rows(models.comments.table, "tenant_id, incident_id, id"),
            "definitions": await self._rows(models.definitions.table, "tenant_id, name"),
        }

    async def _rows(self, table: str, order: str, where: str = "true") -> list[tuple[Any, ...]]:
        rows = await self.engine.database.fetch(f"SELECT * FROM {table} WHERE {where} ORDER BY {order}")
        return [tuple(row) for row in rows]


@asynccontextmanager
async def building(folder: Path, dsn: str = "", *, exclusive: bool | None = None) -> AsyncIterator[Building]:
    """On SQLite in the folder, or on PostgreSQL. `exclusive`: another answer than the engine's own."""
    settings = Settings(data_dir=folder, database_url=dsn)
    async with open_engine(settings):
        """The log is made, which who only reads does not do; without its lock others can write too."""
    async with open_engine(settings, writing=False) as engine:
        if exclusive is not None:
            engine.exclusive = exclusive
        await define(engine, read_models(engine, 1))
        feed = Feed(engine.log)
        leases = await open_leases(engine)
        await feed.start()
        yield Building(settings, engine, leases, feed)


def documents(rows: Iterable[Sequence[Any]]) -> list[Any]:
    """The JSON in the last column of each row."""
    return [orjson.loads(row[-1]) for row in rows]


async def soon(condition: Any, seconds: float = 5.0) -> None:
    """Wait until an asynchronous condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)
