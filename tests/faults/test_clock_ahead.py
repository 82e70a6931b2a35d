"""A database server whose clock was a day ahead while a process held the leases, and is right for the next one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.load import authorization, client
from tests.projections.building import soon
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so*"))), None)
PATIENCE_SECONDS = 20.0


FAR = "SELECT bool_and(to_timestamp(expires_at) > clock_timestamp() + interval '1 hour') FROM ims.followers"
HELD_FAR = """UPDATE ims.followers SET holder = 'dead:1',
              expires_at = extract(epoch FROM clock_timestamp() + interval '1 day')"""


@pytest.fixture
def server_a_day_ahead() -> Iterator[Postgres]:
    """From its next start on its clock is right."""
    server = Postgres(fsync="off")
    faked = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": "+1d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    server.environment = {**os.environ, **faked}
    with server:
        server.environment = None
        yield server


@pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed")
async def test_the_leases_of_a_process_that_was_killed_under_a_clock_ahead_keep_nobody(
    server_a_day_ahead: Postgres, start_service: Callable[..., ServiceProcess]
) -> None:
    server = server_a_day_ahead
    service = start_service(database_url=server.dsn, rate_limit="off")
    headers = authorization(service)
    async with client(service.url, headers) as one:
        for _ in range(3):
            await one.report()
        await agree(one, log := await audit(server.dsn))
    service.kill()
    server.stop()
    server.start()
    assert server.sql(FAR) == "t"
    assert service.command("restored").startswith("The log is ")
    server.sql(HELD_FAR)
    service.start()
    async with client(service.url, headers) as one:
        await agree(one, log)

        async def held() -> bool:
            followers = (await one.ask("GET", "/status")).body["followers"]
            return all((row["holder"] or "").endswith(f":{service.pid}") for row in followers)

        await soon(held, PATIENCE_SECONDS)
    assert "lease_of_a_clock_ahead" in service.logs
