"""A release whose read models are others: built by `ims migrate` while the release before serves on its own."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg

from projections.read_models import FOLLOWER
from service.settings import Settings
from tests.bench.long_log import fill
from tests.domain.examples import BREACH
from tests.faults.agreement import patiently
from tests.faults.load import INCIDENTS, authorization, client, load
from tests.projections.next_version import MODULE, NAME
from tests.servers.process import ServiceProcess

HISTORY = 3_000
PATIENCE = "20"
"""Seconds that a read may wait: those that fail are not those that are late."""


def migrate(service: ServiceProcess) -> str:
    return subprocess.run(
        [sys.executable, "-m", MODULE, "migrate"],
        env=service.environment, cwd=service.folder, check=True, stdout=subprocess.PIPE, text=True, timeout=90,
    ).stdout  # fmt: skip


async def generations(dsn: str) -> dict[str, tuple[int, bool]]:
    """Of each follower: which tables it fills, and whether they are those of the log's newest event."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            """SELECT name, generation, position = (SELECT max(notification_id) FROM ims.log) FROM ims.followers
               WHERE name LIKE 'read_models%'"""
        )
    finally:
        await connection.close()
    return {name: (generation, there) for name, generation, there in rows}


async def test_migrating_builds_them_beside_those_that_are_served_until_the_new_release_is_there(
    empty_postgres_dsn: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    await fill(Settings(data_dir=tmp_path / "data", database_url=empty_postgres_dsn), HISTORY)
    old = start_service(database_url=empty_postgres_dsn, rate_limit="off", read_timeout=PATIENCE)
    headers, filled = authorization(old), authorization(old, tenant="globex")
    async with client(old.url, filled) as one, load(lambda: old.url, headers, clients=2) as busy:
        before = await patiently(one, INCIDENTS, Ims_Min_Position=str(HISTORY))
        said = await asyncio.to_thread(migrate, old)
        assert f"{NAME} is built." in said
        assert (await one.ask("GET", INCIDENTS)).data == before.data
    assert not busy.refused
    async with client(old.url, filled) as one:
        reported = await one.ask("POST", INCIDENTS, BREACH)
        shown = await one.ask("GET", INCIDENTS)
    followers = await generations(empty_postgres_dsn)
    assert followers[FOLLOWER] == (1, True)
    assert followers[NAME][0] == 2, "filled beside, then switched to"
    new = ServiceProcess(old.folder, {"database_url": empty_postgres_dsn, "read_timeout": PATIENCE}, (MODULE,))
    with new:
        async with client(new.url, filled) as one, client(old.url, filled) as another:
            assert (await patiently(one, INCIDENTS, Ims_Min_Position=str(reported.position))).data == shown.data
            reported = await one.ask("POST", INCIDENTS, BREACH)
            for release in (one, another):
                path, position = f"{INCIDENTS}/{reported.data['id']}", str(reported.position)
                found = await patiently(release, path, Ims_Min_Position=position)
                assert (found.status, found.data) == (200, reported.data)
    assert "is built" not in await asyncio.to_thread(migrate, old), "they are there already"
