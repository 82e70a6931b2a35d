"""An older log under what was built from a newer one: nothing is shown, signed or published of it, and one command,
which every follower names, makes everything serve again."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import asyncpg
import pytest

from projections.read_models import FOLLOWER
from tests.domain.examples import BREACH
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import CUT_OFF, INCIDENTS, Acknowledged, Client, authorization, client
from tests.projections.building import soon
from tests.servers.redis import RedisServer
from tests.streams.reading import compare, entries

FOLLOWERS = {FOLLOWER, "audit_tree", "publisher"}
CHECKPOINT = "/v1/audit/checkpoint"
BEYOND = "the log ends at 1, and {} had applied 5 events"
ANOTHER = "the event at position 5 is another one than {} had applied"
PATIENCE_SECONDS = 20.0

PutBack = Callable[[], Awaitable[None]]


def keep(ground: Ground, tmp_path: Path) -> PutBack:
    """Returns what brings the log, and nothing that is built from it, back to what it is now."""
    if isinstance(ground.log, Path):
        path, copy = ground.log, tmp_path / "kept.db"
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(copy)) as kept:
            live.backup(kept)

        async def put_back() -> None:
            for name in ("ims.db-wal", "ims.db-shm"):
                path.with_name(name).unlink(missing_ok=True)
            shutil.copy(copy, path)

        return put_back
    dsn = ground.log

    async def cut() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute("DELETE FROM ims.log WHERE notification_id > 1")
            await connection.execute("DELETE FROM ims.audit_checkpoints WHERE size > 1")
        finally:
            await connection.close()

    return cut


class Walk:
    """A service with everything that follows the log, and what it acknowledged of the history that counts."""

    def __init__(self, ground: Ground, redis_url: str) -> None:
        self.ground, self.service = ground, ground.start(redis_url=redis_url)
        self.headers = authorization(self.service)
        self.acknowledged: list[Acknowledged] = []

    async def report(self, times: int) -> list[Acknowledged]:
        async with self.client() as one:
            told = []
            for _ in range(times):
                answer = await one.ask("POST", INCIDENTS, BREACH)
                assert answer.status == 201
                told.append(Acknowledged(answer.position, answer.data["id"], 0))
        return told

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with client(self.service.url, self.headers) as one:
            yield one

    async def followed(self) -> None:
        """Everything has followed all of the log, and a checkpoint of it is signed."""
        async with self.client() as one:
            await soon(lambda: _level(one), PATIENCE_SECONDS)
            assert (await one.ask("GET", CHECKPOINT)).status == 200

    async def refuses(self, what: str, *, running: bool) -> None:
        """Nothing is read, signed or published, and everybody says why."""
        async with self.client() as one:
            await soon(lambda: _told(one, what), PATIENCE_SECONDS)
            stopped = FOLLOWERS if running else {FOLLOWER}
            await soon(lambda: _stopped(one, [what.format(name) for name in stopped]), PATIENCE_SECONDS)
            assert "run `ims restored`" in (await one.ask("GET", "/status")).body["error"]
            for path in (INCIDENTS, f"{INCIDENTS}?page=1", f"{INCIDENTS}/counts", f"{INCIDENTS}?q=breach"):
                assert (await one.ask("GET", path)).status == 503, path
            for known in self.acknowledged:
                answer = await one.ask("GET", f"{INCIDENTS}/{known.id}")
                assert (answer.status, answer.code) == (503, "READ_MODEL_BEHIND")
            assert (await one.ask("GET", "/v1/audit/proof/1")).status == 503
            assert (await one.ask("GET", "/v1/audit/consistency?from=1&to=5")).status == 503
            assert (await one.ask("GET", "/readyz")).status == 200


async def _level(one: Client) -> bool:
    followers = (await one.ask("GET", "/status")).body["followers"]
    assert {row["failure"] for row in followers} == {None}
    return {row["name"] for row in followers} == FOLLOWERS and not any(row["lag_events"] for row in followers)


async def _stopped(one: Client, reasons: Iterable[str]) -> bool:
    error = (await one.ask("GET", "/status")).body["error"] or ""
    return all(reason in error for reason in reasons)


async def _told(one: Client, what: str) -> bool:
    followers = (await one.ask("GET", "/status")).body["followers"]
    return {row["name"] for row in followers if what.format(row["name"]) in (row["failure"] or "")} == FOLLOWERS


async def test_an_older_log_under_newer_read_models_tree_and_streams(
    ground: Ground, redis_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    walk = Walk(ground, redis_url)
    service = walk.service
    first = await walk.report(1)
    put_back = keep(ground, tmp_path)
    lost = await walk.report(4)
    await walk.followed()
    service.terminate()
    await put_back()

    service.start()
    walk.acknowledged = first
    await walk.refuses(BEYOND, running=True)
    walk.acknowledged = [*first, *await walk.report(6)]  # beyond the head that was followed
    service.terminate()
    service.environment["IMS_RUN"] = "api"
    service.start()
    await walk.refuses(ANOTHER, running=False)
    for command in ("projections", "events"):
        assert ANOTHER.format("publisher") in service.command(command, "status")
    del service.environment["IMS_RUN"]
    with redis_server.client() as look:
        before = entries(look)
    assert [entry.id for entry in before] == [f"{n}-0" for n in range(1, 6)]
    service.terminate()
    with pytest.raises(RuntimeError, match=r"run `ims restored`.*nothing was switched"):
        service.command("projections", "rebuild", "audit_tree")

    prefix = next(word.rstrip(",") for word in service.command("restored").split() if word.startswith("ims:events-"))
    service.start()
    walk.acknowledged += await walk.report(1)
    await walk.followed()
    async with walk.client() as one:
        assert (await one.ask("GET", "/status")).body["error"] is None
        shown = await agree(one, log := await audit(ground.log, walk.acknowledged))
        assert {known.id for known in walk.acknowledged} == {document["id"] for document in shown}
        for known in lost:
            assert (await one.ask("GET", f"{INCIDENTS}/{known.id}")).status == 404
        assert (await one.ask("GET", "/v1/audit/proof/8")).status == 200
    assert "sound" in service.command("audit", "verify")
    with redis_server.client() as look:
        assert entries(look) == before
        compare(entries(look, prefix), log)


async def test_read_models_alone_are_built_anew_by_a_rebuild(on_sqlite: Ground, tmp_path: Path) -> None:
    """Where nobody audits, publishes or subscribes."""
    service = on_sqlite.start(run="api,projector")
    headers = authorization(service)
    async with client(service.url, headers) as one:
        await one.report()
        put_back = keep(on_sqlite, tmp_path)
        for _ in range(4):
            await one.report()
        await agree(one, await audit(on_sqlite.log))
    service.terminate()
    await put_back()
    service.command("projections", "rebuild")
    service.start()
    async with client(service.url, headers) as one:
        await one.report()
        await agree(one, await audit(on_sqlite.log))
        assert (await one.ask("GET", "/status")).body["error"] is None


async def test_a_log_that_goes_back_under_a_running_service_ends_it(on_postgres: Ground, tmp_path: Path) -> None:
    """Other events may come in the place of those that are gone before anybody looks."""
    service = on_postgres.start()
    headers = authorization(service)
    put_back = keep(on_postgres, tmp_path)
    async with client(service.url, headers) as one:
        for _ in range(5):
            await one.report()
        await agree(one, await audit(on_postgres.log))
        await put_back()
        with suppress(*CUT_OFF):
            for _ in range(6):
                await one.ask("POST", INCIDENTS, BREACH)
    assert await asyncio.to_thread(service.running.wait, PATIENCE_SECONDS) == 1
    assert "of the log is" in service.logs
    assert "`ims restored`" in service.logs
    service.start()
    async with client(service.url, headers) as one:
        assert "`ims restored`" in (await one.ask("GET", "/status")).body["error"]
        assert (await one.ask("GET", INCIDENTS)).status == 503
