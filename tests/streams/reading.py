"""What the streams hold, entry by entry, beside what the log says they must hold."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from tests.faults.audit import Event, events

ALL = "ims:events"
WHOLE_SECONDS = 60.0


@dataclass(frozen=True)
class Entry:
    id: str
    prev: int
    tenant: str
    type: str
    subject: str
    digest: str
    event: dict[str, Any]


def entries(client: Redis, stream: str = ALL) -> list[Entry]:
    read: Any = client.xrange(stream)
    return [_entry(id, fields) for id, fields in read]


def _entry(id: str, fields: dict[str, str]) -> Entry:
    assert set(fields) == {"event", "type", "subject", "tenant", "prev", "digest"}
    return Entry(
        id, int(fields["prev"]), fields["tenant"], fields["type"], fields["subject"], fields["digest"],
        json.loads(fields["event"]),
    )  # fmt: skip


def compare(found: list[Entry], log: list[Event]) -> None:
    """The entries are these events: each once, in order, each naming the one before it."""
    assert [entry.id for entry in found] == [f"{event.position}-0" for event in log]
    assert [entry.prev for entry in found] == [0, *(event.position for event in log)][: len(found)]
    for entry, event in zip(found, log, strict=True):
        state = json.loads(event.state)
        assert entry.digest == event.digest.hex()
        assert entry.tenant == state["tenant_id"] == entry.event["tenantid"]
        assert entry.event["id"] == str(event.position)
        assert entry.event["type"] == entry.type
        assert entry.event["subject"] == entry.subject
        assert entry.event["data"]["occ_lock"] == event.version
        assert entry.event["actorid"] == state["user_id"]


def compare_all(client: Redis, log: list[Event], prefix: str = ALL) -> None:
    """The stream of all tenants, and each tenant's own; no other stream."""
    compare(entries(client, prefix), log)
    owners = [json.loads(event.state)["tenant_id"] for event in log]
    for tenant in set(owners):
        mine = [event for event, owner in zip(log, owners, strict=True) if owner == tenant]
        compare(entries(client, f"{prefix}:{tenant}"), mine)
    there: Any = client.keys(f"{prefix}*")
    assert set(there) == ({prefix} | {f"{prefix}:{tenant}" for tenant in owners} if log else set())


async def whole(client: Redis, database: str | Path, seconds: float = WHOLE_SECONDS, prefix: str = ALL) -> list[Event]:
    """Wait until every stream has come to its end, then compare all of them with the log."""
    log = await events(database)
    ends = {f"{prefix}:{json.loads(event.state)['tenant_id']}": event.position for event in log} | {prefix: len(log)}
    async with asyncio.timeout(seconds):
        while log and any(last_id(client, name) != f"{position}-0" for name, position in ends.items()):
            await asyncio.sleep(0.05)
    compare_all(client, log, prefix)
    return log


def last_id(client: Redis, stream: str) -> str:
    try:
        info: Any = client.xinfo_stream(stream)
    except RedisError:
        return ""
    return str(info["last-generated-id"])
