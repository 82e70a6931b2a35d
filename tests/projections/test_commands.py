"""`ims projections status` and `rebuild` as commands, beside a service that runs."""

import asyncio
import re
from collections.abc import Callable

import asyncpg
import orjson
import pytest

from projections.read_models import FOLLOWER
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import INCIDENTS, Client, authorization, client, load
from tests.projections.building import soon
from tests.servers.process import ServiceProcess


@pytest.fixture
def on_postgres(postgres_dsn: str, start_service: Callable[..., ServiceProcess]) -> Ground:
    return Ground(lambda: start_service(database_url=postgres_dsn, rate_limit="off"), postgres_dsn)


async def test_on_sqlite_status_works_beside_the_service_and_a_rebuild_waits_for_its_end(
    start_service: Callable[..., ServiceProcess],
) -> None:
    service = start_service()
    headers = authorization(service)
    async with client(service.url, headers) as one:
        incident = await one.report()
    status = service.command("projections", "status")
    assert re.search(r"read_models_v\d+ +│ 1 +│ 1 +│ 0 +│ 0\.0 +│", status), status
    with pytest.raises(RuntimeError, match=r"in use by a running service: stop it first$"):
        service.command("projections", "rebuild")
    assert service.terminate() == 0
    service.command("projections", "rebuild")
    assert re.search(r"read_models_v\d+ +│ 2 +│ 1 +│ 0 +│", service.command("projections", "status"))
    service.start()
    async with client(service.url, headers) as one:
        assert (await one.ask("GET", f"{INCIDENTS}/{incident['id']}")).data == incident


async def test_on_postgres_a_rebuild_goes_on_beside_reads_and_writes(on_postgres: Ground) -> None:
    service = on_postgres.start()
    headers = authorization(service)
    async with client(service.url, headers) as one, load(lambda: service.url, headers, clients=3) as seen:
        stop = asyncio.Event()
        reading = asyncio.create_task(_read_what_was_written(service, headers, stop))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(service.command, "projections", "rebuild")
        await asyncio.sleep(1.2)
        stop.set()
        assert await reading > 20
    assert not [code for _, code in seen.refused if code != "READ_MODEL_BEHIND"]
    connection = await asyncpg.connect(on_postgres.log)
    try:
        generations = dict(await connection.fetch("SELECT name, generation FROM ims.followers"))
    finally:
        await connection.close()
    assert generations[FOLLOWER] == 2
    assert "Traceback" not in service.logs
    async with client(service.url, headers) as one:
        await agree(one, await audit(on_postgres.log, seen.acknowledged))


async def _read_what_was_written(service: ServiceProcess, headers: dict[str, str], stop: asyncio.Event) -> int:
    """Reads are right all the time: as new as what was written, or refused for a moment."""
    rounds = 0
    async with client(service.url, headers) as one:
        incident = await one.report()
        path = f"{INCIDENTS}/{incident['id']}"
        while not stop.is_set():
            written = await one.ask("PATCH", path, {"next_update": rounds})
            shown = await one.ask("GET", path)
            assert shown.status in (200, 503)
            if shown.status == 200:
                assert shown.data["occ_lock"] == written.data["occ_lock"]
            rounds += 1
    return rounds


async def test_a_service_whose_read_models_are_of_another_log_does_not_answer_from_them(
    on_postgres: Ground,
) -> None:
    service = on_postgres.start()
    headers = authorization(service)
    async with client(service.url, headers) as one:
        incident = await one.report()
        assert (await one.ask("GET", f"{INCIDENTS}/{incident['id']}")).status == 200
    assert service.terminate() == 0
    connection = await asyncpg.connect(on_postgres.log)
    try:
        await connection.execute("UPDATE ims.log_identity SET log_id = gen_random_uuid()")
    finally:
        await connection.close()
    service.start()
    async with client(service.url, headers) as one:
        answer = await one.ask("GET", INCIDENTS)
        assert (answer.status, answer.code) == (503, "READ_MODEL_BEHIND")
        await soon(lambda: _says(one, "another log"))
    assert service.terminate() == 0
    service.command("projections", "rebuild")
    service.start()
    async with client(service.url, headers) as one:
        assert (await one.ask("GET", f"{INCIDENTS}/{incident['id']}")).data == incident


async def _says(one: Client, problem: str) -> bool:
    return problem in ((await one.ask("GET", "/status")).body["error"] or "")


async def test_an_event_that_cannot_be_applied_is_told_everywhere_and_reads_are_not_stale(
    on_postgres: Ground,
) -> None:
    service = on_postgres.start()
    headers = authorization(service)
    reason = "position 2: the content of position 2 is damaged"
    async with client(service.url, headers) as one:
        before = await one.report()
        assert (await one.ask("GET", f"{INCIDENTS}/{before['id']}")).status == 200
        connection = await asyncpg.connect(on_postgres.log)
        try:
            await connection.execute(
                """INSERT INTO ims.log SELECT 2, gen_random_uuid(), 0, topic, '{', tenant_id, subject_id,
                          clock_timestamp(), NULL, salt, digest FROM ims.log"""
            )
        finally:
            await connection.close()
        after = await one.report()
        answer = await one.ask("GET", INCIDENTS)  # what was just reported is still known by itself, a list is not
        assert (answer.status, answer.code) == (503, "READ_MODEL_BEHIND")
        status = (await one.ask("GET", "/status")).body
        assert reason in status["error"]
        (row,) = [row for row in status["followers"] if row["name"] == FOLLOWER]
        assert row["position"] == 1
        assert row["failure"].startswith(reason)
        async with one.session.get("/metrics") as metrics:
            found = re.findall(r"^ims_follower_stopped\{reason=\"(.+)\"\} 1\.0$", await metrics.text(), re.MULTILINE)
            assert found == [status["error"]]
        (record,) = [line for line in service.logs.splitlines() if '"follower_stopped"' in line]
        assert orjson.loads(record).items() >= {"level": "error", "reason": row["failure"]}.items()
    service.kill()
    service.start()
    async with client(service.url, headers) as one:
        assert (await one.ask("GET", f"{INCIDENTS}/{after['id']}")).status == 503
