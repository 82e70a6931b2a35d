"""The whole service within the test's own process, behind a real socket, on an empty database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from service.app import application, running
from service.auth.local_key import ensure_local_key
from service.settings import Settings
from tests.http.api import Api
from tests.http.served import Served

Serve = Callable[..., Awaitable[Api]]


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One signing key for all tests: making one takes longer than most of them."""
    folder = tmp_path_factory.mktemp("key")
    ensure_local_key(folder)
    return folder


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test is run on both engines (`both_engines`)."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def database_url(request: pytest.FixtureRequest, engine: str, tmp_path: Path) -> str:
    if engine == "postgresql":
        return str(request.getfixturevalue("postgres_dsn"))
    return f"sqlite:///{tmp_path}/ims.db"


@pytest.fixture
async def serve(aiohttp_client: AiohttpClient, database_url: str, key_folder: Path) -> AsyncIterator[Serve]:
    """`await serve(read_timeout=0.1)` starts a service with these settings; several of a test share the database."""
    services: list[AsyncExitStack] = []

    async def start(server: dict[str, Any] | None = None, **settings: Any) -> Api:
        chosen = Settings(**{"database_url": database_url, "data_dir": key_folder, "rate_limit": "off", **settings})
        service = AsyncExitStack()
        services.append(service)
        parts = await service.enter_async_context(running(chosen))
        served = Served(application(parts))
        await served.start_server(**(server or {}))
        client: TestClient[Any, Any] = await aiohttp_client(served)
        service.push_async_callback(client.close)
        return Api(client, parts, chosen, service.aclose)

    yield start
    for service in reversed(services):
        await service.aclose()


@pytest.fixture
async def api(serve: Serve) -> Api:
    return await serve()
