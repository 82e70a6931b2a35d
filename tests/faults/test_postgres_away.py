"""PostgreSQL is restarted under load, in order or as by a power cut: 503s while it is away, and nothing else."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from service.store.feed import HEARS_SECONDS
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.load import CUT_OFF, INCIDENTS, Client, authorization, client, load
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

RECOVERY_SECONDS = 5.0


async def restarts_under_load(service: ServiceProcess, server: Postgres, rounds: int) -> None:
    headers = authorization(service)
    async with client(service.url, headers) as one:
        known = f"{INCIDENTS}/{(await one.report())['id']}"
        reader = asyncio.create_task(_read(one, read := Counter[int]()))
        async with load(lambda: service.url, headers) as seen:
            for number in range(rounds):
                await asyncio.sleep(0.5)
                before = len(seen.acknowledged)
                await asyncio.to_thread(server.kill if number % 2 else server.stop)
                assert (await one.ask("GET", "/livez")).status == 200
                answer = await one.ask("GET", "/readyz")
                assert answer.status == 503, answer
                gone = time.monotonic()
                while (await one.ask("GET", known)).status != 503:  # not from memory: others may have changed it
                    assert time.monotonic() - gone < HEARS_SECONDS
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.3)
                await asyncio.to_thread(server.start)
                back = time.monotonic()
                while (await one.ask("GET", "/readyz")).status != 200 or len(seen.acknowledged) == before:
                    assert time.monotonic() - back < RECOVERY_SECONDS
                    await asyncio.sleep(0.02)
                await asyncio.sleep(0.5)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        assert {status for status, _ in seen.refused} == {503}, seen.refused
        assert seen.without_retry_after == 0
        assert seen.cut_off == 0
        assert read[200]
        await agree(one, await audit(server.dsn, seen.acknowledged))
    assert service.running.poll() is None
    assert "Traceback" not in service.logs


async def _read(one: Client, read: Counter[int]) -> None:
    """Every write of this client is seen by its next read, crash or not."""
    incident = await one.report()
    path = f"{INCIDENTS}/{incident['id']}"
    while True:
        try:
            written = await one.ask("PATCH", path, {"next_update": sum(read.values())})
            shown = await one.ask("GET", path)
        except CUT_OFF:
            continue
        read[shown.status] += 1
        if written.status == 200 and shown.status == 200:
            assert shown.data["occ_lock"] >= written.data["occ_lock"]


async def test_a_restart_of_postgres_costs_503s_while_it_is_away(
    start_service: Callable[..., ServiceProcess], own_postgres: Postgres
) -> None:
    service = start_service(database_url=own_postgres.dsn, rate_limit="off")
    await restarts_under_load(service, own_postgres, rounds=2)


@pytest.mark.faults
async def test_postgres_is_restarted_again_and_again(
    start_service: Callable[..., ServiceProcess], own_postgres: Postgres
) -> None:
    service = start_service(database_url=own_postgres.dsn, rate_limit="off")
    await restarts_under_load(service, own_postgres, rounds=14)


async def test_what_a_crash_took_from_the_read_models_is_not_missed_by_any_read(
    start_service: Callable[..., ServiceProcess],
) -> None:
    """Read models are committed without waiting for the disk; a server that syncs late loses a lot of them."""
    with Postgres(wal_writer_delay="10s", wal_writer_flush_after="1GB") as server:
        service = start_service(database_url=server.dsn, rate_limit="off")
        async with client(service.url, authorization(service)) as one:
            for _ in range(2):
                incident = await one.report()
                path = f"{INCIDENTS}/{incident['id']}"
                assert (await one.ask("GET", path)).status == 200
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                statuses = set()
                for _ in range(60):
                    answer = await one.ask("GET", path)
                    statuses.add(answer.status)
                    await asyncio.sleep(0.005)
                assert statuses <= {200, 503}
                assert answer.status == 200


async def test_a_database_that_is_taken_out_of_use_is_away_until_it_is_back(
    start_service: Callable[..., ServiceProcess], postgres: Postgres, postgres_dsn: str
) -> None:
    """Closed to new connections, renamed, and both undone: as for a restore into its place."""
    service = start_service(database_url=postgres_dsn)
    name = _name(postgres_dsn)
    async with client(service.url, authorization(service)) as one:
        path = f"{INCIDENTS}/{(await one.report())['id']}"
        postgres.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgres.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        await _answers(one, path, 503)
        postgres.sql(f"ALTER DATABASE {name} RENAME TO {name}_aside")
        await asyncio.sleep(1.5)  # every loop has looked once more
        assert (await one.ask("GET", path)).status == 503
        postgres.sql(f"ALTER DATABASE {name}_aside RENAME TO {name}")
        postgres.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await _answers(one, path, 200)
        await one.report()
    assert "Traceback" not in service.logs


async def test_a_process_that_lost_a_part_without_which_it_cannot_work_ends(
    start_service: Callable[..., ServiceProcess], postgres: Postgres, postgres_dsn: str
) -> None:
    service = start_service(database_url=postgres_dsn, run="api")
    postgres.sql("ALTER TABLE ims.followers RENAME TO aside", _name(postgres_dsn))
    assert await asyncio.to_thread(service.running.wait, RECOVERY_SECONDS) == 1
    assert '"task_failed"' in service.logs


def _name(dsn: str) -> str:
    return urlsplit(dsn).path[1:]


async def _answers(one: Client, path: str, status: int) -> None:
    async with asyncio.timeout(RECOVERY_SECONDS):
        while (await one.ask("GET", path)).status != status:
            await asyncio.sleep(0.05)
