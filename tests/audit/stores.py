"""Stores of the service by their settings, filled with histories; and the commands on them, in this process."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from uuid import uuid4

from domain.erasure import ALL
from domain.event import ActEvent
from service.audit.export import export
from service.audit.loading import load
from service.engines import open_engine
from service.erasures import redactions_of
from service.settings import Settings
from service.store.history import told_of
from service.store.log import Row
from service.store.mapper import entry_of
from tests.domain.examples import NOON, erased
from tests.store.engines import SQLITE_PREFIX, engine_of

ROWS = 1_000
"""Written at once."""


def sqlite(folder: Path) -> Settings:
    return Settings(data_dir=folder)


def postgres(dsn: str, folder: Path) -> Settings:
    return Settings(data_dir=folder, database_url=dsn)


async def fill(store: Settings, events: Iterable[ActEvent]) -> None:
    """In one transaction; a microsecond from one event to the next."""
    async with open_engine(store) as engine:
        await engine.log.load(_parts(events), uuid4(), restored=False)


async def _parts(events: Iterable[ActEvent]) -> AsyncIterator[list[Row]]:
    numbered = enumerate(events, start=1)
    while part := [_row(position, event) for position, event in islice(numbered, ROWS)]:
        yield part


def _row(position: int, event: ActEvent) -> Row:
    entry = entry_of(event, repeatable=False)
    at = NOON + timedelta(microseconds=position)
    return Row(
        position, entry.originator_id, entry.originator_version, entry.topic, entry.state, entry.tenant_id,
        entry.subject_id, at, None, entry.salt, entry.digest,
    )  # fmt: skip


async def begin(store: Settings) -> None:
    """A log without events."""
    async with open_engine(store):
        pass


async def rows(store: Settings) -> Sequence[Row]:
    async with open_engine(store, writing=False) as engine:
        return await engine.log.read(0, 1_000_000)


async def sql(store: Settings, statement: str) -> None:
    """A change from outside."""
    url = store.database_url or f"{SQLITE_PREFIX}{store.sqlite_path}"
    await engine_of(url).sql(statement)


async def erase(store: Settings, position: int) -> None:
    """As an eraser leaves it, without the event that says so."""
    await sql(store, f"UPDATE log SET state = NULL, salt = NULL WHERE notification_id = {position}")


async def erase_by_order(store: Settings, position: int) -> list[int]:
    """All of the incident that this event is about; returns the positions of what is gone, without the order's."""
    async with open_engine(store) as engine:
        (row,) = await engine.log.read(position - 1, 1)
        rows = await engine.log.stream(row.originator_id)
        redactions, redacted = await redactions_of([told_of(each) for each in rows], ALL)
        order = erased(rows[-1].originator_version + 1, ALL, redacted)
        vars(order).update(originator_id=row.originator_id, tenant_id=row.tenant_id)
        await engine.log.erase(entry_of(order, repeatable=False), redactions)
    return [each.position for each in rows]


async def exported(store: Settings, file: Path) -> bytes:
    await export(store, file, packed=False)
    return file.read_bytes()


async def imported(store: Settings, file: Path) -> None:
    await load(store, file)
