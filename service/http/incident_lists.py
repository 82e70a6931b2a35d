"""Many incidents: all of them, a page, from a cursor on, and how many there are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from aiohttp import web

from domain.codes import Codes
from projections.listing import COUNTED, SORT_COLUMNS, Filter, Sort
from projections.pages import Page, Pages
from service.http import cursors
from service.http.answers import success
from service.http.call import Call
from service.http.past import moment_of
from service.http.queries import ATTRIBUTE, CODED, PAGING, PERIODS, Parameters, filter_of, paging, sort_of
from service.http.streams import stream
from service.lists import Asked

ONCE = (
    *PAGING, "as_of", "backdated", "q", ATTRIBUTE,
    *(f"{prefix}_{end}" for prefix in PERIODS for end in ("from", "to")),
)  # fmt: skip
REPEATABLE = ("sort", *CODED)

Answer = tuple[bytes, Mapping[str, Any]]
"""Data as JSON, and what stands beside it."""


async def incidents(call: Call) -> web.StreamResponse:
    asked = Asked(call.tenant_id, call.request.rel_url.raw_query_string, call.identity.may_audit)
    kept = call.parts.lists.get(asked, call.minimum())
    if kept is not None:
        return success(kept.data, page=kept.page)
    begun = call.parts.lists.begin()
    answer = await _asked_for(call)
    if not isinstance(answer, tuple):
        return answer
    call.parts.lists.keep(asked, begun, *answer)
    return success(answer[0], page=answer[1])


async def _asked_for(call: Call) -> Answer | web.StreamResponse:
    parameters = Parameters(call.request, ONCE, REPEATABLE)
    definitions = await call.parts.definitions.ever(call.tenant_id) if call.request.query_string else {}
    wanted, sort = filter_of(parameters, definitions), sort_of(parameters)
    page, size = paging(parameters)
    at = moment_of(parameters)
    parameters.done()
    if "cursor" in parameters:
        return await _from_cursor(call, wanted, sort, size, parameters.one("cursor") or "", at)
    pages = await _pages(call, at, 0 if at is None else await call.parts.log.position_at(at))
    if "page" in parameters or "size" in parameters:
        return await _page(call, pages, wanted, sort, page, size)
    return await stream(call.request, "incidents", pages.every(call.parts.database, call.tenant_id, wanted, sort))


async def counts(call: Call) -> web.Response:
    Parameters(call.request).done()
    models = await call.read_models()
    tally = await models.incidents.tally(call.parts.database, call.tenant_id)
    codes: Codes = call.parts.settings.codes
    data: dict[str, Any] = {"total": sum(n for *_, n in tally)}
    for place, member in enumerate(COUNTED):
        counted = dict.fromkeys(getattr(codes, member), 0)
        for *key, n in tally:
            counted[key[place]] = counted.get(key[place], 0) + n
        data[member] = counted
    return success(orjson.dumps(data))


async def codes(call: Call) -> web.Response:
    Parameters(call.request).done()
    return success(orjson.dumps(call.parts.settings.codes.document()))


async def _pages(call: Call, at: datetime | None, position: int) -> Pages:
    """The lists as they are or, at a time, as they stood when the log ended at a position."""
    if at is None:
        return (await call.read_models()).incidents.current
    models = await call.read_models(position)
    return models.incidents.past.as_of(position, at, deleted_since=call.identity.may_audit)


async def _page(call: Call, pages: Pages, wanted: Filter, sort: tuple[Sort, ...], number: int, size: int) -> Answer:
    page = await pages.page(call.parts.database, call.tenant_id, wanted, sort, size, offset=(number - 1) * size)
    return _answer(page, sort, {"number": number, "size": size})


async def _from_cursor(
    call: Call, wanted: Filter, sort: tuple[Sort, ...], size: int, cursor: str, at: datetime | None
) -> Answer:
    """A cursor into the past begins with its position: every page is of the same one, whatever was recorded since."""
    then = [] if at is None else [await call.parts.log.position_at(at)]
    bound_to = cursors.fingerprint(call.tenant_id, wanted, sort, *([] if at is None else [at]))
    types = [SORT_COLUMNS[by.column] for by in sort]
    keys = cursors.decode(cursor, bound_to, [*(int for _ in then), *types, str])
    if then and keys is not None:
        then = [min(then[0], keys.pop(0))]
    pages = await _pages(call, at, *(then or [0]))
    page, last = await pages.page_beyond(call.parts.database, call.tenant_id, wanted, sort, size, keys)
    place: dict[str, Any] = {"size": size}
    if last is not None:
        place["next"] = cursors.encode(bound_to, [*then, *last])
    return _answer(page, sort, place)


def _answer(page: Page, sort: tuple[Sort, ...], place: dict[str, Any]) -> Answer:
    data = b'{"incidents":[%b],"total":%d}' % (page.documents, page.total)
    order = [f"{by.column},{by.direction}" for by in sort]
    return data, {**place, "total_records": page.total, "count": page.count, "sort": order}
