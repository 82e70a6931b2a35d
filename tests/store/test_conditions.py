"""What a database must be: judged as data, refused at the start of whatever writes, with a way out that works."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from projections.database import Unavailable
from service.app import running
from service.audit.loading import load
from service.audit.verify.database import verify_store
from service.engines import open_engine
from service.migrating import migrate
from service.settings import Settings
from service.store.bells import Bells
from service.store.conditions import Weight, require
from service.store.errors import Unsuitable
from service.store.postgres import Postgres
from service.store.postgres_conditions import Facts, judge
from service.store.postgres_log import PostgresLog
from service.store.session import SETTINGS
from service.store.sqlite_file import DatabaseFile
from service.store.sqlite_log import SqliteLog
from service.stream_commands import restored
from tests.audit.stores import exported, rows
from tests.servers.postgres import Postgres as Server
from tests.store.events import births

WELL = Facts("UTF8", 140_000, "on", "on", read_only=False, shared=False, settings=SETTINGS)
ENCODINGS = ("LATIN1", "WIN1252", "EUC_JP", "SQL_ASCII", "KOI8R", "LATIN9")


def unmet(**differing: Any) -> dict[str, str]:
    """What is wrong with a server that is well but for this."""
    findings = judge(replace(WELL, **differing), SETTINGS)
    return {one.condition.name: one.text for one in findings if not one.met}


def test_a_server_that_is_as_it_must_be_meets_every_condition() -> None:
    assert unmet() == {}
    assert unmet(settings={**SETTINGS, "synchronous_commit": "remote_apply"}) == {}


@pytest.mark.parametrize(
    ("differing", "name", "said"),
    [
        ({"encoding": "LATIN1"}, "encoding", "encoding is LATIN1. It must be UTF8"),
        ({"version": 130_020}, "version", "the server is PostgreSQL 13. It must be PostgreSQL 14 or newer"),
        ({"version": 90_624}, "version", "PostgreSQL 9"),
        ({"shared": True}, "sessions", "pool_mode = session"),
        ({"fsync": "off"}, "durability", "off: fsync. It must be on"),
        ({"fsync": "off", "full_page_writes": "off"}, "durability", "off: fsync, full_page_writes"),
        ({"read_only": True}, "primary", "takes no writes"),
        ({"settings": {**SETTINGS, "synchronous_commit": "local"}}, "settings", "synchronous_commit is local"),
        ({"settings": {**SETTINGS, "TimeZone": "Asia/Tokyo"}}, "settings", "TimeZone is Asia/Tokyo"),
    ],
)
def test_each_condition_that_is_not_met_says_what_is_there_and_what_to_do(
    differing: dict[str, Any], name: str, said: str
) -> None:
    found = unmet(**differing)
    assert list(found) == [name]
    assert said in found[name]


def test_the_start_is_refused_for_what_would_lose_or_spoil_something_and_not_for_what_a_warning_does() -> None:
    refusing = {one.condition.name for one in judge(WELL, SETTINGS) if one.condition.weight is Weight.REFUSES_START}
    assert refusing == {"encoding", "version", "sessions", "settings"}
    require(judge(replace(WELL, fsync="off", read_only=True), SETTINGS))
    with pytest.raises(Unsuitable, match="PostgreSQL 13"):
        require(judge(replace(WELL, version=130_000), SETTINGS))


@pytest.fixture(params=ENCODINGS)
def other_encoding(request: pytest.FixtureRequest, postgres: Server) -> Iterator[str]:
    name = f"in_{request.param.lower()}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{request.param}' LOCALE 'C'")
    yield postgres.database(name)
    postgres.drop_database(name)


async def test_an_encoding_that_lacks_characters_is_refused_before_anything_is_made(
    other_encoding: str, postgres: Server
) -> None:
    store = Settings(database_url=other_encoding)
    with pytest.raises(Unsuitable, match=r"It must be UTF8.*CREATE DATABASE ims TEMPLATE template0 ENCODING 'UTF8'"):
        await migrate(store)
    name = other_encoding.rpartition("/")[2]
    assert postgres.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'ims'", name) == "0"


@pytest.fixture
async def latin(postgres: Server) -> AsyncIterator[str]:
    """A log in LATIN1, as releases that did not look made it, with an event."""
    postgres.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    url = postgres.database("latin")
    database = Postgres(url, "ims", pool=2, timeout=5.0)
    connection = await database.primary.connect()
    try:
        await database._migrate(connection, existing=False)
    finally:
        connection.terminate()
    yield url
    postgres.drop_database("latin")


async def _append(url: str, number: int) -> None:
    """Past the check that a release which does not look lacks."""
    database = Postgres(url, "ims", pool=2, timeout=5.0)
    log = PostgresLog(database, Bells(database))
    await log.append(births(number))
    await log.close()
    database.close()


async def _serve(settings: Settings) -> None:
    async with running(settings):
        pass


async def test_the_way_out_of_another_encoding_works_as_it_is_said(
    latin: str, postgres: Server, postgres_dsn: str, tmp_path: Path
) -> None:
    await _append(latin, 3)
    there, here = Settings(database_url=latin), Settings(database_url=postgres_dsn)
    for refused in (_serve(there), migrate(there), restored(there), load(there, tmp_path / "none")):
        with pytest.raises(Unsuitable, match=r"`ims audit export log\.gz` with the old URL"):
            await refused
    _, findings = await verify_store(there, [], [])
    assert findings.count == 0
    before = await rows(there)
    content = await exported(there, tmp_path / "log")
    postgres.sql("CREATE DATABASE ims_utf8 TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
    try:
        here = Settings(database_url=postgres.database("ims_utf8"))
        await load(here, tmp_path / "log")
        assert await rows(here) == before
        assert await exported(here, tmp_path / "again") == content
        await migrate(here)
        _, findings = await verify_store(here, [], [])
        assert findings.count == 0
    finally:
        postgres.drop_database("ims_utf8")


async def test_text_that_a_database_cannot_store_is_no_mistake_of_who_sent_it(latin: str) -> None:
    database = Postgres(latin, "ims", pool=2, timeout=5.0)
    for text in ("東京", "–", "🔥"):
        with pytest.raises(Unavailable, match="has no equivalent in encoding"):
            await database.fetch("SELECT tenant_id FROM log WHERE tenant_id = $1", text)
    database.close()


@pytest.fixture
async def utf16(tmp_path: Path) -> Settings:
    """A log in UTF-16, as a file that somebody had made before became one, with three events."""
    store = Settings(database_url=f"sqlite:///{tmp_path}/old.db")
    _make_in_utf16(store.sqlite_path)
    file = DatabaseFile(store.sqlite_path, "FULL")
    log = SqliteLog(file)
    await log.open()
    await log.append(births(3))
    file.close()
    return store


def _make_in_utf16(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA encoding = 'UTF-16le'")
        connection.execute("CREATE TABLE something (x)")
        connection.execute("DROP TABLE something")
    connection.close()


async def test_a_file_in_another_encoding_is_refused_and_the_way_out_works(utf16: Settings, tmp_path: Path) -> None:
    with pytest.raises(Unsuitable, match=r"old.db is UTF-16le. It must be UTF-8.*`ims audit export log.gz`"):
        await migrate(utf16)
    before = await rows(utf16)
    await exported(utf16, tmp_path / "log")
    here = Settings(database_url=f"sqlite:///{tmp_path}/new.db")
    await load(here, tmp_path / "log")
    assert await rows(here) == before
    await migrate(here)
    _, findings = await verify_store(here, [], [])
    assert findings.count == 0


async def test_read_models_in_another_encoding_are_to_be_deleted(tmp_path: Path) -> None:
    store = Settings(database_url=f"sqlite:///{tmp_path}/ims.db")
    _make_in_utf16(store.read_models_path)
    with pytest.raises(Unsuitable, match=r"ims.read.db is UTF-16le. It must be UTF-8.*Delete it"):
        await migrate(store)
    store.read_models_path.unlink()
    await migrate(store)
    async with open_engine(store) as engine:
        assert [one.met for one in await engine.look()] == [True]
