"""Lists of any length in constant memory: chunk by chunk, cut off where it fails, never closed as if whole."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from service.http import answers
from service.http.answers import BY_ACCEPT, HEADERS, NEGOTIATED, PIECE, sent_at, success


async def stream(request: web.Request, member: str, chunks: AsyncIterator[list[bytes]]) -> web.StreamResponse:
    """`{member: [documents], "total": n}` in the envelope. A list of one chunk is answered at once, with its length."""
    nothing: list[bytes] = []
    first = await anext(chunks, nothing)
    second = await anext(chunks, None) if first else None
    if second is None:
        data = b'{"%b":[%b],"total":%d}' % (member.encode(), b",".join(first), len(first))
        return success(data, headers=BY_ACCEPT)
    return await pour(request, {**HEADERS, "Vary": NEGOTIATED}, _enveloped(member, first, second, chunks))


async def stream_page(
    request: web.Request,
    member: str,
    chunks: AsyncIterator[list[bytes]],
    total: int,
    page: Callable[[int], Mapping[str, Any]],
) -> web.StreamResponse:
    """A page that is too large to be in memory. `page` tells what stands beside it, of how many there are in it."""

    async def pieces() -> AsyncIterator[bytes]:
        count, before = 0, b'{"data":{"%b":[' % member.encode()
        async for chunk in chunks:
            yield before + b",".join(chunk)
            count, before = count + len(chunk), b","
        opening = before if not count else b""
        yield opening + b'],"total":%d},"page":%b,"sent_at":%b}' % (total, orjson.dumps(page(count)), sent_at())

    return await pour(request, {**HEADERS, "Vary": NEGOTIATED}, pieces())


async def pour(request: web.Request, headers: Mapping[str, str], pieces: AsyncIterator[bytes]) -> web.StreamResponse:
    """An answer of any length, none of whose pieces is empty."""
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        async for piece in pieces:
            async with asyncio.timeout(answers.WRITE_SECONDS):
                for start in range(0, len(piece), PIECE):
                    await response.write(piece[start : start + PIECE])
        await response.write_eof()
    except BaseException:
        if request.transport is not None:
            request.transport.abort()
        raise
    return response


async def _enveloped(
    member: str, first: list[bytes], second: list[bytes], chunks: AsyncIterator[list[bytes]]
) -> AsyncIterator[bytes]:
    total = len(first) + len(second)
    yield b'{"data":{"%b":[' % member.encode() + b",".join(first)
    yield b"," + b",".join(second)
    async for chunk in chunks:
        total += len(chunk)
        yield b"," + b",".join(chunk)
    yield b'],"total":%d},"sent_at":%b}' % (total, sent_at())
