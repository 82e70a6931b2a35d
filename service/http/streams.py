"""Lists of any length in constant memory: chunk by chunk, cut off where it fails, never closed as if whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from service.http.answers import HEADERS, sent_at, success

WRITE_SECONDS: Final = 30.0
"""How long a client may take to read one chunk."""


async def stream(request: web.Request, member: str, chunks: AsyncIterator[list[bytes]]) -> web.StreamResponse:
    """`{member: [documents], "total": n}` in the envelope. A list of one chunk is answered at once, with its length."""
    nothing: list[bytes] = []
    first = await anext(chunks, nothing)
    second = await anext(chunks, None) if first else None
    if second is None:
        return success(b'{"%b":[%b],"total":%d}' % (member.encode(), b",".join(first), len(first)))
    response = web.StreamResponse(headers=HEADERS)
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        total = len(first) + len(second)
        await _write(response, b'{"data":{"%b":[' % member.encode() + b",".join(first))
        await _write(response, b"," + b",".join(second))
        async for chunk in chunks:
            total += len(chunk)
            await _write(response, b"," + b",".join(chunk))
        await _write(response, b'],"total":%d},"sent_at":%b}' % (total, sent_at()))
        await response.write_eof()
    except BaseException:
        if request.transport is not None:
            request.transport.abort()
        raise
    return response


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(data)
