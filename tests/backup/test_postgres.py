"""`deploy/BACKUP.md` on PostgreSQL, carried out: its commands, from the base backup to a moment that is not the end."""

import asyncio
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.load import authorization, client, load
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer
from tests.streams.reading import compare, entries, whole
from tests.streams.test_agreement_with_the_log import publisher_of, stopped

PAGE = (Path(__file__).parents[2] / "deploy" / "BACKUP.md").read_text()
BACK_UP, RESTORE = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ARCHIVE_COMMAND = re.findall(r"^archive_command = '(.*)'$", PAGE, re.MULTILINE)[0]
ARCHIVE_SECONDS = 30.0
PAUSE_SECONDS = 0.5


class Restored(Postgres):
    """Its data comes from the page's commands."""

    def __init__(self, **variables: str | Path) -> None:
        super().__init__()
        self._variables = variables

    def _initialise(self) -> None:
        self._make_data_folder()
        self.shell(RESTORE, PGDATA=self._data, **self._variables)


@pytest.fixture
def server() -> Iterator[Postgres]:
    """It archives, into a folder of its own, by the page's command."""
    server = Postgres(archive_mode="on")
    server.options["archive_command"] = ARCHIVE_COMMAND.replace("/archive", str(server.folder("archive")))
    with server:
        yield server


async def archived(server: Postgres) -> None:
    """All that was written so far."""
    segment = server.sql("SELECT pg_walfile_name(pg_switch_wal())")
    async with asyncio.timeout(ARCHIVE_SECONDS):
        while server.sql("SELECT coalesce(max(last_archived_wal), '') FROM pg_stat_archiver") < segment:
            await asyncio.sleep(0.05)


async def primary(server: Postgres) -> None:
    async with asyncio.timeout(ARCHIVE_SECONDS):
        while server.sql("SELECT pg_is_in_recovery()") == "t":
            await asyncio.sleep(0.05)


async def test_a_database_is_brought_back_to_a_moment_and_its_events_begin_anew(
    start_service: Callable[..., ServiceProcess], server: Postgres, redis_url: str, redis_server: RedisServer
) -> None:
    backup = server.folder("backup")
    service = start_service(database_url=server.dsn, redis_url=redis_url, rate_limit="off")
    headers = authorization(service)
    async with load(lambda: service.url, headers, clients=4) as seen:
        await asyncio.sleep(PAUSE_SECONDS)
        await asyncio.to_thread(server.shell, BACK_UP, BACKUP=backup, SERVER=server.dsn)
        await asyncio.sleep(PAUSE_SECONDS)
        kept = list(seen.acknowledged)
        until = server.sql("SELECT clock_timestamp()")
        await asyncio.sleep(PAUSE_SECONDS)
    assert not seen.refused
    await archived(server)
    everything = await audit(server.dsn, seen.acknowledged)
    with redis_server.client() as streams:
        await whole(streams, server.dsn)
    service.terminate()
    server.stop()
    with Restored(BACKUP=backup, ARCHIVE=backup.with_name("archive"), UNTIL=until) as restored:
        await primary(restored)
        log = await audit(restored.dsn, kept)
        assert log == everything[: len(log)]
        assert len(kept) <= len(log) < len(everything)
        again = start_service(database_url=restored.dsn, redis_url=redis_url, rate_limit="off")
        assert "sound" in again.command("audit", "verify")
        await stopped(again)
        again.terminate()
        prefix = next(word.rstrip(",") for word in again.command("restored").split() if word.startswith("ims:events-"))
        again.start()
        async with client(again.url, headers) as one:
            await one.report()
            log = await audit(restored.dsn, kept)
            await agree(one, log)
        assert "sound" in again.command("audit", "verify")
        async with asyncio.timeout(ARCHIVE_SECONDS):
            while (await publisher_of(again))["lag_events"]:
                await asyncio.sleep(0.05)
        with redis_server.client() as streams:
            compare(entries(streams, prefix), log)
            compare(entries(streams), everything)
