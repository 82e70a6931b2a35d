"""The stores that the audit's commands are tested on."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.settings import Settings
from tests.audit import stores
from tests.audit.followed import make_followed
from tests.audit.rich import make_rich
from tests.servers.postgres import Postgres


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


@pytest.fixture(scope="session")
def followed_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = stores.sqlite(tmp_path_factory.mktemp("followed"))
    asyncio.run(make_followed(store))
    return store.data_dir


@pytest.fixture(scope="session")
def followed_database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its name, and the folder of its keys."""
    store = stores.postgres(postgres.create_database("followed"), tmp_path_factory.mktemp("followed"))
    asyncio.run(make_followed(store))
    yield "followed", store.data_dir
    postgres.drop_database("followed")


@pytest.fixture(params=["sqlite", "postgres"])
def followed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A store whose tree and read models have come to the end of its log, a checkpoint in its middle and one there."""
    if request.param == "sqlite":
        yield stores.sqlite(shutil.copytree(request.getfixturevalue("followed_file"), tmp_path / "copy"))
        return
    name, folder = request.getfixturevalue("followed_database")
    postgres: Postgres = request.getfixturevalue("postgres")
    yield stores.postgres(postgres.create_database("copy", template=name), shutil.copytree(folder, tmp_path / "copy"))
    postgres.drop_database("copy")


@pytest.fixture(scope="session")
def rich_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = stores.sqlite(tmp_path_factory.mktemp("rich"))
    asyncio.run(make_rich(store))
    return store.data_dir


@pytest.fixture(scope="session")
def rich_database(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    store = stores.postgres(postgres.create_database("rich"), tmp_path_factory.mktemp("rich"))
    asyncio.run(make_rich(store))
    yield "rich", store.data_dir
    postgres.drop_database("rich")


@pytest.fixture(params=["sqlite", "postgres"])
def rich(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """A store with a bit of everything."""
    if request.param == "sqlite":
        yield stores.sqlite(shutil.copytree(request.getfixturevalue("rich_file"), tmp_path / "rich"))
        return
    name, folder = request.getfixturevalue("rich_database")
    postgres: Postgres = request.getfixturevalue("postgres")
    yield stores.postgres(postgres.create_database("poor", template=name), shutil.copytree(folder, tmp_path / "rich"))
    postgres.drop_database("poor")
