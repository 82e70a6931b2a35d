"""A bounded cache of aggregates. What it holds is recorded, but may be old: it is never trusted over the log.

An aggregate belongs to one command at a time: it is taken out, and put back only when what it decided was recorded.
"""

import asyncio
from collections import OrderedDict
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from domain.event import Kept
from service.store.feed import Feed
from service.store.history import folded
from service.store.log import Log

MAX_CACHED = 10_000
"""Aggregates in memory, per process: those that were changed or looked at last."""
MAX_BYTES = 32 * 2**20
"""Of what they hold, about."""
MAX_HEARD = 4 * MAX_CACHED
"""Aggregates whose newest version is remembered, so that none is kept that is older."""


class Aggregates:
    def __init__(self, log: Log, feed: Feed) -> None:
        self.hits = self.misses = 0
        """Look-ups that the cache could answer, and that the log was asked for."""
        self._log = log
        self._cache: OrderedDict[int, tuple[Kept, int]] = OrderedDict()
        """By the number that an id is, each with its bytes: a UUID's own hash is a call of Python each time."""
        self._bytes = 0
        self._heard: OrderedDict[int, int] = OrderedDict()
        self._lanes: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()
        feed.listen(self.heard)

    def lane(self, id: UUID) -> asyncio.Lock:
        """One command at a time for each aggregate within this process; between processes the log decides."""
        lane = self._lanes.get(id)
        if lane is None:
            lane = self._lanes[id] = asyncio.Lock()
        return lane

    async def take(self, id: UUID, *, fresh: bool) -> Any:
        """The aggregate, or None where it has no events. `fresh`: with all that the log has by now."""
        aggregate = self._drop(id.int)
        if aggregate is not None and not fresh:
            self.hits += 1
            return aggregate
        self.misses += 1
        after = -1 if aggregate is None else aggregate.version
        return await folded(await self._log.stream(id, after), aggregate)

    def remembered(self, id: UUID) -> Any:
        """The aggregate to look at, not to change, where it is in the cache; else None."""
        cached = self._cache.get(id.int)
        if cached is None:
            return None
        self.hits += 1
        self._cache.move_to_end(id.int)
        return cached[0]

    async def belongs(self, id: UUID, tenant_id: str) -> bool:
        """Whether it is an aggregate of this tenant. Of another's it is asked as of one that never was, so that nobody
        is told by the time it takes which of the two it is."""
        cached = self._cache.get(id.int)
        if cached is not None and cached[0].tenant_id == tenant_id:
            return True
        return await self._log.tenant_of(id) == tenant_id

    async def look(self, id: UUID, *, fresh: bool = False) -> Any:
        """The same to look at, not to change: it stays in the cache."""
        if not fresh and (remembered := self.remembered(id)) is not None:
            return remembered
        aggregate = await self.take(id, fresh=fresh)
        if aggregate is not None:
            self.keep(aggregate)
        return aggregate

    def keep(self, aggregate: Kept) -> None:
        id: int = aggregate.id.int
        if self._heard.get(id, -1) > aggregate.version:
            return
        self._drop(id)
        size = _text_in(vars(aggregate))
        self._cache[id] = aggregate, size
        self._bytes += size
        while len(self._cache) > MAX_CACHED or self._bytes > MAX_BYTES:
            self._drop(next(iter(self._cache)))

    def heard(self, _tenant_id: str, id: UUID, version: int, _position: int) -> None:
        """The log has this version of it."""
        if not version:
            return  # nothing is older
        self._heard[id.int] = version
        self._heard.move_to_end(id.int)
        if len(self._heard) > MAX_HEARD:
            self._heard.popitem(last=False)
        cached = self._cache.get(id.int)
        if cached is not None and cached[0].version < version:
            self._drop(id.int)

    def _drop(self, id: int) -> Any:
        aggregate, size = self._cache.pop(id, (None, 0))
        self._bytes -= size
        return aggregate


def _text_in(value: Any) -> int:
    """Characters of the texts in it, which are what grows."""
    if type(value) is str:
        return len(value)
    if type(value) is dict:
        return sum(map(_text_in, value.values()))
    return 0
