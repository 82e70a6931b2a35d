"""A stream that holds what a publisher would have written, and consumers of it in this process."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.streams.address import parse
from service.streams.redis_streams import RedisStreams
from service.streams.wire import Wire
from tests.subscribers.published import Stream


@pytest.fixture
async def stream(redis_url: str) -> AsyncIterator[Stream]:
    wire = Wire(parse(redis_url), 5.0)
    made = Stream(redis_url, RedisStreams(wire, "log"))
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)
    await wire.close()
