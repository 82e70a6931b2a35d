"""How far each stream is beside the log, and each consumer group beside its stream."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from projections.database import Unavailable
from projections.stream import AT_ONCE
from projections.stream_batches import Names
from service.store.log import Log
from service.streams.redis_streams import script
from service.streams.wire import Command, Wire

_END = script("end")
_NO_KEY = "no such key"


@dataclass(frozen=True)
class GroupStanding:
    """`pending`: delivered and not acknowledged; `lag`: events of the log that were never delivered to the group.

    `oldest`: the position of what is pending longest, None where nothing is.
    """

    name: str
    pending: int
    lag: int
    oldest: int | None


@dataclass(frozen=True)
class StreamStanding:
    """`head`: the position of the last event that belongs in the stream; `lag`: events that it still lacks."""

    name: str
    last_id: str
    head: int
    lag: int
    groups: list[GroupStanding]


async def standings(wire: Wire, log: Log, names: Names) -> list[StreamStanding]:
    """Of every stream that the log has events for. Raises Unavailable."""
    await wire.connect()
    tenants = await log.tenants()
    wanted: list[tuple[str, str | None, int]] = []
    if names.all:
        wanted.append((names.prefix, None, max((last for _, last in tenants), default=0)))
    if names.tenants:
        wanted += ((names.of_tenant(tenant_id), tenant_id, last) for tenant_id, last in tenants)
    return [
        standing
        for start in range(0, len(wanted), AT_ONCE)
        for standing in await _some(wire, log, wanted[start : start + AT_ONCE])
    ]


async def _some(wire: Wire, log: Log, wanted: Sequence[tuple[str, str | None, int]]) -> list[StreamStanding]:
    ends = await _answers(wire, [("EVAL", _END, 1, name) for name, _, _ in wanted])
    groups = await _answers(wire, [("XINFO", "GROUPS", name) for name, _, _ in wanted])
    found = []
    for (name, tenant_id, head), (id, _), some in zip(wanted, ends, groups, strict=True):
        standing = [await _group(wire, log, name, tenant_id, head, _named(group)) for group in some]
        last_id = id.decode()
        found.append(StreamStanding(name, last_id, head, await _beyond(log, tenant_id, _number(id), head), standing))
    return found


async def _group(
    wire: Wire, log: Log, stream: str, tenant_id: str | None, head: int, told: dict[str, Any]
) -> GroupStanding:
    name, oldest = told["name"], None
    if told["pending"]:
        ((_, first, *_),) = await _answers(wire, [("XPENDING", stream, name)])
        oldest = _number(first) if first else None
    lag = await _beyond(log, tenant_id, _number(told["last-delivered-id"]), head)
    return GroupStanding(name.decode(errors="replace"), told["pending"], lag, oldest)


async def _beyond(log: Log, tenant_id: str | None, position: int, head: int) -> int:
    """How many events that belong in the stream lie beyond the position."""
    if position >= head:
        return 0
    return head - position if tenant_id is None else await log.count(tenant_id, position)


async def _answers(wire: Wire, commands: Sequence[Command]) -> list[Any]:
    answers = await wire.ask(commands)
    for answer in answers:
        if isinstance(answer, Exception) and _NO_KEY not in str(answer):
            raise Unavailable(f"Redis: {answer}") from answer
    return [[] if isinstance(answer, Exception) else answer for answer in answers]


def _named(flat: Sequence[Any]) -> dict[str, Any]:
    return {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}


def _number(id: bytes) -> int:
    match = re.match(rb"\d+", id)
    return int(match[0]) if match else 0
