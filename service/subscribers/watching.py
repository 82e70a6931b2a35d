"""A stream from a position on, then what is new, without a group: nothing is remembered, and Redis may come and go."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from projections.database import Unavailable
from service.streams.wire import Wire
from service.subscribers.answers import checked
from service.subscribers.entries import Altered, Entry, Hole, entries_of, id_of, read_of

BATCH: Final = 500
BLOCK_SECONDS: Final = 1.0
RECONNECT_SECONDS: Final = 0.5


async def watched(wire: Wire, stream: str, after: int, noticed: Callable[[str], None]) -> AsyncIterator[Entry]:
    """For ever. `noticed` is called with a word on what went wrong: Redis is away, a hole.

    Raises Altered where the stream is another one than before.
    """
    last: Entry | None = None
    away = False
    try:
        while True:
            try:
                if not wire.open:
                    await wire.connect()
                    await _same(wire, stream, last)
                    if away:
                        noticed("Redis is back")
                        away = False
                position = last.position if last else after
                words = ("COUNT", BATCH, "BLOCK", int(BLOCK_SECONDS * 1000), "STREAMS", stream, id_of(position))
                (answer,) = checked(await wire.ask([("XREAD", *words)]))
            except Unavailable as error:
                if not away:
                    noticed(str(error))
                away = True
                await wire.close()
                await asyncio.sleep(RECONNECT_SECONDS)
                continue
            for entry in read_of(answer):
                before = last.position if last else after
                if entry.prev > before or (last and entry.prev < before):
                    noticed(str(Hole(stream, before, entry)))
                last = entry
                yield entry
    finally:
        await wire.close()


async def _same(wire: Wire, stream: str, last: Entry | None) -> None:
    """What was read last still stands there, where anything does."""
    if last is None:
        return
    id = id_of(last.position)
    (answer,) = checked(await wire.ask([("XRANGE", stream, id, id)]))
    for entry in entries_of(answer):
        if entry.digest != last.digest:
            raise Altered(f"{stream}: position {entry.position} holds another event than before")
