"""PostgreSQL is there and refuses: a right is taken away, its certificate is another one, its disk fails.

503s as long as it does, and then all goes on by itself.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.migrating import migrate
from service.settings import Settings
from tests.domain.examples import BREACH
from tests.faults.load import INCIDENTS, Client, authorization, client
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.roles import as_user, connected, make_service_user
from tests.servers.tls import PostgresTlsFront

USER, ROLE = "ims_refused", "ims_service"
CHECKPOINT = "/v1/audit/checkpoint"
LOOKED_SECONDS = 1.5
"""Every loop has looked once more by then."""
RECOVERY_SECONDS = 10.0
LOCKED_SECONDS = 5.0
MAX_SESSIONS = 2 * 10 + 1
"""Twice what a process has: those that wait, and those that have not yet found out that nobody waits for them."""
FAULTS = {"disk_failing": "58030", "page_damaged": "XX001"}
FAIL = """CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN RAISE 'made to fail' USING ERRCODE = '{code}'; END $$;
          CREATE TRIGGER fail BEFORE INSERT ON ims.log EXECUTE FUNCTION public.fail();
          CREATE TRIGGER fail BEFORE UPDATE ON ims.followers EXECUTE FUNCTION public.fail()"""
WORK_AGAIN = "DROP FUNCTION public.fail CASCADE"


@pytest.mark.parametrize("code", FAULTS.values(), ids=FAULTS)
async def test_a_server_that_cannot_do_it_is_asked_again_until_it_can(
    start_service: Callable[..., ServiceProcess], postgres: Postgres, postgres_dsn: str, code: str
) -> None:
    service = start_service(database_url=postgres_dsn, write_timeout="1")
    async with client(service.url, authorization(service)) as one:
        await one.report()
        postgres.sql(FAIL.format(code=code), _name(postgres_dsn))
        await asyncio.sleep(LOOKED_SECONDS)
        await _is_refused(one, reads=False)
        postgres.sql(WORK_AGAIN, _name(postgres_dsn))
        await _goes_on(one)
    _was_calm(service)


@pytest.mark.parametrize(
    ("taken", "given"),
    [
        (
            "REVOKE ALL ON ALL TABLES IN SCHEMA ims FROM {role}; REVOKE ALL ON FUNCTION ims.append FROM {role}",
            "GRANT ALL ON ALL TABLES IN SCHEMA ims TO {role}; GRANT ALL ON FUNCTION ims.append TO {role}",
        ),
        ("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC", "GRANT CONNECT ON DATABASE {name} TO PUBLIC"),
        ("ALTER ROLE {user} NOLOGIN", "ALTER ROLE {user} LOGIN"),
    ],
    ids=["schema", "database", "login"],
)
async def test_rights_that_were_taken_away_are_missed_until_they_are_given_back(
    start_service: Callable[..., ServiceProcess], postgres: Postgres, empty_postgres_dsn: str, taken: str, given: str
) -> None:
    await migrate(Settings(database_url=empty_postgres_dsn))
    async with connected(empty_postgres_dsn) as superuser:
        await make_service_user(superuser, USER)
    name = _name(empty_postgres_dsn)
    service = start_service(database_url=as_user(empty_postgres_dsn, USER), write_timeout="1")
    async with client(service.url, authorization(service)) as one:
        await one.report()
        postgres.sql(taken.format(name=name, user=USER, role=ROLE), name)
        _cut_off(postgres, name)
        await asyncio.sleep(LOOKED_SECONDS)
        await _is_refused(one)
        postgres.sql(given.format(name=name, user=USER, role=ROLE), name)
        await _goes_on(one)
    _was_calm(service)


async def test_a_function_that_the_schema_lacks_is_missed_until_it_is_there_again(
    start_service: Callable[..., ServiceProcess], postgres: Postgres, postgres_dsn: str
) -> None:
    """As where a release migrated it that is more than one ahead."""
    service = start_service(database_url=postgres_dsn, write_timeout="1")
    async with client(service.url, authorization(service)) as one:
        await one.report()
        postgres.sql("ALTER FUNCTION ims.append(json) RENAME TO gone", _name(postgres_dsn))
        await _is_refused(one, reads=False)
        postgres.sql("ALTER FUNCTION ims.gone(json) RENAME TO append", _name(postgres_dsn))
        await _goes_on(one)
    _was_calm(service)


async def test_a_certificate_that_cannot_be_trusted_keeps_everybody_waiting_for_one_that_can(
    start_service: Callable[..., ServiceProcess], postgres: Postgres, postgres_dsn: str, tmp_path: Path
) -> None:
    """As one does that has expired: nobody notices before the next connection."""
    name = _name(postgres_dsn)
    (tmp_path / "other").mkdir()
    async with (
        PostgresTlsFront(postgres.port, tmp_path) as front,
        PostgresTlsFront(postgres.port, tmp_path / "other") as other,
    ):
        url = f"postgresql://postgres@127.0.0.1:{front.port}/{name}?sslmode=verify-full&sslrootcert={front.ca_file}"
        service = await asyncio.to_thread(lambda: start_service(database_url=url, write_timeout="1"))
        async with client(service.url, authorization(service)) as one:
            await one.report()
            trusted, front.context = front.context, other.context
            _cut_off(postgres, name)
            await asyncio.sleep(LOOKED_SECONDS)
            await _is_refused(one)
            front.context = trusted
            await _goes_on(one)
    _was_calm(service)


async def test_a_table_that_somebody_keeps_locked_does_not_use_up_the_connections_of_the_server(
    start_service: Callable[..., ServiceProcess], postgres: Postgres, postgres_dsn: str
) -> None:
    """As VACUUM FULL does, or a psql that was left open: everybody else of that server would be refused soon."""
    service = start_service(database_url=postgres_dsn, database_timeout="0.5", write_timeout="1")
    async with client(service.url, authorization(service)) as one, connected(postgres_dsn) as somebody:
        await one.report()
        async with somebody.transaction():
            await somebody.execute("LOCK TABLE ims.log, ims.followers")
            until = time.monotonic() + LOCKED_SECONDS
            while time.monotonic() < until:
                await _asked(one)
            waiting = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{_name(postgres_dsn)}'"
            assert int(postgres.sql(waiting)) <= MAX_SESSIONS
        await _goes_on(one)
    _was_calm(service)


def _name(dsn: str) -> str:
    return urlsplit(dsn).path[1:]


def _cut_off(postgres: Postgres, name: str) -> None:
    postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")


async def _is_refused(one: Client, *, reads: bool = True) -> None:
    """Reads are, once what this process has heard of the log is too old to count."""
    async with asyncio.timeout(RECOVERY_SECONDS):
        while 200 in await _asked(one, reads=reads):
            await asyncio.sleep(0.05)


async def _asked(one: Client, *, reads: bool = True) -> set[int]:
    """What reads are answered with; nothing can be written."""
    paths = (INCIDENTS, CHECKPOINT, "/readyz") if reads else ()
    written, *read = await asyncio.gather(one.ask("POST", INCIDENTS, BREACH), *(one.ask("GET", path) for path in paths))
    assert written.status == 503, written
    assert {answer.status for answer in read} <= {200, 503}, read
    return {answer.status for answer in read}


async def _goes_on(one: Client) -> None:
    """Writing, the read models, the tree."""
    async with asyncio.timeout(RECOVERY_SECONDS):
        while (await one.ask("POST", INCIDENTS, BREACH)).status != 201:
            await asyncio.sleep(0.05)
        for path in (INCIDENTS, CHECKPOINT):
            while (await one.ask("GET", path)).status != 200:
                await asyncio.sleep(0.05)


def _was_calm(service: ServiceProcess) -> None:
    assert service.running.poll() is None
    assert "Traceback" not in service.logs
