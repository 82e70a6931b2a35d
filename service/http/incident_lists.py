"""Many incidents: all of them, a page, from a cursor on, and how many there are."""

from typing import Any

import orjson
from aiohttp import web

from domain.codes import Codes
from projections.incidents import Page
from projections.listing import COUNTED, SORT_COLUMNS, Filter, Sort
from service.http import cursors
from service.http.answers import success
from service.http.call import Call
from service.http.queries import (
    ATTRIBUTE,
    CODED,
    DEFAULT_SIZE,
    MAX_PAGE,
    MAX_SIZE,
    PERIODS,
    Parameters,
    filter_of,
    sort_of,
)
from service.http.streams import stream

ONCE = (
    "page", "size", "cursor", "backdated", "q", ATTRIBUTE,
    *(f"{prefix}_{end}" for prefix in PERIODS for end in ("from", "to")),
)  # fmt: skip
REPEATABLE = ("sort", *CODED)


async def incidents(call: Call) -> web.StreamResponse:
    parameters = Parameters(call.request, ONCE, REPEATABLE)
    definitions = await call.parts.definitions.ever(call.tenant_id) if call.request.query_string else {}
    wanted, sort = filter_of(parameters, definitions), sort_of(parameters)
    page = parameters.whole("page", 1, 1, MAX_PAGE)
    size = parameters.whole("size", DEFAULT_SIZE, 1, MAX_SIZE)
    if "cursor" in parameters and "page" in parameters:
        parameters.fault("PARAMETER_INVALID", "a cursor does not go with a page", "cursor")
    parameters.done()
    if "cursor" in parameters:
        return await _from_cursor(call, wanted, sort, size, parameters.one("cursor") or "")
    if "page" in parameters or "size" in parameters:
        return await _page(call, wanted, sort, page, size)
    models = await call.read_models()
    return await stream(
        call.request, "incidents", models.incidents.every(call.parts.database, call.tenant_id, wanted, sort)
    )


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


async def _page(call: Call, wanted: Filter, sort: tuple[Sort, ...], number: int, size: int) -> web.Response:
    models = await call.read_models()
    page = await models.incidents.page(
        call.parts.database, call.tenant_id, wanted, sort, size, offset=(number - 1) * size
    )
    return _answer(page, sort, {"number": number, "size": size})


async def _from_cursor(call: Call, wanted: Filter, sort: tuple[Sort, ...], size: int, cursor: str) -> web.Response:
    bound_to = cursors.fingerprint(call.tenant_id, wanted, sort)
    beyond = cursors.decode(cursor, bound_to, [*(SORT_COLUMNS[by.column] for by in sort), str])
    models = await call.read_models()
    page, last = await models.incidents.page_beyond(call.parts.database, call.tenant_id, wanted, sort, size, beyond)
    place: dict[str, Any] = {"size": size}
    if last is not None:
        place["next"] = cursors.encode(bound_to, last)
    return _answer(page, sort, place)


def _answer(page: Page, sort: tuple[Sort, ...], place: dict[str, Any]) -> web.Response:
    data = b'{"incidents":[%b],"total":%d}' % (page.documents, page.total)
    order = [f"{by.column},{by.direction}" for by in sort]
    return success(data, page={**place, "total_records": page.total, "count": page.count, "sort": order})
