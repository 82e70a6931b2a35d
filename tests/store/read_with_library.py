"""A program with the `eventsourcing` library alone that reads the log: `python -m tests.store.read_with_library URL`.

It prints, as JSON, what each aggregate is by now.
"""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, Mapper, StoredEvent, UUIDAsHex

from domain import attribute_schema, comment, incident  # noqa: F401 - makes the topics known

COLUMNS = "SELECT originator_id, originator_version, topic, state FROM log ORDER BY notification_id"


async def rows(url: str) -> Sequence[Sequence[Any]]:
    if url.startswith("sqlite:///"):
        return sqlite3.connect(url.removeprefix("sqlite:///")).execute(COLUMNS).fetchall()
    connection = await asyncpg.connect(url, server_settings={"search_path": "ims"})
    found: Sequence[Sequence[Any]] = await connection.fetch(COLUMNS)
    await connection.close()
    return found


def main(url: str) -> None:
    transcoder = JSONTranscoder()
    transcoder.register(UUIDAsHex())
    transcoder.register(DatetimeAsISO())
    mapper = Mapper[UUID](transcoder)
    aggregates: dict[str, Any] = {}
    for id, version, topic, state in asyncio.run(rows(url)):
        stored = StoredEvent(UUID(str(id)), version, topic, bytes(state))
        event: Any = mapper.to_domain_event(stored)
        assert mapper.to_stored_event(event).state == stored.state
        aggregates[event.originator_id.hex] = event.mutate(aggregates.get(event.originator_id.hex))
    assert not [name for name in sys.modules if name == "service" or name.startswith("service.")]
    sys.stdout.write(json.dumps({id: repr(aggregate) for id, aggregate in aggregates.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
