"""PgBouncer before the database: whole in session mode, refused in the others, noticed when it changes."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from projections.database import Unavailable
from service.engines import open_engine
from service.settings import Settings
from service.store.errors import Unsuitable
from service.store.session import SETTINGS
from tests.http.api import PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.test_clocks import LOOK_SECONDS, condition, status_of
from tests.projections.building import soon
from tests.servers.pgbouncer import PROGRAM, Mode, PgBouncer
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.programs import needs

pytestmark = needs(PROGRAM)

IGNORED = {"ignore_startup_parameters": "extra_float_digits,search_path,jit,lock_timeout,application_name,options"}
SHARED = "gives each transaction another session"

Pooler = Callable[..., PgBouncer]


@pytest.fixture
def pooler(postgres: Postgres) -> Iterator[Pooler]:
    begun: list[PgBouncer] = []

    def begin(mode: Mode, **options: str) -> PgBouncer:
        begun.append(PgBouncer(postgres.port, mode, **options))
        return begun[-1].start()

    yield begin
    for one in begun:
        one.remove()


def through(pooler: PgBouncer, dsn: str) -> str:
    return pooler.database(dsn.rpartition("/")[2])


async def walk(api: Api) -> None:
    one = await api.report(name="Zoë")
    await api.patch(at(one["id"]), {"name": "Zoë again"})
    await api.comment(one["id"])
    assert await api.ids("?q=zo%C3%AB&size=10") == [one["id"]]
    assert (await api.get(at(one["id"], "history"))).data["total"] == 3


@pytest.mark.parametrize("options", [{}, IGNORED], ids=["as it is", "ignoring what is asked while connecting"])
async def test_session_mode_is_as_no_pooler(
    pooler: Pooler, empty_postgres_dsn: str, serve: Serve, options: dict[str, str]
) -> None:
    url = through(pooler("session", **options), empty_postgres_dsn)
    writer, reader = [await serve(database_url=url, read_timeout=10) for _ in range(2)]
    await walk(writer)
    assert (await reader.get(PATH)).data["total"] == 1, "bells ring through it"
    rows = await writer.parts.database.fetch(
        "SELECT name, setting FROM pg_settings WHERE name = ANY($1)", list(SETTINGS)
    )
    assert {str(name): str(value) for name, value in rows} | {
        "plpgsql.extra_warnings": "none",
        "plpgsql.extra_errors": "none",
    } == {**SETTINGS, "synchronous_commit": "off"}
    assert condition(await status_of(writer), "sessions")["met"] is True


@pytest.mark.parametrize("options", [{}, IGNORED, {"server_round_robin": "1"}], ids=["as it is", "ignoring", "in turn"])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_another_mode_is_refused_before_anything_is_made(
    pooler: Pooler, postgres: Postgres, empty_postgres_dsn: str, mode: Mode, options: dict[str, str]
) -> None:
    url = through(pooler(mode, **options), empty_postgres_dsn)
    with pytest.raises(Unsuitable, match=rf"{SHARED}.*Set pool_mode = session.*or name the server itself"):
        async with open_engine(Settings(database_url=url)):
            pass
    found = postgres.sql(
        "SELECT count(*) FROM pg_namespace WHERE nspname = 'ims'", empty_postgres_dsn.rpartition("/")[2]
    )
    assert found == "0"


async def test_those_who_only_read_are_refused_too(pooler: Pooler, postgres_dsn: str) -> None:
    async with open_engine(Settings(database_url=postgres_dsn)):
        pass
    with pytest.raises(Unsuitable, match=SHARED):
        async with open_engine(Settings(database_url=through(pooler("transaction"), postgres_dsn)), writing=False):
            pass


def test_the_command_says_so_in_a_line(pooler: Pooler, postgres_dsn: str, start_service: Any, tmp_path: Any) -> None:
    service = ServiceProcess(tmp_path, {"database_url": through(pooler("transaction"), postgres_dsn)})
    with pytest.raises(RuntimeError, match=rf"^exit code 1: a pooler between {SHARED}[^\n]*$"):
        service.command("migrate")


async def test_a_pooler_that_changes_its_mode_under_a_service_is_noticed_and_nothing_is_lost(
    pooler: Pooler, postgres_dsn: str, serve: Serve
) -> None:
    between = pooler("session")
    api = await serve(database_url=through(between, postgres_dsn), read_timeout=10, write_timeout=2)
    await walk(api)
    between.switch("transaction")
    acknowledged = [1]

    async def refused() -> bool:
        answer = await api.post(PATH, incident())
        assert answer.status in (201, 503), answer.raw
        acknowledged.append(answer.status == 201)
        return answer.status == 503 and answer.code == "DATABASE_UNSUITABLE"

    await soon(refused, LOOK_SECONDS)
    status = await status_of(api)
    assert SHARED in condition(status, "sessions")["found"]
    assert "writes are refused" in status["error"]
    between.switch("session")
    await soon(partial(_taken, api, acknowledged), LOOK_SECONDS)
    direct = await serve(database_url=postgres_dsn, read_timeout=10)
    assert (await direct.get(PATH)).data["total"] >= sum(acknowledged)
    assert not api.parts.broken.done()


async def _taken(api: Api, acknowledged: list[int]) -> bool:
    try:
        answer = await api.post(PATH, incident())
    except Unavailable:
        return False
    acknowledged.append(answer.status == 201)
    return answer.status == 201
