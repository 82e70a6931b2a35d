"""The engines that the store's contract is tested on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.store.log import Log
from tests.store.engines import Engine, PostgresEngine, SqliteEngine


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> SqliteEngine:
    return SqliteEngine(tmp_path / "log.db")


@pytest.fixture
def postgres_engine(postgres_dsn: str) -> PostgresEngine:
    return PostgresEngine(postgres_dsn)


@pytest.fixture(params=["sqlite_engine", "postgres_engine"], ids=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(request.param)
    return engine


@pytest.fixture
async def log(engine: Engine) -> AsyncIterator[Log]:
    async with engine.log() as log:
        yield log
