"""A server of its own, whose configuration is changed under a service: it becomes read-only, or syncs late."""

from collections.abc import Iterator
from functools import partial

import pytest

from service.engines import open_engine
from service.settings import Settings
from service.store.errors import Unreachable
from tests.http.api import PATH, Api, incident
from tests.http.conftest import Serve
from tests.http.test_clocks import LOOK_SECONDS, condition, status_of
from tests.http.test_metrics import named, samples
from tests.projections.building import soon
from tests.servers.postgres import Postgres
from tests.store.engines import PostgresEngine
from tests.store.events import births

NEVER = "10000"
"""Milliseconds until the server syncs by itself."""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with Postgres(wal_writer_delay=NEVER, fsync="off", full_page_writes="off") as server:
        yield server


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    server.sql("DROP DATABASE IF EXISTS one WITH (FORCE)")
    yield server.create_database("one")
    server.set(default_transaction_read_only="off")


async def met(api: Api, name: str, wanted: bool) -> bool:
    return bool(condition(await status_of(api), name)["met"]) is wanted


async def answers(api: Api, status: int) -> bool:
    return (await api.post(PATH, incident())).status == status


async def test_a_server_that_is_set_read_only_is_noticed_and_so_is_its_end(
    server: Postgres, url: str, serve: Serve
) -> None:
    api = await serve(database_url=url, write_timeout=1, read_timeout=10)
    await api.report()
    server.set(default_transaction_read_only="on")
    await soon(partial(met, api, "primary", False), LOOK_SECONDS)
    answer = await api.post(PATH, incident())
    assert answer.status == 503
    assert answer.code in ("UNAVAILABLE", "OUTCOME_UNKNOWN"), "a busy machine may not find out in a second"
    assert server.sql("SELECT count(*) FROM ims.log", "one") == "1"
    found = condition(await status_of(api), "primary")
    assert "takes no writes" in found["found"]
    assert "default_transaction_read_only" in found["do"]
    assert named(await samples(api), "ims_condition_unmet", condition="primary") == 1
    server.set(default_transaction_read_only="off")
    await soon(partial(answers, api, 201), LOOK_SECONDS)
    await soon(partial(met, api, "primary", True), LOOK_SECONDS)


async def test_nothing_starts_on_a_server_that_is_set_read_only(server: Postgres, url: str) -> None:
    server.set(default_transaction_read_only="on")
    with pytest.raises(Unreachable, match="the server takes no writes"):
        async with open_engine(Settings(database_url=url)):
            pass


async def test_durability_that_is_off_is_said_and_counted(url: str, serve: Serve) -> None:
    api = await serve(database_url=url)
    found = condition(await status_of(api), "durability")
    assert found["found"] == "off: fsync, full_page_writes"
    assert named(await samples(api), "ims_condition_unmet", condition="durability") == 1
    assert named(await samples(api), "ims_writes_refused") == 0


async def test_a_commit_is_synced_though_its_session_was_set_to_something_else_meanwhile(url: str) -> None:
    async with PostgresEngine(url).log() as log:
        await log.append(births(1))
        await log._writing.execute("SET synchronous_commit = off")
        before = await log._writing.fetchval("SELECT pg_current_wal_insert_lsn()")
        await log.append(births(1))
        assert await log._writing.fetchval("SELECT pg_current_wal_flush_lsn() > $1", before)
        assert await log._writing.fetchval("SHOW synchronous_commit") == "off"
