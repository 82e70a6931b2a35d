"""What a long log weighs on PostgreSQL, relation by relation, and how quickly it is appended to."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from service.engines import open_engine
from service.settings import Settings
from service.store.log import Entry
from service.store.mapper import entry_of
from tests.bench.long_log import events
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.store.events import births

GROUPS, WRITERS = (1, 8, 64), (1, 4)
RATE_SECONDS = 2.0
FOLLOW_SECONDS = 600
MAX_GROUP = 64

_SIZES = """SELECT coalesce(pg_index.indrelid::regclass::text, '') AS of, pg_class.oid::regclass::text AS relation,
                   CASE relkind WHEN 'i' THEN pg_relation_size(pg_class.oid) ELSE pg_table_size(pg_class.oid) END
            FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid
            WHERE relnamespace = 'ims'::regnamespace AND relkind IN ('r', 'i') ORDER BY 1, 2"""
_BEHIND = """SELECT count(*) FROM ims.followers WHERE name !~ 'rebuild'
             AND position < (SELECT max(notification_id) FROM ims.log)"""


@dataclass(frozen=True)
class Weight:
    """Bytes an event, of a relation or of the WAL; `index_of` is empty for a table."""

    relation: str
    index_of: str
    bytes: int


def settings_of(server: Postgres) -> Settings:
    return Settings(database_url=server.dsn)


async def weights(server: Postgres, half: int) -> list[Weight]:
    """Of the second half of a log of twice `half` events, so that what is there anyway does not count."""
    stream = groups()
    sizes, wal = [], [0]
    for _ in range(2):
        before = _wal(server)
        await _append(server, stream, half)
        wal.append(_wal(server) - before)
        await asyncio.to_thread(_follow, server)
        server.sql("VACUUM ims.log")
        sizes.append(_sizes(server))
    first, second = sizes
    found = [Weight(name, of, round((size - first.get((of, name), 0)) / half)) for (of, name), size in second.items()]
    return [*(weight for weight in found if weight.bytes > 0), Weight("WAL of the appends", "", round(wal[-1] / half))]


async def rates(server: Postgres) -> dict[tuple[int, int], float]:
    """Events a second by events in a group and processes that append, the disk synced for each group."""
    return {(group, writers): await _rate(server, group, writers) for group in GROUPS for writers in WRITERS}


def groups() -> Iterator[list[Entry]]:
    """As the writer makes them: no two events of one incident; each with a client's key."""
    group: dict[object, Entry] = {}
    for event in events():
        entry = entry_of(event, repeatable=True)._replace(command_id=uuid4())
        if entry.originator_id in group or len(group) == MAX_GROUP:
            yield list(group.values())
            group.clear()
        group[entry.originator_id] = entry


async def _append(server: Postgres, stream: Iterator[list[Entry]], length: int) -> None:
    async with open_engine(settings_of(server)) as engine:
        appended = 0
        while appended < length:
            appended += len(await engine.log.append(next(stream)))


async def _rate(server: Postgres, group: int, writers: int) -> float:
    async def write() -> int:
        async with open_engine(settings_of(server)) as engine:
            ready, appended = [births(group) for _ in range(64)], 0
            end = time.perf_counter() + RATE_SECONDS
            while time.perf_counter() < end:
                appended += len(await engine.log.append(ready.pop() if ready else births(group)))
            return appended

    return sum(await asyncio.gather(*(write() for _ in range(writers)))) / RATE_SECONDS


def _follow(server: Postgres) -> None:
    """Until every follower has all of it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ServiceProcess(Path(folder), {"database_url": server.dsn, "run": "projector,auditor"}),
    ):
        end = time.monotonic() + FOLLOW_SECONDS
        while server.sql(_BEHIND) != "0":
            if time.monotonic() > end:
                raise TimeoutError("the followers did not keep up")
            time.sleep(0.2)


def _sizes(server: Postgres) -> dict[tuple[str, str], int]:
    rows = (line.split("|") for line in server.sql(_SIZES).splitlines())
    return {(of, name): int(size) for of, name, size in rows}


def _wal(server: Postgres) -> int:
    return int(server.sql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"))
