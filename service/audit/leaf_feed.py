"""The log as the audit follower sees it: leaves, whether their content can be read or not."""

from collections.abc import Sequence

from projections.leaves import Leaf, leaf_of
from service.store.feed import READ_EVENTS, Feed
from service.store.log import Log


class LeafFeed:
    def __init__(self, feed: Feed, log: Log) -> None:
        self._feed, self._log = feed, log

    async def after(self, position: int, limit: int, timeout: float) -> Sequence[Leaf]:
        """The next ones beyond `position`; empty when none came within `timeout` seconds. Raises Unavailable."""
        if not await self._feed.head.reach(position + 1, timeout):
            return []
        recent = self._feed.recent(position, limit)
        if recent is not None:
            return [leaf_of(fact) for fact in recent]
        return await self._log.leaves(position, min(limit, READ_EVENTS))
