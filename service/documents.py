"""Rendered incidents in memory: those that were read or written lately, until something newer is heard of them.

What is kept holds as of the newest position that this process has heard of, which may be ahead of the read models. So
it is given only to whom that is fresh enough, and it is kept only when no event was heard that it may lack.
"""

from collections import OrderedDict
from typing import Final, NamedTuple
from uuid import UUID

from projections.database import Database
from service.freshness import Freshness
from service.store.feed import Feed

MAX_BYTES: Final = 32 * 2**20
"""Of all documents that are kept, with what keeping them takes."""
MAX_NEW_BYTES: Final = 2**20
"""Of those that were just reported. Most of them are read once, soon, or not at all, and many in memory cost every
request: 32 MiB of them made a create 3 % dearer."""
ENTRY_BYTES: Final = 400
"""What keeping one takes beside its bytes."""
MAX_CHANGED: Final = 10_000
"""Incidents whose newest event is remembered until the read models have it."""


class Kept(NamedTuple):
    tenant_id: str
    version: int
    document: bytes


class Shelf:
    """The documents used last, as many as `room` bytes hold."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[int, Kept] = OrderedDict()

    def get(self, id: int) -> Kept | None:
        kept = self._kept.get(id)
        if kept is not None:
            self._kept.move_to_end(id)
        return kept

    def put(self, id: int, kept: Kept) -> None:
        self.drop(id)
        self._kept[id] = kept
        self._room -= len(kept.document) + ENTRY_BYTES
        while self._room < 0:
            self.drop(next(iter(self._kept)))

    def drop(self, id: int, before: int | None = None) -> None:
        """`before`: only if it is older than this version."""
        kept = self._kept.get(id)
        if kept is not None and (before is None or kept.version < before):
            del self._kept[id]
            self._room += len(kept.document) + ENTRY_BYTES


class Documents:
    def __init__(self, database: Database, feed: Feed, freshness: Freshness) -> None:
        self.hits = self.misses = 0
        """Gets that memory could answer, and that the read models were asked for."""
        self._database, self._feed, self._freshness = database, feed, freshness
        self._old, self._new = Shelf(MAX_BYTES), Shelf(MAX_NEW_BYTES)
        self._changed: OrderedDict[int, int] = OrderedDict()
        """The position of each incident's newest event, where the read models may not have it yet."""
        self._unknown = feed.head.value
        """Which incidents changed up to this position is not remembered."""
        feed.listen(self._heard)
        feed.on_erasure(self.forget)

    async def get(self, tenant_id: str, id: UUID, minimum: int | None) -> tuple[int, bytes] | None:
        """Version and document, as fresh as `Freshness.current` has them. Raises what that raises, and Unavailable."""
        kept = self._old.get(id.int) or self._new.get(id.int)
        if kept is not None and kept.tenant_id == tenant_id and self._freshness.heard_enough(tenant_id, minimum):
            self.hits += 1
            return kept.version, kept.document
        self.misses += 1
        models = await self._freshness.current(tenant_id, minimum)
        as_of = self._freshness.position.value
        found = await models.incidents.get(self._database, tenant_id, str(id))
        if found is not None and self._is_newest(id, as_of):
            self._old.put(id.int, Kept(tenant_id, *found))
        return found

    def wrote(self, tenant_id: str, id: UUID, version: int, document: bytes, position: int) -> None:
        """This process recorded the event that made the incident what it is now."""
        if self._is_newest(id, position):
            shelf = self._old if version else self._new
            shelf.put(id.int, Kept(tenant_id, version, document))

    def forget(self, id: UUID) -> None:
        self._old.drop(id.int)
        self._new.drop(id.int)

    def doubt(self) -> None:
        """The read models may have gone back: what is read now may be older than it seems."""
        self._unknown = self._feed.head.value + 1
        self._changed.clear()

    def _is_newest(self, id: UUID, as_of: int) -> bool:
        """Whether nothing that was heard of the incident came after that position."""
        return self._changed.get(id.int, self._unknown) <= as_of

    def _heard(self, id: UUID, version: int, position: int) -> None:
        if not version:
            return  # there was nothing before it
        self._old.drop(id.int, before=version)
        self._new.drop(id.int, before=version)
        changed, reached = self._changed, self._freshness.position.value
        changed[id.int] = position
        changed.move_to_end(id.int)
        while changed and ((oldest := next(iter(changed.values()))) <= reached or len(changed) > MAX_CHANGED):
            self._unknown = max(self._unknown, oldest)
            changed.popitem(last=False)
