"""Events as they stand in a stream on Redis, and whether they follow one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Entry:
    """`prev`: the position of the entry before it in this stream, 0 for the first. `digest`: of the log's row."""

    position: int
    event: bytes
    type: str
    subject: str
    tenant: str
    prev: int
    digest: str

    @property
    def cloud_event(self) -> dict[str, Any]:
        event: dict[str, Any] = orjson.loads(self.event)
        return event


class Hole(Exception):
    """A stream lacks events that were in it: they were deleted, or trimmed before this reader had them."""

    def __init__(self, stream: str, after: int, entry: Entry) -> None:
        super().__init__(
            f"{stream}: position {entry.position} follows {entry.prev}, but what is there before it is "
            f"{after or 'nothing'}. `GET /v1/events?after={after}` has what is missing"
        )
        self.after, self.entry = after, entry


class Altered(Exception):
    """A stream holds something else than before, or than it may: the log was restored from a backup, or somebody else
    writes there."""


class NotAllowed(Exception):
    """The user of Redis may not do this, and waiting does not help."""


class WouldSpoil(Exception):
    """What was asked for would spoil a stream."""


def entry_of(id: bytes, fields: Sequence[bytes] | Mapping[bytes, bytes]) -> Entry:
    """Raises Altered for what no publisher of this service wrote."""
    named = dict(fields if isinstance(fields, Mapping) else zip(fields[::2], fields[1::2], strict=True))
    if not id.endswith(b"-0"):
        raise Altered(f"entry {id.decode()} is not of the publisher's form: its id is no position")
    try:
        return Entry(
            position=position_of(id),
            event=named[b"event"],
            type=named[b"type"].decode(),
            subject=named[b"subject"].decode(),
            tenant=named[b"tenant"].decode(),
            prev=int(named[b"prev"]),
            digest=named[b"digest"].decode(),
        )
    except (KeyError, ValueError) as error:
        raise Altered(f"entry {id.decode()} is not of the publisher's form: {error}") from None


def entries_of(answer: Any) -> list[Entry]:
    """Of what XRANGE, XREVRANGE, XREAD's inner list or XAUTOCLAIM's second part answers; without deleted ones."""
    return [entry_of(id, fields) for id, fields in filter(None, answer or ()) if fields]


def read_of(answer: Any) -> list[Entry]:
    """Of what XREAD and XREADGROUP answer for one stream."""
    if not answer:
        return []
    streams = answer.values() if isinstance(answer, Mapping) else (found for _, found in answer)
    return [entry for found in streams for entry in entries_of(found)]


def position_of(id: bytes) -> int:
    return int(id.partition(b"-")[0])


def id_of(position: int) -> str:
    return f"{position}-0"
