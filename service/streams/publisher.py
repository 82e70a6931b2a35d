"""Whether this process publishes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from projections.lease import Lease, Leases
from service.settings import Settings
from service.store.feed import Feed
from service.store.log import Log
from service.tracing.spans import Spans

if TYPE_CHECKING:
    from service.streams.publishing import PublishingProcess


@asynccontextmanager
async def publisher(
    settings: Settings, log: Log, feed: Feed, leases: Leases,
    moved: Callable[[Lease, int], None], noticed: Callable[[str, str], None],
    spans: Spans | None = None,
) -> AsyncIterator["PublishingProcess | None"]:  # fmt: skip
    """None where it publishes nothing; the client of Redis, a fifth of a start, is not even imported then."""
    if "publisher" not in settings.run or not settings.redis_url or not settings.streams:
        yield None
        return
    from service.streams.publishing import publishing  # noqa: PLC0415 - only where it is wanted

    async with publishing(settings, log, feed, leases, moved, noticed, spans) as one:
        yield one
