"""Streams are kept short where a setting says so, by the age of events or their number, behind every consumer group."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from projections.database import Unavailable
from projections.stream import AT_ONCE
from projections.stream_batches import Names
from service.store.log import Log
from service.streams.redis_streams import script
from service.streams.wire import Wire

TRIM_SECONDS = 5.0
"""How often streams are looked at."""
TRIM_ENTRIES = 500
"""Entries of a stream that one script looks at."""

_TRIM = script("trim")
_log = structlog.get_logger(__name__)


class Trimming:
    """`max_age` in seconds, `max_length` in entries, each 0 for all; `mine`: whether this process is to do it."""

    def __init__(
        self, wire: Wire, log: Log, names: Names, max_age: int, max_length: int, mine: Callable[[], bool]
    ) -> None:
        self._wire, self._log, self._names, self._mine = wire, log, names, mine
        self._max_age, self._max_length = max_age, max_length
        self._expired = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            if self._mine():
                try:
                    await self.trim()
                except Unavailable as error:
                    _log.warning("streams_not_trimmed", error=str(error))

    async def trim(self) -> None:
        """Once through all streams. Raises Unavailable."""
        if not self._wire.open:
            await self._wire.connect()
        first = await self._first_kept() if self._max_age else 0
        tenants = await self._log.tenants()
        names = [self._names.prefix] * self._names.all
        if self._names.tenants:
            names += (self._names.of_tenant(tenant_id) for tenant_id, _ in tenants)
        for start in range(0, len(names), AT_ONCE):
            await self._trim(names[start : start + AT_ONCE], first)

    async def close(self) -> None:
        await self._wire.close()

    async def _trim(self, names: list[str], first: int) -> None:
        """Again and again while there is much to remove, so that no script takes long."""
        while names:
            answers = await self._wire.ask(
                [("EVAL", _TRIM, 1, name, self._max_length, first, TRIM_ENTRIES) for name in names]
            )
            for answer in answers:
                if isinstance(answer, Exception):
                    raise Unavailable(f"Redis: {answer}") from answer
            names = [name for name, removed in zip(names, answers, strict=True) if removed >= TRIM_ENTRIES]

    async def _first_kept(self) -> int:
        """The first position that is not too old: times rise with positions, so it is found by halves."""
        limit = datetime.now(UTC) - timedelta(seconds=self._max_age)
        low, high = self._expired, await self._log.head()
        while low < high:
            middle = (low + high) // 2
            (row, *_) = await self._log.read(middle, 1)
            if row.recorded_at < limit:
                low = middle + 1
            else:
                high = middle
        self._expired = low
        return low + 1
