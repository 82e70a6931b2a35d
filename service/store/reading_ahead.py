"""The log for whoever goes through all of it: the next part is fetched while the last one is applied."""

import asyncio

from domain.event import Fact
from service.store.history import readable
from service.store.log import Log, Row
from service.store.mapper import UnreadableEvent

PART = 1_000
"""Rows that are read at once."""
MAX_BYTES = 8_000_000
"""Of the states of one batch, whatever is asked for: texts may be long, and memory is not."""


class ReadingAhead:
    """A follower's feed. It waits for nothing: who asks beyond the end of the log gets nothing at once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._coming: tuple[int, asyncio.Task[list[Row]]] | None = None

    async def after(self, position: int, limit: int, _timeout: float) -> list[Fact]:
        """Raises Unavailable; UnreadableEvent when the next one cannot be read."""
        facts: list[Fact] = []
        size = 0
        while len(facts) < limit and size < MAX_BYTES:
            rows = (await self._part(position))[: limit - len(facts)]
            try:
                part = readable(rows)
            except UnreadableEvent:
                if not facts:
                    raise
                break
            facts += part
            if not rows or len(part) < len(rows):
                break
            size += sum(len(row.state or b"") for row in rows)
            position = rows[-1].position
        return facts

    async def _part(self, position: int) -> list[Row]:
        coming, self._coming = self._coming, None
        if coming is not None and coming[0] == position:
            rows = await coming[1]
        else:
            if coming is not None:
                coming[1].cancel()
            rows = await self._log.read(position, PART)
        if len(rows) == PART:
            self._coming = rows[-1].position, asyncio.create_task(self._log.read(rows[-1].position, PART))
            await asyncio.sleep(0)  # it goes out before these are looked at
        return rows

    def close(self) -> None:
        """What is being fetched is not wanted any more."""
        coming, self._coming = self._coming, None
        if coming is not None:
            coming[1].cancel()
