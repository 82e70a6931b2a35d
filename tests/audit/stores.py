"""Stores of the service by their settings, filled with histories; and the commands on them, in this process."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from domain.event import ActEvent
from service.audit.export import export
from service.audit.loading import load
from service.engines import open_engine
from service.settings import Settings
from service.store.log import Row
from service.store.mapper import entry_of
from tests.store.engines import SQLITE_PREFIX, engine_of


def sqlite(folder: Path) -> Settings:
    return Settings(data_dir=folder)


def postgres(dsn: str, folder: Path) -> Settings:
    return Settings(data_dir=folder, database_url=dsn)


async def fill(store: Settings, events: Iterable[ActEvent]) -> None:
    """In as few transactions as there may be."""
    async with open_engine(store) as engine:
        waiting: dict[Any, ActEvent] = {}
        for event in events:
            if event.originator_id in waiting:
                await engine.log.append([entry_of(one, repeatable=False) for one in waiting.values()])
                waiting.clear()
            waiting[event.originator_id] = event
        await engine.log.append([entry_of(one, repeatable=False) for one in waiting.values()])


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


async def exported(store: Settings, file: Path) -> bytes:
    await export(store, file, packed=False)
    return file.read_bytes()


async def imported(store: Settings, file: Path) -> None:
    await load(store, file)
