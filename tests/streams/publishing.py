"""A publisher in this process: on a log that tests write, to a Redis that they break."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis

from domain.event import ActEvent, Fact
from projections.cloud_events import CloudEvents
from projections.follower import Follower
from projections.stream import FOLLOWER, Publisher, Streams
from service.settings import Settings
from service.store.history import LogHistory
from service.streams.log_positions import LogPositions
from service.streams.publishing import names_of, wire_of
from service.streams.redis_streams import RedisStreams
from tests.projections.building import Building
from tests.projections.histories import long_history


@dataclass
class Publishing:
    """`follower` publishes what `build` records, once it runs."""

    build: Building
    follower: Follower[Fact]
    noticed: list[tuple[str, str]]

    async def catch_up(self, upto: int | None = None) -> None:
        """Publish all that the log has, or until a position; whatever goes wrong is raised."""
        await self.build.feed.catch_up()
        await self.follower._target.ready()
        lease = await self.build.leases.acquire(FOLLOWER)
        assert lease is not None
        try:
            await self.follower.follow(lease, until=upto or self.build.feed.head.value)
        finally:
            await self.build.leases.release(lease)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.follower.run())
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def record(self, *events: ActEvent) -> None:
        await self.build.record(*events)


@asynccontextmanager
async def publishing(
    build: Building, redis_url: str, around: Callable[[RedisStreams], Streams] = lambda streams: streams, **options: Any
) -> AsyncIterator[Publishing]:
    """`options` are settings; `around` may put something between the publisher and Redis."""
    settings = Settings(redis_url=redis_url, **options)
    log = build.engine.log
    await build.leases.register(FOLLOWER)
    streams = RedisStreams(wire_of(settings), str(log.log_id), settings.redis_replicas, settings.redis_timeout)
    target = Publisher(
        names_of(settings, log), around(streams), LogPositions(log), build.leases,
        CloudEvents(orjson, str(log.log_id), LogHistory(log)), time.monotonic,
    )  # fmt: skip
    noticed: list[tuple[str, str]] = []
    follower = Follower(
        FOLLOWER, build.feed, target, build.leases, lambda *_: None,
        lambda event, what: noticed.append((event, what)), 0.001,
    )  # fmt: skip
    try:
        yield Publishing(build, follower, noticed)
    finally:
        await streams.close()


@asynccontextmanager
async def published(build: Building, redis_url: str, events: int) -> AsyncIterator[tuple[Publishing, Any]]:
    """A history of so many events that is in the streams; with the publisher, a look at Redis from outside."""
    await build.record(*long_history(events))
    with Redis.from_url(redis_url, decode_responses=True) as look:
        async with publishing(build, redis_url) as publisher:
            await publisher.catch_up()
            yield publisher, look


async def until(condition: Callable[[], Awaitable[bool] | bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.02)
