"""Pages of lists in memory: those that were asked for lately, until something newer is heard of their tenant.

A page follows from the tenant's events and from what is asked, so the same question has the same answer until the next
event of the tenant. It is kept only where the read models had every event of the tenant that this process had heard of,
and given only to whom that is fresh enough.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from projections.read_models import ReadModels
from service.freshness import Freshness
from service.shelf import Shelf
from service.store.feed import Feed

MAX_BYTES: Final = 16 * 2**20
"""Of all pages that are kept, with what keeping them takes."""
MAX_PAGE_BYTES: Final = 2**20
"""Of one page; a larger one is made anew each time."""
MAX_TENANTS: Final = 10_000
"""Tenants whose newest event is remembered; beyond that, pages of others must be newer than one that was dropped."""


class Asked(NamedTuple):
    """`query` as it was sent; `may_audit`, for some see what others do not."""

    tenant_id: str
    query: str
    may_audit: bool


class Begun(NamedTuple):
    """The read models when a page began to be made, and how far they were at least."""

    models: ReadModels
    position: int


class Kept(NamedTuple):
    """The answer's data as JSON, and what stands beside it."""

    since: Begun
    data: bytes
    page: Mapping[str, Any]


class Lists:
    def __init__(self, feed: Feed, freshness: Freshness) -> None:
        self.hits = self.misses = 0
        """Pages that memory could answer, and that the read models were asked for."""
        self._feed, self._freshness = feed, freshness
        self._shelf: Shelf[Asked, Kept] = Shelf(MAX_BYTES)
        self._changed: OrderedDict[str, int] = OrderedDict()
        """The position of each tenant's newest event."""
        self._unknown = feed.head.value
        """Which tenants changed up to this position is not remembered."""
        feed.listen(self._heard)
        feed.on_erasure(lambda _: self._shelf.clear())

    def get(self, asked: Asked, minimum: int | None) -> Kept | None:
        kept = self._shelf.get(asked)
        if kept is not None and kept.since.models is self._freshness.models:
            tenant_id = asked.tenant_id
            if self._is_newest(tenant_id, kept.since) and self._freshness.heard_enough(tenant_id, minimum):
                self.hits += 1
                return kept
        return None

    def begin(self) -> Begun:
        """To be asked for before the read models are."""
        return Begun(self._freshness.models, self._freshness.position.value)

    def keep(self, asked: Asked, since: Begun, data: bytes, page: Mapping[str, Any]) -> None:
        self.misses += 1
        size = len(data) + len(asked.query)
        if size <= MAX_PAGE_BYTES and self._is_newest(asked.tenant_id, since):
            self._shelf.put(asked, Kept(since, data, page), size)

    def doubt(self) -> None:
        """The read models may have gone back: what is read now may be older than it seems."""
        self._unknown = self._feed.head.value + 1
        self._changed.clear()
        self._shelf.clear()

    def _is_newest(self, tenant_id: str, since: Begun) -> bool:
        return self._changed.get(tenant_id, self._unknown) <= since.position

    def _heard(self, tenant_id: str, _id: UUID, _version: int, position: int) -> None:
        changed = self._changed
        if tenant_id not in changed and len(changed) >= MAX_TENANTS:
            self._unknown = max(self._unknown, changed.popitem(last=False)[1])
        changed[tenant_id] = position
