"""Rendered incidents in memory: those that were read or written lately, until something newer is heard of them.

What is kept holds as of the newest position that this process has heard of, which may be ahead of the read models. So
it is given only to whom that is fresh enough, and it is kept only when no event was heard that it may lack.
"""

from collections import OrderedDict
from typing import Final, NamedTuple
from uuid import UUID

from projections.database import Database
from service.freshness import Freshness
from service.kept_json import trimmed
from service.shelf import Shelf
from service.store.feed import Feed

MAX_BYTES: Final = 32 * 2**20
"""Of all documents that are kept, with what keeping them takes."""
MAX_NEW_BYTES: Final = 2**20
"""Of those that were just reported. Most of them are read once, soon, or not at all, and many in memory cost every
request: 32 MiB of them made a create 3 % dearer."""
MAX_ABSENT_BYTES: Final = 2**20
"""Of ids that were looked for in vain."""
MAX_CHANGED: Final = 10_000
"""Incidents whose newest event is remembered until the read models have it."""


class Kept(NamedTuple):
    tenant_id: str
    version: int
    document: bytes


class Documents:
    def __init__(self, database: Database, feed: Feed, freshness: Freshness) -> None:
        self.hits = self.misses = 0
        """Gets that memory could answer, and that the read models were asked for."""
        self._database, self._feed, self._freshness = database, feed, freshness
        self._old: Shelf[int, Kept] = Shelf(MAX_BYTES)
        self._new: Shelf[int, Kept] = Shelf(MAX_NEW_BYTES)
        self._absent: Shelf[tuple[str, int], bool] = Shelf(MAX_ABSENT_BYTES)
        """What was looked for in vain, and by whose tenant: that another has it must not show in how long it takes."""
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
        if self._absent.get((tenant_id, id.int)) and self._freshness.heard_enough(tenant_id, minimum):
            self.hits += 1
            return None
        self.misses += 1
        models = await self._freshness.current(tenant_id, minimum)
        as_of = self._freshness.position.value
        found = await models.incidents.get(self._database, tenant_id, str(id))
        if found is None:
            if max(self._unknown, self._feed.head.value) <= as_of:
                self._absent.put((tenant_id, id.int), True, 0)
        elif self._is_newest(id, as_of):
            _put(self._old, id, Kept(tenant_id, *found))
        return found

    def wrote(self, tenant_id: str, id: UUID, version: int, document: bytes, position: int) -> None:
        """This process recorded the event that made the incident what it is now."""
        if self._is_newest(id, position):
            _put(self._old if version else self._new, id, Kept(tenant_id, version, trimmed(document)))

    def forget(self, id: UUID) -> None:
        self._old.drop(id.int)
        self._new.drop(id.int)

    def doubt(self) -> None:
        """The read models may have gone back: what is read now may be older than it seems."""
        self._unknown = self._feed.head.value + 1
        self._changed.clear()
        self._absent.clear()

    def _is_newest(self, id: UUID, as_of: int) -> bool:
        """Whether nothing that was heard of the incident came after that position."""
        return self._changed.get(id.int, self._unknown) <= as_of

    def _heard(self, tenant_id: str, id: UUID, version: int, position: int) -> None:
        self._absent.drop((tenant_id, id.int))
        if not version:
            return  # there was nothing before it
        for shelf in (self._old, self._new):
            kept = shelf.get(id.int)
            if kept is not None and kept.version < version:
                shelf.drop(id.int)
        changed, reached = self._changed, self._freshness.position.value
        changed[id.int] = position
        changed.move_to_end(id.int)
        while changed and ((oldest := next(iter(changed.values()))) <= reached or len(changed) > MAX_CHANGED):
            self._unknown = max(self._unknown, oldest)
            changed.popitem(last=False)


def _put(shelf: Shelf[int, Kept], id: UUID, kept: Kept) -> None:
    shelf.put(id.int, kept, len(kept.document))
