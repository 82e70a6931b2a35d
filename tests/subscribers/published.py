"""What a publisher would have written, and members of a group that read it."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import ResponseError

from projections.cloud_events import CloudEvents, Published
from projections.stream_batches import Filling, Names
from service.streams.redis_streams import RedisStreams
from service.subscribers.consumer import DEFAULT, Consumer, Limits
from service.subscribers.entries import Entry
from tests.projections.histories import long_history
from tests.projections.test_cloud_events import LOG_ID, Past, recorded

Asked = Callable[[Entry], Any] | None
ALL = "ims:events"
GROUP = "g"


async def history(length: int) -> list[Published]:
    facts = recorded(*long_history(length))
    return await CloudEvents(orjson, LOG_ID, Past(facts)).of(facts)


@dataclass
class Member:
    """`handled` are the positions, in order; `handle` is asked first, and may raise."""

    consumer: Consumer
    task: asyncio.Task[None]
    handled: list[int]

    async def until(self, positions: set[int], seconds: float = 15.0) -> None:
        """Until it has handled all of these."""
        await until(lambda: self.task.done() or positions <= set(self.handled), seconds)
        assert positions <= set(self.handled), self.task


@dataclass
class Stream:
    url: str
    writer: RedisStreams
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def write(self, events: list[Published], name: str = ALL, prev: int = 0) -> None:
        await self.writer.ready()
        filling = Filling(Names(name, all=True, tenants=False), {name: prev})
        (ends,) = await self.writer.add(filling.batches(events, [(name,)] * len(events)))
        assert ends == {name: f"{events[-1].position}-0"}

    def member(self, name: str = "one", limits: Limits = DEFAULT, handle: Asked = None, stream: str = ALL) -> Member:
        handled: list[int] = []

        async def handler(entry: Entry) -> None:
            if handle is not None:
                waited = handle(entry)
                if waited is not None:
                    await waited
            handled.append(entry.position)

        consumer = Consumer.at(self.url, stream, GROUP, name, handler, limits)
        task = asyncio.create_task(consumer.run())
        self.tasks.append(task)
        return Member(consumer, task, handled)

    async def stop(self, member: Member) -> None:
        member.task.cancel()
        await asyncio.gather(member.task, return_exceptions=True)

    def client(self) -> Redis:
        return Redis.from_url(self.url, decode_responses=True)

    def pending(self, stream: str = ALL) -> int:
        """Delivered and not acknowledged; -1 while there is no group."""
        with self.client() as client:
            try:
                found: Any = client.xpending(stream, GROUP)
            except ResponseError:
                return -1
        return int(found["pending"])

    def dead(self) -> list[dict[str, Any]]:
        with self.client() as client:
            found: Any = client.xrange(f"ims:dead:{GROUP}")
        return [fields | {"event": json.loads(fields["event"])} for _, fields in found]


async def until(condition: Callable[[], Any], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
