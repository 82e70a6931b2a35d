"""A collector of traces, and services that send theirs to it."""

from collections.abc import AsyncIterator

import pytest

from tests.http.conftest import api, database_url, engine, key_folder, serve
from tests.tracing.receiver import Collector

__all__ = ["api", "database_url", "engine", "key_folder", "serve"]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    collector = Collector()
    await collector.start()
    yield collector
    await collector.server.close()
