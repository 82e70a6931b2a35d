"""The log for whoever goes through all of it: the next part is fetched while the last one is applied."""

import asyncio

from domain.event import Fact
from service.store.history import readable
from service.store.log import Log, Row


class ReadingAhead:
    """A follower's feed. It waits for nothing: who asks beyond the end of the log gets nothing at once."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._coming: tuple[tuple[int, int], asyncio.Task[list[Row]]] | None = None

    async def after(self, position: int, limit: int, _timeout: float) -> list[Fact]:
        """Raises Unavailable; UnreadableEvent when the next one cannot be read."""
        coming, self._coming = self._coming, None
        if coming is not None and coming[0] == (position, limit):
            rows = await coming[1]
        else:
            if coming is not None:
                coming[1].cancel()
            rows = await self._log.read(position, limit)
        if len(rows) == limit:
            wanted = (rows[-1].position, limit)
            self._coming = wanted, asyncio.create_task(self._log.read(*wanted))
            await asyncio.sleep(0)  # it goes out before these are looked at
        return readable(rows)

    def close(self) -> None:
        if self._coming is not None:
            self._coming[1].cancel()
