"""Lists as CSV or NDJSON: rows alone, so that what else a page says stands in headers."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Final

import orjson
from aiohttp import hdrs, web

from service.http.answers import BY_ACCEPT, COMMON, JSON, NEGOTIATED, Paced, success
from service.http.formats import CSV, Format
from service.http.ndjson import NewlineDelimited
from service.http.queries import MAX_PAGE
from service.http.streams import pour
from service.http.tables import Table
from service.http.tabular import CommaSeparated

TOTAL: Final = "Ims-Total"
"""The header that says how many there are in all, where the answer may be a part of them."""
TURN_BYTES: Final = 2**15
"""Of documents that are made into rows before others have their turn, some 50: a millisecond at most, unless a single
one is larger."""

Lines = CommaSeparated | NewlineDelimited
_NOTHING: Final[Mapping[str, str]] = {}


async def answer_rows(
    request: web.Request,
    form: Format,
    table: Table,
    chunks: AsyncIterator[list[bytes]],
    headers: Mapping[str, str] = _NOTHING,
) -> web.StreamResponse:
    """Documents as JSON, by chunks. A list of one chunk is answered at once, with its length."""
    lines: Lines = CommaSeparated(table, bom=form.bom) if form.media_type == CSV else NewlineDelimited()
    sent = {
        **COMMON,
        hdrs.VARY: NEGOTIATED,
        hdrs.CONTENT_TYPE: form.media_type,
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{_file(request, table)}.{form.extension}"',
        **headers,
    }
    nothing: list[bytes] = []
    first = await anext(chunks, nothing)
    second = await anext(chunks, None) if first else None
    if second is None:
        return Paced(body=b"".join([piece async for piece in _pieces(lines, _once(first))]), headers=sent)
    return await pour(request, sent, _pieces(lines, _joined(first, second, chunks)))


async def answer_all(
    request: web.Request,
    form: Format,
    table: Table,
    data: Any,
    documents: Iterable[Mapping[str, Any]],
    headers: Mapping[str, str] = _NOTHING,
) -> web.StreamResponse:
    """What is short: `data` in JSON's envelope, the `documents` in other formats, `headers` with these."""
    if form.media_type == JSON:
        return success(orjson.dumps(data), headers=BY_ACCEPT)
    return await answer_rows(request, form, table, _once([orjson.dumps(document) for document in documents]), headers)


async def answer_page(
    request: web.Request, form: Format, table: Table, documents: list[bytes], total: int, place: Mapping[str, Any]
) -> web.StreamResponse:
    """`total` match in all. `place` is what JSON says beside the data: the number or, on every page but the last, the
    cursor to go on with."""
    return await answer_rows(request, form, table, _once(documents), page_headers(request, total, place))


def page_headers(request: web.Request, total: int, place: Mapping[str, Any]) -> dict[str, str]:
    headers = {TOTAL: str(total)}
    beyond = _beyond(place, total)
    if beyond:
        # Relative to the address that the client asked, which a proxy may have changed on the way.
        headers[hdrs.LINK] = f'<?{request.rel_url.update_query(beyond).raw_query_string}>; rel="next"'
    return headers


def _beyond(place: Mapping[str, Any], total: int) -> dict[str, str]:
    """The query parameter that leads to the next page, where there is one."""
    if "next" in place:
        return {"cursor": place["next"]}
    number = place.get("number", MAX_PAGE)
    return {"page": str(number + 1)} if number < MAX_PAGE and number * place["size"] < total else {}


def _file(request: web.Request, table: Table) -> str:
    """What is about one incident is named after it."""
    id = request.match_info.get("id")
    return table.name if id is None else f"{table.name}-{id.lower()}"


async def _once(documents: list[bytes]) -> AsyncIterator[list[bytes]]:
    yield documents


async def _joined(
    first: list[bytes], second: list[bytes], more: AsyncIterator[list[bytes]]
) -> AsyncIterator[list[bytes]]:
    yield first
    yield second
    async for documents in more:
        yield documents


async def _pieces(lines: Lines, chunks: AsyncIterator[list[bytes]]) -> AsyncIterator[bytes]:
    if lines.head:
        yield lines.head
    async for documents in chunks:
        for turn in _turns(documents):
            yield lines.lines(turn)
            await asyncio.sleep(0)


def _turns(documents: list[bytes]) -> Iterator[list[bytes]]:
    turn: list[bytes] = []
    size = 0
    for document in documents:
        if turn and size + len(document) > TURN_BYTES:
            yield turn
            turn, size = [], 0
        turn.append(document)
        size += len(document)
    if turn:
        yield turn
