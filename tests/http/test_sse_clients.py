"""Streams as clients read them: a library, readers that take each empty line for an event's end, a browser."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import orjson
import pytest
from httpx_sse import aconnect_sse
from playwright.async_api import async_playwright

from service.http import events
from tests.http.api import Api, at
from tests.http.conftest import Serve
from tests.http.sse import STREAM, Reading, listening

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r\n"
"""Whatever any reader takes for the end of a line (`str.splitlines`)."""
NAME = f"a{BREAKS}b".join("xyz")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.02)


async def body(reading: Reading) -> AsyncIterator[bytes]:
    async for line in reading._lines():
        yield line.encode() + b"\n"


async def until_two_and_heartbeats(api: Api, reading: Reading) -> bytes:
    """All that a stream says of an event, silence, another event, and silence again."""
    told = b""
    async with asyncio.timeout(60):
        async for line in body(reading):
            told += line
            silences, heard = told.count(b"\n:"), told.count(b"\ndata:")
            if line.startswith(b":") and silences == 3:
                await api.report(name=NAME)
            if silences > 5 and heard == 2:
                return told
    raise AssertionError("the stream ended")


def messages(told: bytes) -> Iterator[dict[str, str]]:
    """As fetch-event-source reads them: whatever stands before an empty line is a message, even nothing."""
    message: dict[str, str] = {}
    for line in told.decode().splitlines():  # which breaks lines at more than it may, as many readers do
        if not line:
            yield message
            message = {}
        elif not line.startswith(":"):
            field, _, value = line.partition(": ")
            message[field] = value


@pytest.mark.usefixtures("often")
async def test_an_empty_line_ends_an_event_and_nothing_else(api: Api) -> None:
    await api.report(name=NAME)
    async with listening(api) as reading:
        told = await until_two_and_heartbeats(api, reading)
    assert told.startswith(b"retry: 1000\nid: 1\n")
    first, second = messages(told)
    assert (first["id"], second["id"]) == ("1", "2")
    for message in (first, second):
        assert orjson.loads(message["data"])["data"]["state"]["name"] == NAME
    for blank in (b"\x85", "\u2028".encode(), "\u2029".encode()):
        assert blank not in told


@pytest.mark.usefixtures("often")
async def test_a_library_of_such_streams_reads_them(api: Api) -> None:
    await api.report(name=NAME)
    url, headers = str(api.client.make_url(STREAM)), {**api.authorization, "Last-Event-ID": ""}
    heard: list[Any] = []
    async with httpx.AsyncClient(timeout=30) as client, aconnect_sse(client, "GET", url, headers=headers) as source:
        assert source.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        async for event in source.aiter_sse():
            heard.append((event.id, event.event, event.json()["data"]["state"]["name"]))
            if len(heard) == 3:
                break
            await asyncio.sleep(0.1)  # some heartbeats
            await api.report(name=NAME)
    assert heard == [(str(n), "ims.incident.reported", NAME) for n in (1, 2, 3)]


async def test_a_stream_begins_at_the_beginning_where_the_last_id_is_empty(api: Api) -> None:
    await api.report()
    await api.report()
    for last in ("", " ", "\t"):
        for query, first in (("", 1), ("?after=1", 2)):
            url = str(api.client.make_url(STREAM)) + query
            headers = {**api.authorization, "Last-Event-ID": last}
            async with api.client.session.get(url, headers=headers) as answer:
                assert answer.status == 200
                assert await answer.content.readline() == b"retry: 1000\n"
                assert await answer.content.readline() == b"id: %d\n" % first


async def test_the_line_of_an_event_is_json_of_what_the_feed_has(api: Api) -> None:
    id = (await api.report(name=NAME, description="é\u2028\\u2028"))["id"]
    await api.patch(at(id), {"name": "a\u0085"})
    async with listening(api) as reading:
        told = [event.data for event in await reading.take(2)]
    assert told == (await api.get("/v1/events")).data


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("often")
async def test_a_browser_hears_each_event_once_and_goes_on_where_it_was(serve: Serve) -> None:
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    api = await serve()
    await api.report(name=NAME)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(extra_http_headers=api.authorization)
        page = await context.new_page()
        await page.goto(str(api.client.make_url("/livez")))
        await page.evaluate(
            """stream => {
                window.heard = [];
                const source = new EventSource(stream);
                source.addEventListener("message", event => heard.push(["message", event.data]));
                source.addEventListener("ims.incident.reported", event =>
                    heard.push([event.lastEventId, JSON.parse(event.data).data.state.name]));
            }""",
            STREAM,
        )
        await page.wait_for_function("heard.length == 1")
        for reader in tuple(api.parts.tail._readers):  # the service ends the stream; the browser comes again
            reader.end()
        await api.report(name=NAME)
        await page.wait_for_function("heard.length == 2")
        assert await page.evaluate("heard") == [["1", NAME], ["2", NAME]]
        await browser.close()
