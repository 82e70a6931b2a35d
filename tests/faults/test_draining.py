"""The end of a process as its clients see it: SIGTERM, SIGINT, a second signal, and requests that are half there."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from tests.domain.examples import BREACH
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import authorization, client
from tests.http.api import PATH
from tests.http.sse import listening_at
from tests.projections.building import soon
from tests.servers.process import ServiceProcess

FOR_EVER = "300"
BEFORE = 4
"""Bodies on one connection, each in as many pieces as the kernel makes of it."""
BODY = orjson.dumps(BREACH).ljust(2**20)


@asynccontextmanager
async def connection(service: ServiceProcess) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    try:
        yield reader, writer
    finally:
        writer.close()


def head(service: ServiceProcess) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: x", f"Content-Length: {len(BODY)}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in authorization(service).items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    """The status, and the whole head in lower case; the body is read too."""
    text = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    size = next(line for line in text.splitlines() if line.startswith("content-length"))
    await reader.readexactly(int(size.partition(": ")[2]))
    return int(text.split()[1]), text


async def says_it_leaves(service: ServiceProcess) -> bool:
    async with client(service.url, {}) as one:
        ready = await one.ask("GET", "/readyz")
        assert (await one.ask("GET", "/livez")).status == 200
        return (ready.status, ready.body.get("reason")) == (503, "the process is about to end")


async def listens_no_more(service: ServiceProcess) -> bool:
    try:
        async with connection(service):
            return False
    except ConnectionRefusedError:
        return True


async def test_it_goes_on_serving_while_it_drains_and_a_second_signal_ends_it_at_once(ground: Ground) -> None:
    service = ground.start(drain_time=FOR_EVER)
    headers = authorization(service)
    async with (
        connection(service) as (reader, writer),
        listening_at("127.0.0.1", int(service.url.rpartition(":")[2]), headers["Authorization"]) as reading,
    ):
        for _ in range(BEFORE):
            writer.write(head(service) + BODY)
            status, told = await answer(reader)
            assert (status, "connection" in told) == (201, False)
        os.kill(service.pid, signal.SIGTERM)
        await soon(lambda: says_it_leaves(service))
        # A connection of before is served once more, and closed; a new one is served too; streams go on.
        writer.write(head(service) + BODY)
        status, told = await answer(reader)
        assert (status, "connection: close" in told) == (201, True)
        assert await reader.read() == b""
        async with client(service.url, headers) as one:
            created = await one.ask("POST", PATH, BREACH)
            assert (created.status, created.headers["Connection"]) == (201, "close")
            refused = await one.ask("POST", PATH, {})
            assert (refused.status, refused.headers["Connection"]) == (400, "close")
            assert (await one.ask("GET", f"{PATH}/{created.data['id']}")).status == 200
        assert [event.id for event in await reading.take(BEFORE + 2)] == [*range(1, BEFORE + 3)]
        os.kill(service.pid, signal.SIGTERM)
        assert await asyncio.to_thread(service.running.wait, 10) == -signal.SIGTERM
    assert len(await audit(ground.log)) == BEFORE + 2


async def test_what_is_half_there_is_read_to_its_end_and_what_is_idle_is_closed(on_sqlite: Ground) -> None:
    service = on_sqlite.start(drain_time=FOR_EVER, shutdown_timeout="60")
    told = authorization(service)["Authorization"]
    async with (
        connection(service) as (of_body, body),
        connection(service) as (of_head, heading),
        connection(service) as (of_idle, idle),
        connection(service) as (of_silent, _),
        listening_at("127.0.0.1", int(service.url.rpartition(":")[2]), told) as reading,
    ):
        body.write(head(service) + BODY[:1000])
        heading.write(head(service)[:50])
        idle.write(head(service) + BODY)
        assert (await answer(of_idle))[0] == 201
        assert len(await reading.take(1)) == 1
        os.kill(service.pid, signal.SIGINT)  # which does not wait for a proxy
        assert await of_idle.read() == await of_silent.read() == b""
        assert [event.id async for event in reading] == []
        assert reading.ended, "in order"
        await soon(lambda: listens_no_more(service))
        for writer, rest in ((body, BODY[1000:]), (heading, head(service)[50:] + BODY)):
            writer.write(rest[:-100_000])
            await writer.drain()
            writer.write(rest[-100_000:])
        for reader in (of_body, of_head):
            status, text = await answer(reader)
            assert (status, "connection: close" in text) == (201, True)
        assert await asyncio.to_thread(service.running.wait, 30) == 0
    assert [event.position for event in await audit(on_sqlite.log)] == [1, 2, 3]


async def test_what_never_comes_is_not_waited_for_beyond_the_limit(on_sqlite: Ground) -> None:
    service = on_sqlite.start(shutdown_timeout="0.5")
    async with connection(service) as (of_body, body), connection(service) as (_, heading):
        body.write(head(service) + BODY[:1000])
        heading.write(head(service)[:50])
        assert await asyncio.to_thread(service.terminate) == 0
        assert await of_body.read() == b""
    assert "Traceback" not in service.logs


async def test_who_serves_no_api_does_not_wait_for_a_proxy(on_sqlite: Ground) -> None:
    service = on_sqlite.start(drain_time=FOR_EVER, run="projector")
    assert await asyncio.to_thread(service.terminate) == 0
