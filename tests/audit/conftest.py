"""The stores that the audit's commands are tested on."""

from pathlib import Path

import pytest

from service.settings import Settings
from tests.audit import stores


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Settings:
    return stores.sqlite(tmp_path / "sqlite")


@pytest.fixture
def on_postgres(postgres_dsn: str, tmp_path: Path) -> Settings:
    return stores.postgres(postgres_dsn, tmp_path / "postgres")


@pytest.fixture(params=["on_sqlite", "on_postgres"], ids=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Settings:
    store: Settings = request.getfixturevalue(request.param)
    return store


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """A second store, on SQLite."""
    return stores.sqlite(tmp_path / "elsewhere")
