"""`GET /v1/events/stream`: what was, then what happens, for as long as the token holds and the reader reads."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from service.auth.minting import mint
from service.http import events
from service.subscribers import tail
from tests.http.api import PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.http.sse import STREAM, Reading, listening, listening_at
from tests.servers.issuer import OidcIssuer
from tests.servers.process import ServiceProcess


async def ids(reading: Reading, number: int) -> list[int]:
    return [told.id for told in await reading.take(number)]


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@both_engines
async def test_it_tells_what_was_and_then_what_happens(api: Api) -> None:
    for _ in range(3):
        await api.report()
    async with listening(api) as reading:
        assert (reading.status, reading.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        assert await ids(reading, 3) == [1, 2, 3]
        id = (await api.report(name="New"))["id"]
        await api.patch(at(id), {"status": "OPEN"})
        fourth, fifth = await reading.take(2)
    assert (fourth.id, fourth.type, fourth.data["data"]["state"]["name"]) == (4, "ims.incident.reported", "New")
    assert (fifth.id, fifth.type, fifth.data["data"]["changes"]) == (
        5, "ims.incident.edited", {"status": {"from": "NEW", "to": "OPEN"}},
    )  # fmt: skip
    assert fifth.data == (await api.get("/v1/events?after=4")).data[0], "one event is the same everywhere"


async def test_it_goes_on_from_any_position(api: Api) -> None:
    for _ in range(6):
        await api.report()
    async with listening(api, "?after=2") as reading:
        assert await ids(reading, 4) == [3, 4, 5, 6]
    async with listening(api, "?after=2", last=4) as reading:
        assert await ids(reading, 2) == [5, 6], "who comes again has the address of the first time"
    async with listening(api, last=6) as reading:
        await api.report()
        assert await ids(reading, 1) == [7]


async def test_it_is_narrowed_like_the_feed(api: Api) -> None:
    first = (await api.report())["id"]
    async with listening(api, f"?subject={first}&type=ims.incident.edited&type=ims.comment.added") as reading:
        await api.patch(at((await api.report())["id"]), {"name": "b"})
        await api.patch(at(first), {"name": "b"})
        await api.delete(at(first))
        await api.post(at(first, "restore"))
        await api.comment(first)
        assert await ids(reading, 2) == [4, 7]


async def test_a_tenant_hears_nothing_of_another(api: Api) -> None:
    rival = api.by(tenant="rival")
    async with listening(api) as mine, listening(rival) as theirs:
        for number in range(20):
            await (api if number % 3 else rival).report()
        heard = await mine.take(13)
        assert {told.data["tenantid"] for told in heard} == {api.tenant}
        assert [told.id for told in heard] == [n for n in range(1, 21) if (n - 1) % 3]
        assert await ids(theirs, 7) == [1, 4, 7, 10, 13, 16, 19]


async def test_events_of_other_processes_are_heard(postgres_dsn: str, serve: Serve) -> None:
    writer = await serve(database_url=postgres_dsn)
    listener = await serve(database_url=postgres_dsn, run=("api",))
    async with listening(listener) as reading:
        for number in range(1, 6):
            await (writer if number % 2 else listener).report()
        assert await ids(reading, 5) == [1, 2, 3, 4, 5]


async def test_nothing_is_lost_between_what_was_and_what_is_new(api: Api) -> None:
    """Readers that begin at any moment of a busy time."""
    total = 300

    async def write() -> None:
        for _ in range(total):
            await api.report()

    async def read(delay: float) -> list[int]:
        await asyncio.sleep(delay)
        async with listening(api) as reading:
            return await ids(reading, total)

    *heard, _ = await asyncio.gather(*(read(n / 50) for n in range(40)), write())
    assert all(positions == list(range(1, total + 1)) for positions in heard)


async def test_when_nothing_happens_it_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    async with listening(api) as reading:
        first = asyncio.create_task(ids(reading, 1))
        await until(lambda: len(reading.comments) > 3)
        await api.report()
        assert await first == [1]


async def test_it_ends_when_the_token_expires(api: Api) -> None:
    await api.report()
    for life in (2, 8, 30):  # seconds; a busy machine may open the stream after the shorter ones
        expires = int(time.time()) + life
        token = mint(api.settings, api.tenant, api.user, None, (), timedelta(seconds=life))
        async with asyncio.timeout(60), listening(api, token=token) as reading:
            told = [event async for event in reading]
        if reading.status == 200:
            break
    assert time.time() >= expires
    assert [event.type for event in told] == ["ims.incident.reported", "ims.end"]
    assert told[-1].data == {"code": "TOKEN_EXPIRED"}
    assert reading.ended
    await until(lambda: api.parts.tail.readers == 0)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
async def test_it_ends_when_the_key_of_the_token_is_withdrawn(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: bool
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.2)
    keys, issuer = tmp_path / "jwks.json", OidcIssuer()
    keys.write_bytes(issuer.jwks())
    api = await serve(jwks_file=keys)
    ended = asyncio.Event()

    async def write() -> None:
        while busy and not ended.is_set():
            headers = {"Authorization": issuer.bearer()}
            await api.post(PATH, incident(), headers=headers, authorized=False)
            await asyncio.sleep(0.02)

    writing = asyncio.create_task(write())
    async with asyncio.timeout(60), listening(api, token=issuer.token()) as reading:
        await until(lambda: api.parts.tail.readers == 1 and (api.parts.feed.head.value > 9 or not busy))
        await asyncio.sleep(1)  # some heartbeats, at which the key is good
        del issuer.keys["first"]
        issuer.add_key("second")
        keys.write_bytes(issuer.jwks())
        *before, last = [event async for event in reading]
        ended.set()
    await writing
    assert (last.type, last.data) == ("ims.end", {"code": "TOKEN_INVALID"})
    assert bool(before) == busy
    assert [told.id for told in before] == list(range(1, len(before) + 1))


async def test_who_does_not_read_is_dropped_and_nobody_else_waits(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MAX_BYTES", 100_000)
    async with listening(api, buffer=4_096) as idle, listening(api) as reading:
        await until(lambda: api.parts.tail.readers == 2)
        for number in range(1, 2_000):
            await api.report(description="x" * 15_000)
            assert await ids(reading, 1) == [number]
            if api.parts.tail.dropped:
                break
        assert (api.parts.tail.dropped, api.parts.tail.readers) == (1, 1)
        got = [told.id async for told in idle]
    assert got == list(range(1, len(got) + 1)), "what it got is whole"
    assert not idle.ended
    assert len(got) < number
    async with listening(api, last=got[-1]) as again:
        assert await ids(again, number - len(got)) == list(range(got[-1] + 1, number + 1))


async def test_a_write_that_nobody_makes_room_for_ends_the_stream(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "WRITE_SECONDS", 1.0)
    for _ in range(300):
        await api.report(description="x" * 20_000)
    async with listening(api, buffer=4_096):
        await until(lambda: api.parts.tail.readers == 1)
        await until(lambda: api.parts.tail.readers == 0)


async def test_who_left_is_forgotten(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    async with listening(api), listening(api.by(tenant="rival")):
        await until(lambda: api.parts.tail.readers == 2)
    await until(lambda: api.parts.tail.readers == 0)
    assert not api.parts.tail._listening


async def test_a_process_serves_so_many_and_no_more(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MAX_READERS", 2)
    async with listening(api), listening(api):
        answer = await api.get(STREAM)
        answer.refused(503, "READERS_LIMIT")
        assert answer.headers["Retry-After"] == "1"


async def test_it_says_what_cannot_be_asked(api: Api) -> None:
    await api.report()
    (await api.get(f"{STREAM}?after=x")).refused(400, "PARAMETER_INVALID", "after")
    (await api.get(f"{STREAM}?limit=1")).refused(400, "PARAMETER_UNKNOWN", "limit")
    (await api.get(f"{STREAM}?after=2")).refused(400, "POSITION_UNKNOWN", "after")
    (await api.get(STREAM, headers={"Last-Event-ID": "-1"})).refused(400, "HEADER_INVALID", "Last-Event-ID")
    (await api.get(STREAM, headers={"Last-Event-ID": "2"})).refused(400, "POSITION_UNKNOWN", "Last-Event-ID")
    assert (await api.get(STREAM, authorized=False)).status == 401
    head = await api.send("HEAD", STREAM)
    assert (head.status, head.headers["Content-Type"], head.raw) == (200, "text/event-stream; charset=utf-8", b"")


async def test_a_service_that_leaves_ends_its_streams(start_service: Callable[..., ServiceProcess]) -> None:
    service = await asyncio.to_thread(start_service, shutdown_timeout="60")  # what a request in flight would have
    authorization = (await asyncio.to_thread(service.authorization))["Authorization"]
    port = int(service.url.rpartition(":")[2])
    async with listening_at("127.0.0.1", port, authorization) as reading:
        leaving = asyncio.create_task(asyncio.to_thread(service.terminate, 50))
        assert [told async for told in reading] == []
        assert await leaving == 0
