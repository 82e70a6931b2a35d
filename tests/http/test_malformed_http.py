"""What is hardly HTTP, or comes too slowly: refused or cut, never a 500 and never waited for without end."""

import asyncio
from collections import deque
from time import monotonic

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser

from service.http.protocol import HeadParser, TooLong
from tests.http.api import PATH, Api
from tests.http.conftest import Serve

PATIENCE = 5.0
KEEP_ALIVE = 0.3
HEAD = 1_000
"""Bytes of a whole head."""


async def exchange(api: Api, sent: bytes, *, end: bool = False) -> bytes:
    """All that comes back until the connection is closed, or nothing came for a while."""
    reader, writer = await asyncio.open_connection(str(api.client.server.host), api.client.server.port)
    writer.write(sent)
    if end:
        writer.write_eof()
    try:
        return await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def request(line: str = f"GET {PATH} HTTP/1.1", *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([line, "Host: x", "Connection: close", *headers, "", ""]).encode("latin-1") + body


def statuses(received: bytes) -> set[int]:
    """The status of each answer; a connection that was just closed has none."""
    return {int(line.split()[1]) for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.")}


@pytest.fixture
async def authorization(api: Api) -> str:
    return f"Authorization: {api.authorization['Authorization']}"


async def test_a_request_that_is_none_is_refused(serve: Serve) -> None:
    api = await serve(server={"keepalive_timeout": KEEP_ALIVE})
    for sent in (
        b"\r\n\r\n\r\n", b"\0" * 100, b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET / HTTP/1.1\r\nA B: x\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: x\r\n\r\n", b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: a\r\n" % n for n in range(10_000)) + b"\r\n",
        b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", b"GET / HTTP/1.1\r\nX: a\rb\r\n\r\n", b"A" * 100_000,
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gibberish\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ):  # fmt: skip
        received = await exchange(api, sent)
        expected = {400, 404, 405, 414, 431} if sent.strip() else set()
        assert statuses(received) <= expected, (sent[:60], received)
        assert bool(statuses(received)) == bool(expected), sent[:60]
        assert b"Traceback" not in received
    assert (await api.get()).status == 200


async def test_a_strange_target_is_refused_or_absent(api: Api, authorization: str) -> None:
    for target in (
        "*", "http://elsewhere.example/v1/incident", "//v1/incident", "/v1/incident/%", "/v1/incident/%zz", "?", "/",
        "/v1/incident/%00", "/v1/incident/%2e%2e/%2e%2e/etc/passwd", "/../../etc/passwd", "/v1/incident?%", "/%c3%28",
        "/v1/incident?%00=%00", "/v1/incident?" + "&" * 5000, "/v1/incident?" + "a=b&" * 1500, "/v1/incident#x",
        "/v1/incident;x=1", "/v1%2fincident", "/%761/incident", "/v1/incident/" + "%F0%9F%98%80" * 400, "http://",
        "http://[", "http://[::1", "/v1/incident?sort=%ED%A0%80&q=%FF", "/docs/../metrics", "/é", ":", "x",
        "/docs/%2e%2e/%2e%2e/pyproject.toml",
    ):  # fmt: skip
        for method in ("GET", "OPTIONS", "POST"):
            received = await exchange(api, request(f"{method} {target} HTTP/1.1", authorization))
            assert statuses(received) <= {200, 400, 404, 405}, (method, target, received[:200])
            assert b"root:" not in received


async def test_strange_headers_are_refused_or_ignored(api: Api, authorization: str) -> None:
    for name in (
        "Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "Ims-Min-Position",
        "traceparent", "tracestate", "Origin", "Expect", "Content-Encoding", "Accept", "Range", "Upgrade", "Cookie",
    ):  # fmt: skip
        for value in ("", "\xff\xfe", "\x80", ",", '"', "a" * 8000, "\t", "=", "é", "*/*;q=x", "bytes=0-0"):
            for method in ("GET", "POST"):
                body = b"{}" if method == "POST" else b""
                sent = request(
                    f"{method} {PATH} HTTP/1.1", authorization, f"{name}: {value}", f"Content-Length: {len(body)}"
                )
                received = await exchange(api, sent + body)
                assert statuses(received) <= {200, 400, 401, 415}, (method, name, value, received[:200])
                assert statuses(received), (method, name, value)
    assert (await api.get()).status == 200


async def test_a_body_that_breaks_off_is_refused(api: Api, authorization: str) -> None:
    for headers, body in (
        (["Content-Length: 100"], b'{"name"'),
        (["Transfer-Encoding: chunked"], b"5\r\n{"),
        (["Transfer-Encoding: chunked"], b"zz\r\n{}\r\n0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"2\r\n{}XX0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"f" * 100 + b"\r\n{}"),
        (["Transfer-Encoding: chunked", "Content-Encoding: gzip"], b"2\r\n{}\r\n0\r\n\r\n"),
    ):
        received = await exchange(api, request(f"POST {PATH} HTTP/1.1", authorization, *headers, body=body), end=True)
        assert statuses(received) <= {400}, (headers, body, received)
    assert await api.ids() == []


async def test_a_client_that_waits_for_the_word_is_told_to_go_on(api: Api, authorization: str) -> None:
    reader, writer = await asyncio.open_connection(str(api.client.server.host), api.client.server.port)
    headers = (authorization, "Content-Length: 2", "Expect: 100-Continue")
    writer.write(request(f"POST {PATH} HTTP/1.1", *headers))
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert statuses(await asyncio.wait_for(reader.read(), PATIENCE)) == {400}
    writer.close()


async def test_a_second_request_may_follow_the_first_at_once(api: Api, authorization: str) -> None:
    two = f"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET {PATH} HTTP/1.1\r\nHost: x\r\n{authorization}\r\n"
    received = await exchange(api, f"{two}Connection: close\r\n\r\n".encode())
    assert received.count(b"HTTP/1.1 200 OK") == 2


async def test_a_connection_that_never_sends_a_whole_request_is_cut(serve: Serve) -> None:
    api = await serve(server={"keepalive_timeout": KEEP_ALIVE})
    for sent in (b"", b"GET", b"GET /livez HTTP/1.1\r\nHost: x\r\n", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /l"):
        begin = monotonic()
        received = await exchange(api, sent)
        assert KEEP_ALIVE / 2 < monotonic() - begin < PATIENCE / 2, sent
        assert statuses(received) <= {200}


async def test_headers_that_come_drop_by_drop_do_not_keep_a_connection(serve: Serve) -> None:
    api = await serve(server={"keepalive_timeout": KEEP_ALIVE})
    reader, writer = await asyncio.open_connection(str(api.client.server.host), api.client.server.port)

    async def drip() -> None:
        writer.write(b"GET /livez HTTP/1.1\r\n")
        while True:
            writer.write(b"X: a\r\n")
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    try:
        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
    except ConnectionResetError:
        pass
    finally:
        dripping.cancel()
        writer.close()


async def test_the_end_of_a_long_body_is_not_taken_for_a_head_and_an_endless_head_is() -> None:
    loop = asyncio.get_running_loop()
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {10 * HEAD}\r\n\r\n".encode()
    for pieces in ([head, bytes(10 * HEAD)], [head, bytes(5 * HEAD), bytes(5 * HEAD)], [head + bytes(10 * HEAD)]):
        parser = HeadParser(HttpRequestParser(BaseProtocol(loop), loop, 2**20), HEAD)
        for piece in (*pieces, *pieces):  # and a second request after the first
            parser.feed_data(piece)
        with pytest.raises(TooLong):
            deque(map(parser.feed_data, (b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"A: b\r\n"] * HEAD)), maxlen=0)
