"""Servers that tests share. Each xdist worker starts its own when a test asks: nothing to agree on between workers."""

import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.servers.memory import write_into_memory
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.proxy import FaultProxy
from tests.servers.redis import RedisServer
from tests.servers.template import copy_template, make_template

_database_numbers = count(1)
write_into_memory()

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("busy", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(autouse=True)
def _logs_as_they_were(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that runs within a test sends the log to that test's stderr, which is closed when it has ended; and
    each logger that it uses first would keep that way for ever."""
    root, configure, before = logging.getLogger(), structlog.configure, structlog.get_config()
    handlers, level = list(root.handlers), root.level
    monkeypatch.setattr(
        structlog, "configure", lambda **options: configure(**options | {"cache_logger_on_first_use": False})
    )
    yield
    configure(**before)
    if root.handlers != handlers or root.level != level:
        root.handlers = handlers
        root.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that forgets to sync. Who kills it, or tests what survives, starts one of its own: `Postgres()`."""
    with Postgres(fsync="off", synchronous_commit="off", full_page_writes="off") as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres: Postgres) -> str:
    return make_template(postgres)


@pytest.fixture
def postgres_dsn(postgres: Postgres, template_database: str) -> Iterator[str]:
    """A database for this test alone, as the service's first start leaves it: all tables are there, and empty.

    Ask for it before what connects to it, so that it outlives that.
    """
    name = f"test_{next(_database_numbers)}"
    yield copy_template(postgres, template_database, name)
    postgres.drop_database(name)


@pytest.fixture
def empty_postgres_dsn(postgres: Postgres) -> Iterator[str]:
    """A database without anything in it, for tests of who makes the schema, and when."""
    name = f"empty_{next(_database_numbers)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    with RedisServer(appendonly="no") as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """A Redis that is empty when the test begins."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
async def fault_proxy() -> AsyncIterator[Callable[[int], Awaitable[FaultProxy]]]:
    """`await fault_proxy(port)` puts a proxy before that port."""
    async with AsyncExitStack() as proxies:
        yield lambda upstream: proxies.enter_async_context(FaultProxy(upstream))


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., ServiceProcess]]:
    """`start_service(database_url=dsn, run="api")` starts a process; all of a test share one data directory.

    When the test fails, pytest shows the end of their logs.
    """
    processes: list[ServiceProcess] = []

    def start(**settings: str) -> ServiceProcess:
        process = ServiceProcess(tmp_path, settings)
        processes.append(process)
        return process.start()

    yield start
    for process in processes:
        process.end()
        sys.stderr.write(f"{process.log.name}:\n{process.last_logs}\n")
