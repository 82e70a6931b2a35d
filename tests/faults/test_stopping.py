"""SIGTERM: stops accepting, finishes what is in flight, leaves in time with exit code 0."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.domain.examples import BREACH
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import CUT_OFF, INCIDENTS, Load, authorization, client, load
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

EXIT_SECONDS = 10.0


@contextmanager
def frozen(server: Postgres) -> Iterator[None]:
    """No process of the server does anything, but its connections stay."""
    postmaster = psutil.Process(server.pid)
    processes = [postmaster, *postmaster.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()


async def stop_under_load(service: ServiceProcess, headers: dict[str, str]) -> Load:
    async with load(lambda: service.url, headers) as seen:
        await asyncio.sleep(0.5)
        began = time.monotonic()
        assert await asyncio.to_thread(service.terminate) == 0
        assert time.monotonic() - began < EXIT_SECONDS
        before = len(seen.acknowledged)
        assert before > 10
    assert len(seen.acknowledged) == before
    assert {status for status, _ in seen.refused} <= {503}
    return seen


async def test_sigterm_under_load_loses_nothing_that_was_acknowledged(ground: Ground) -> None:
    service = ground.start()
    headers = authorization(service)
    seen = await stop_under_load(service, headers)
    assert "Traceback" not in service.logs
    log = await audit(ground.log, seen.acknowledged)
    service.start()
    async with client(service.url, headers) as one:
        await agree(one, log)


async def test_a_write_in_flight_is_answered_before_the_service_leaves(on_sqlite: Ground) -> None:
    service = on_sqlite.start()
    async with client(service.url, authorization(service), connections=60) as one:
        await one.report()
        pending = [asyncio.create_task(one.ask("POST", INCIDENTS, BREACH)) for _ in range(50)]
        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        assert await asyncio.to_thread(service.terminate) == 0
        answers = await asyncio.gather(*pending, return_exceptions=True)
    answered = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert all(isinstance(answer, CUT_OFF) for answer in answers if isinstance(answer, BaseException))
    assert {answer.status for answer in answered} == {201}
    positions = {answer.position for answer in answered}
    assert positions <= {event.position for event in await audit(on_sqlite.log)}


async def test_a_hangup_ends_nothing_and_is_recorded(on_sqlite: Ground) -> None:
    """Whoever closes a terminal or rotates logs sends one."""
    service = on_sqlite.start()
    async with client(service.url, authorization(service)) as one:
        for _ in range(2):
            service.running.send_signal(signal.SIGHUP)
            await one.report()
    assert service.terminate() == 0
    assert "hangup_ignored" in service.logs


@pytest.mark.faults
async def test_it_leaves_in_time_though_the_database_hangs(
    start_service: Callable[..., ServiceProcess], own_postgres: Postgres
) -> None:
    service = start_service(database_url=own_postgres.dsn, rate_limit="off")
    async with client(service.url, authorization(service)) as one:
        await one.report()
        with frozen(own_postgres):
            pending = asyncio.create_task(one.ask("POST", INCIDENTS, BREACH))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            code = await asyncio.to_thread(service.terminate)
            assert time.monotonic() - began < EXIT_SECONDS
            assert code == 0
        answer = await pending
        assert (answer.status, answer.code) == (503, "OUTCOME_UNKNOWN")


@pytest.mark.faults
async def test_rolling_restarts_under_load_lose_nothing(on_postgres: Ground) -> None:
    services = [on_postgres.start(), on_postgres.start()]
    headers = authorization(services[0])
    async with (
        load(lambda: services[0].url, headers) as first,
        load(lambda: services[1].url, headers, seed=2) as second,
    ):
        for number in range(10):
            await asyncio.sleep(1)
            service = services[number % 2]
            assert await asyncio.to_thread(service.terminate) == 0
            service.start()
    for seen in (first, second):
        assert {status for status, _ in seen.refused} <= {503}
    log = await audit(on_postgres.log, first.acknowledged + second.acknowledged)
    async with client(services[0].url, headers) as one:
        await agree(one, log)
