"""The databases that services are put on, and what the API shows of them at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess


@dataclass
class Ground:
    """A database for services: how to start one on it, and where the audit finds its log."""

    start: Callable[..., ServiceProcess]
    log: str | Path


@pytest.fixture
def on_sqlite(start_service: Callable[..., ServiceProcess], tmp_path: Path) -> Ground:
    return Ground(start_service, tmp_path / "data" / "ims.db")


@pytest.fixture
def on_postgres(empty_postgres_dsn: str, start_service: Callable[..., ServiceProcess]) -> Ground:
    def start(**settings: str) -> ServiceProcess:
        return start_service(**{"database_url": empty_postgres_dsn, "rate_limit": "off", **settings})

    return Ground(start, empty_postgres_dsn)


@pytest.fixture(params=["on_sqlite", "on_postgres"], ids=["sqlite", "postgres"])
def ground(request: pytest.FixtureRequest) -> Ground:
    ground: Ground = request.getfixturevalue(request.param)
    return ground


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server to be killed, which syncs."""
    with Postgres() as server:
        yield server
