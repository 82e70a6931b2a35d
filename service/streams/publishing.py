"""The publisher of a process: what it is made of, and how its streams are called."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

import orjson

from domain.event import Fact
from projections.cloud_events import CloudEvents
from projections.follower import Follower
from projections.lease import Lease, Leases
from projections.stream import FOLLOWER, Publisher
from projections.stream_batches import Names
from service.settings import Settings
from service.store.feed import Feed
from service.store.history import LogHistory
from service.store.log import Log
from service.streams.address import parse
from service.streams.log_positions import LogPositions
from service.streams.redis_streams import RedisStreams
from service.streams.trimming import Trimming
from service.streams.wire import Wire
from service.tracing.following import traced
from service.tracing.spans import Spans

PREFIX = "ims:events"
PAUSE_SECONDS, PAUSE_SECONDS_PER_EVENT = 0.05, 0.0005
"""Between two batches: up to a thousand events a second subscribers wait for two or three milliseconds; beyond that the
batches grow, and the API pays for fewer of them."""
LOG_DIGITS = 12


def names_of(settings: Settings, log: Log) -> Names:
    """A restored log's streams begin anew under names of their own."""
    return Names(prefix_of(log.log_id, restored=log.restored), "all" in settings.streams, "tenants" in settings.streams)


def prefix_of(log_id: UUID, *, restored: bool) -> str:
    return f"{PREFIX}-{log_id.hex[:LOG_DIGITS]}" if restored else PREFIX


def wire_of(settings: Settings) -> Wire:
    return Wire(parse(settings.redis_url, settings.redis_ca_file), settings.redis_timeout)


class PublishingProcess(NamedTuple):
    """`trimming` is None where everything is kept."""

    follower: Follower[Fact]
    trimming: Trimming | None


@asynccontextmanager
async def publishing(
    settings: Settings, log: Log, feed: Feed, leases: Leases,
    moved: Callable[[Lease, int], None], noticed: Callable[[str, str], None],
    spans: Spans | None = None,
) -> AsyncIterator[PublishingProcess]:  # fmt: skip
    """Nothing is connected here: Redis may be away."""
    await leases.register(FOLLOWER)
    streams = RedisStreams(wire_of(settings), str(log.log_id), settings.redis_replicas, settings.redis_timeout)
    events = CloudEvents(orjson, str(log.log_id), LogHistory(log))
    feed.on_erasure(events.forget)
    names = names_of(settings, log)
    target = Publisher(names, streams, LogPositions(log), leases, events, time.monotonic)
    follower = Follower(
        FOLLOWER, feed, traced(FOLLOWER, target, spans), leases, moved, noticed,
        PAUSE_SECONDS, PAUSE_SECONDS_PER_EVENT,
    )  # fmt: skip
    trimming = None
    if settings.stream_max_age or settings.stream_max_length:
        trimming = Trimming(
            wire_of(settings), log, names, settings.stream_max_age, settings.stream_max_length, lambda: follower.holding
        )
    try:
        yield PublishingProcess(follower, trimming)
    finally:
        await streams.close()
        if trimming is not None:
            await trimming.close()
