"""The answer to a commit is lost on the way: found out, not guessed. No false 409, no second event."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.domain.examples import BREACH
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.load import DEPLOYER, INCIDENTS, Acknowledged, Client, authorization, client, load
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.proxy import FaultProxy, Moment

APPEND = r"FROM append\("
WRITE_SECONDS = 1.5
PAUSE_SECONDS = 0.3

PutProxy = Callable[[int], Awaitable[FaultProxy]]


@pytest.fixture
async def proxy(postgres: Postgres, fault_proxy: PutProxy) -> FaultProxy:
    return await fault_proxy(postgres.port)


@pytest.fixture
async def service(postgres_dsn: str, proxy: FaultProxy, start_service: Callable[..., ServiceProcess]) -> ServiceProcess:
    """It reaches its database through the proxy alone."""
    url = f"postgresql://postgres@127.0.0.1:{proxy.port}/{postgres_dsn.rpartition('/')[2]}"
    # In a thread: the proxy lives in this loop, and the service needs it to start.
    return await asyncio.to_thread(start_service, database_url=url, write_timeout=str(WRITE_SECONDS), rate_limit="off")


@pytest.fixture
async def one(service: ServiceProcess) -> AsyncIterator[Client]:
    async with client(service.url, authorization(service, DEPLOYER)) as one:
        yield one


@asynccontextmanager
async def log_is_locked(dsn: str) -> AsyncIterator[None]:
    """Somebody else holds the lock that every append waits for."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(1229804851, 'ims.log'::regclass::oid::integer)")
            yield
    finally:
        await connection.close()


def requests(incident: dict[str, Any], doomed: dict[str, Any]) -> list[tuple[str, str, Any]]:
    path = f"{INCIDENTS}/{incident['id']}"
    return [
        ("POST", INCIDENTS, BREACH),
        ("PUT", path, {**BREACH, "name": "Edited", "occ_lock": incident["occ_lock"]}),
        ("PUT", f"{path}/attributes", {"name": "count", "value": 7}),
        ("POST", f"{path}/comments", {"text": "Said once"}),
        ("POST", f"{INCIDENTS}/attributes", {"name": f"a{incident['id'][:8]}", "type": "INT"}),
        ("DELETE", f"{INCIDENTS}/{doomed['id']}", {"occ_lock": doomed["occ_lock"]}),
    ]


MOMENTS: tuple[Moment, ...] = ("answered", "sent")


async def test_every_write_whose_answer_is_lost_succeeds_once(
    one: Client, proxy: FaultProxy, postgres_dsn: str
) -> None:
    told = []
    writes = [(*write, moment) for moment in MOMENTS for write in requests(await one.report(), await one.report())]
    for method, path, body, moment in writes:
        lost = proxy.lose_next_answer(APPEND, moment)
        answer = await one.ask(method, path, body)
        assert lost.is_set()
        assert answer.status == (201 if method == "POST" else 200), answer
        if "id" in answer.data:
            told.append(Acknowledged(answer.position, answer.data["id"], answer.data["occ_lock"]))
    log = await audit(postgres_dsn, told)
    assert len(log) == 4 + len(writes)
    await agree(one, log)


async def test_a_backend_that_still_waits_for_the_lock_makes_no_second_event(
    one: Client, proxy: FaultProxy, postgres_dsn: str
) -> None:
    """The client is cut while its backend waits; the service asks again, and then both get the lock."""
    incident = await one.report()
    async with log_is_locked(postgres_dsn):
        lost = proxy.lose_next_answer(APPEND, "sent")
        edit = {**BREACH, "name": "Edited", "occ_lock": 0}
        pending = asyncio.create_task(one.ask("PUT", f"{INCIDENTS}/{incident['id']}", edit))
        await lost.wait()
        await _until_waiting(postgres_dsn, 2)
    answer = await pending
    assert answer.status == 200, answer
    log = await audit(postgres_dsn, [Acknowledged(answer.position, incident["id"], 1)])
    assert len(log) == 2
    await agree(one, log)


async def test_an_outcome_that_stays_unknown_is_said_to_be_and_the_repeat_gets_the_first_answer(
    one: Client, proxy: FaultProxy, postgres_dsn: str
) -> None:
    incident, doomed = await one.report(), await one.report()
    writes: list[tuple[str, str, Any]] = [
        ("POST", INCIDENTS, BREACH),
        ("PUT", f"{INCIDENTS}/{incident['id']}", {**BREACH, "name": "Edited", "occ_lock": 0}),
        ("DELETE", f"{INCIDENTS}/{doomed['id']}", {"occ_lock": 0}),
    ]
    async with log_is_locked(postgres_dsn):
        proxy.lose_next_answer(APPEND, "sent")
        answers = await asyncio.gather(*(one.ask(*write, key=write[0]) for write in writes))
        # What waited behind the first one was never sent, and that is said too.
        assert {answer.code for answer in answers} <= {"OUTCOME_UNKNOWN", "UNAVAILABLE"}
        assert "OUTCOME_UNKNOWN" in {answer.code for answer in answers}
        assert all(answer.status == 503 and "Retry-After" in answer.headers for answer in answers)
    told = []
    for write in writes:
        again = await one.ask(*write, key=write[0])
        assert again.status == (201 if write[0] == "POST" else 200), again
        third = await one.ask(*write, key=write[0])
        assert (third.data, third.position) == (again.data, again.position)
        told.append(Acknowledged(again.position, again.data["id"], again.data["occ_lock"]))
    log = await audit(postgres_dsn, told)
    assert len(log) == 2 + len(writes)
    await agree(one, log)


async def test_a_database_that_takes_no_connection_was_sent_nothing(
    one: Client, proxy: FaultProxy, postgres_dsn: str
) -> None:
    incident = await one.report()
    await proxy.refuse()
    proxy.reset()
    answer = await one.ask("PUT", f"{INCIDENTS}/{incident['id']}", {**BREACH, "occ_lock": 0})
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    await proxy.accept()
    answer = await one.ask("PUT", f"{INCIDENTS}/{incident['id']}", {**BREACH, "occ_lock": 0})
    assert answer.status == 200
    assert len(await audit(postgres_dsn)) == 2


async def answers_are_lost(service: ServiceProcess, one: Client, proxy: FaultProxy, dsn: str, times: int) -> None:
    async with load(lambda: service.url, authorization(service)) as seen:
        for number in range(times):
            lost = proxy.lose_next_answer(APPEND, "sent" if number % 2 else "answered")
            async with asyncio.timeout(10):
                await lost.wait()
            if number % 5 == 4:
                proxy.reset()
            await asyncio.sleep(PAUSE_SECONDS)  # or what is sent again would be lost again, until it is too late
    assert {code for _, code in seen.refused} <= {"UNAVAILABLE", "READ_MODEL_BEHIND"}, seen.refused
    assert seen.cut_off == 0
    await agree(one, await audit(dsn, seen.acknowledged))


async def test_answers_lost_under_load_cost_nobody_anything(
    service: ServiceProcess, one: Client, proxy: FaultProxy, postgres_dsn: str
) -> None:
    await answers_are_lost(service, one, proxy, postgres_dsn, times=10)


@pytest.mark.faults
async def test_answers_are_lost_for_long(
    service: ServiceProcess, one: Client, proxy: FaultProxy, postgres_dsn: str
) -> None:
    await answers_are_lost(service, one, proxy, postgres_dsn, times=150)


async def _until_waiting(dsn: str, backends: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(5):
            while await connection.fetchval(_WAITING) < backends:
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


_WAITING = """SELECT count(*) FROM pg_stat_activity
              WHERE wait_event = 'advisory' AND datname = current_database()"""
