"""What a log must be whatever happened to the service, read directly from its database."""

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from tests.faults.load import Acknowledged

_COLUMNS = """notification_id, originator_id, originator_version, topic, state, recorded_at, command_id, salt, digest"""
_LOG = f"SELECT {_COLUMNS} FROM {{}}log ORDER BY notification_id"


@dataclass(frozen=True)
class Event:
    position: int
    id: str
    version: int
    topic: str
    state: bytes
    at: datetime
    command_id: str | None
    salt: bytes
    digest: bytes


async def events(database: str | Path) -> list[Event]:
    """All of the log, of a PostgreSQL by its DSN or of an SQLite file."""
    rows: Iterable[Any]
    if isinstance(database, Path):
        connection = sqlite3.connect(database)
        try:
            rows = connection.execute(_LOG.format("")).fetchall()
        finally:
            connection.close()
    else:
        server = await asyncpg.connect(database)
        try:
            rows = await server.fetch(_LOG.format("ims."))
        finally:
            await server.close()
    return [_event(*row) for row in rows]


def _event(position: int, id: Any, version: int, topic: str, state: bytes, at: Any, command: Any, *rest: Any) -> Event:
    salt, digest = rest
    if isinstance(at, int):
        at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=at)
    return Event(position, str(UUID(str(id))), version, topic, state, at, command and str(command), salt, digest)


async def audit(database: str | Path, acknowledged: Iterable[Acknowledged] = ()) -> list[Event]:
    """Positions dense, times rising, streams whole, digests right, no command twice, what was acknowledged there."""
    log = await events(database)
    assert [event.position for event in log] == list(range(1, len(log) + 1))
    times = [event.at for event in log]
    assert all(earlier < later for earlier, later in pairwise(times))
    versions: dict[str, int] = {}
    for event in log:
        assert event.version == versions.get(event.id, -1) + 1, event
        versions[event.id] = event.version
        assert hashlib.sha256(event.salt + event.state).digest() == event.digest, event
    commands = [event.command_id for event in log if event.command_id is not None]
    assert len(commands) == len(set(commands))
    there = {event.position: (event.id, event.version) for event in log}
    told = list(acknowledged)
    assert {one: there.get(one.position) for one in told if there.get(one.position) != (one.id, one.occ_lock)} == {}
    assert len({one.position for one in told}) == len(told)
    return log
