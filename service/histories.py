"""The histories of incidents by pages. How long one is, is counted once, and then only what came since."""

from collections import OrderedDict
from typing import Final
from uuid import UUID

from service.store.feed import Feed
from service.store.log import NONE_COUNTED, Counted, Excerpt, Log

MAX_COUNTED: Final = 10_000
"""Incidents whose events were counted last."""


class Histories:
    """What is in the log stays there, and what comes gets a higher position. Should the database have lost something,
    the feed notices it of all that it has heard of; so no more than that is kept."""

    def __init__(self, log: Log, feed: Feed) -> None:
        self._log, self._feed = log, feed
        self._counted: OrderedDict[int, Counted] = OrderedDict()

    async def page(self, id: UUID, after: int, limit: int, offset: int) -> tuple[list[Excerpt], int]:
        """Rows beyond the position `after` but for the first `offset`, and how many there are in all. Raises
        Unavailable."""
        known = self._counted.get(id.int, NONE_COUNTED)
        rows, counted = await self._log.page_of_subject(id, after, limit, offset, known)
        if NONE_COUNTED.last < counted.last <= self._feed.head.value:
            self._keep(id, counted)
        return rows, counted.total

    def doubt(self) -> None:
        """The database may be another one than before."""
        self._counted.clear()

    def _keep(self, id: UUID, counted: Counted) -> None:
        self._counted[id.int] = counted
        self._counted.move_to_end(id.int)
        if len(self._counted) > MAX_COUNTED:
            self._counted.popitem(last=False)
