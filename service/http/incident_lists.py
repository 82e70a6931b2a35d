"""Many incidents: all of them, a page, from a cursor on, and how many there are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from domain.codes import Codes
from projections.listing import COUNTED, SORT_COLUMNS, Filter, Sort
from projections.pages import PAGE_BYTES, Page, Pages, fitting
from projections.read_models import VERSION
from service.http import cursors
from service.http.answers import BY_ACCEPT, JSON, success
from service.http.call import Call
from service.http.formats import FORMAT_PARAMETERS, Format, accepted, format_of
from service.http.past import moment_of
from service.http.queries import ATTRIBUTE, CODED, PAGING, PERIODS, Parameters, filter_of, paging, sort_of
from service.http.row_answers import TOTAL, answer_all, answer_page, answer_rows, page_headers
from service.http.streams import stream, stream_page
from service.http.tables import CODES, COUNTS, Table
from service.http.tables import incidents as table_of_incidents
from service.lists import Asked

ONCE = (
    *PAGING, *FORMAT_PARAMETERS, "as_of", "backdated", "q", ATTRIBUTE,
    *(f"{prefix}_{end}" for prefix in PERIODS for end in ("from", "to")),
)  # fmt: skip
REPEATABLE = ("sort", *CODED)

MAX_RETIRED_SHOWN: Final = 50
"""Codes that the deployment has no longer, in one message."""
UNMEASURED = 20
"""Incidents of a page that is read without asking first how large they are."""

Answer = tuple[bytes, Mapping[str, Any]]
"""Data as JSON, and what stands beside it."""


async def incidents(call: Call) -> web.StreamResponse:
    """In memory are pages in JSON alone: for a query that names no format, those that `Accept` prefers in JSON."""
    asked = Asked(call.tenant_id, call.request.rel_url.raw_query_string, call.identity.may_audit)
    accept = accepted(call.request)
    kept = call.parts.lists.get(asked, call.minimum()) if accept == JSON else None
    if kept is not None:
        return success(kept.data, headers=BY_ACCEPT, page=kept.page)
    begun = call.parts.lists.begin()
    answer = await _asked_for(call, accept)
    if not isinstance(answer, tuple):
        return answer
    call.parts.lists.keep(asked, begun, *answer)
    return success(answer[0], headers=BY_ACCEPT, page=answer[1])


async def _asked_for(call: Call, accept: str | None) -> Answer | web.StreamResponse:
    parameters = Parameters(call.request, ONCE, REPEATABLE)
    definitions = await call.parts.definitions.ever(call.tenant_id) if call.request.query_string else {}
    wanted, sort = filter_of(parameters, definitions), sort_of(parameters)
    await _check_codes(call, parameters)
    page, size = paging(parameters)
    at = moment_of(parameters)
    form = format_of(accept, parameters)
    parameters.done()
    if "cursor" in parameters:
        found, place = await _from_cursor(call, wanted, sort, size, parameters.one("cursor") or "", at)
        return await _answer(call, form, found, sort, place)
    pages = await _pages(call, at, 0 if at is None else await call.parts.log.position_at(at))
    if "page" in parameters or "size" in parameters:
        offset = (page - 1) * size
        if size > UNMEASURED:
            sizes = await pages.sizes(call.parts.database, call.tenant_id, wanted, sort, size, offset=offset)
            if sum(sizes) > PAGE_BYTES:
                return await _in_parts(call, form, pages, wanted, sort, sizes, page, size)
        found = await pages.page(call.parts.database, call.tenant_id, wanted, sort, size, offset=offset)
        return await _answer(call, form, found, sort, {"number": page, "size": size})
    chunks = pages.every(call.parts.database, call.tenant_id, wanted, sort)
    if form.media_type == JSON:
        return await stream(call.request, "incidents", chunks)
    return await answer_rows(call.request, form, await _table(call), chunks)


async def _check_codes(call: Call, parameters: Parameters) -> None:
    """A code that never was one finds nothing, which is no answer: most often it is misspelt. One that the deployment
    has no longer may stand in incidents."""
    codes: Codes = call.parts.settings.codes
    faulty = {fault.field for fault in parameters.faults}
    strange = [
        name for name in COUNTED if name not in faulty and not set(codes.allowed(name)).issuperset(parameters.all(name))
    ]
    if not strange:
        return
    models = await call.read_models()
    ever = await models.incidents.codes(call.parts.database, call.tenant_id)
    for name in strange:
        retired = sorted(ever[name].difference(codes.allowed(name)))
        if not {*codes.allowed(name), *retired}.issuperset(parameters.all(name)):
            message = f"{codes.fault(name).message}{_retired(retired)}; for any of several, give it once for each"
            parameters.fault("CODE_UNKNOWN", message, name)


def _retired(codes: list[str]) -> str:
    return f", or of what incidents had before: {', '.join(codes[:MAX_RETIRED_SHOWN])}" if codes else ""


async def counts(call: Call) -> web.StreamResponse:
    form = _form_alone(call)
    models = await call.read_models()
    tally = await models.incidents.tally(call.parts.database, call.tenant_id)
    codes: Codes = call.parts.settings.codes
    data: dict[str, Any] = {"total": sum(n for *_, n in tally)}
    for place, member in enumerate(COUNTED):
        counted = dict.fromkeys(getattr(codes, member), 0)
        for *key, n in tally:
            counted[key[place]] = counted.get(key[place], 0) + n
        data[member] = counted
    rows = [{"table": member, "code": code, "count": n} for member in COUNTED for code, n in data[member].items()]
    return await answer_all(call.request, form, COUNTS, data, rows, {TOTAL: str(data["total"])})


async def codes(call: Call) -> web.StreamResponse:
    form = _form_alone(call)
    data: Mapping[str, list[str]] = call.parts.settings.codes.document()
    rows = [{"table": member, "code": code} for member, codes in data.items() for code in codes]
    return await answer_all(call.request, form, CODES, data, rows)


def _form_alone(call: Call) -> Format:
    """Where there is nothing else to ask for."""
    parameters = Parameters(call.request, FORMAT_PARAMETERS)
    form = format_of(accepted(call.request), parameters)
    parameters.done()
    return form


async def _pages(call: Call, at: datetime | None, position: int) -> Pages:
    """The lists as they are or, at a time, as they stood when the log ended at a position."""
    if at is None:
        return (await call.read_models()).incidents.current
    models = await call.read_models(position)
    return models.incidents.past.as_of(position, at, deleted_since=call.identity.may_audit)


async def _table(call: Call) -> Table:
    """With a column for each attribute that the tenant's incidents may have or have had, as fresh as the list."""
    definitions = (await call.read_models()).definitions
    defaults = call.parts.definitions.defaults
    defined = await definitions.of(call.parts.database, call.tenant_id, defaults, retired=True)
    return table_of_incidents(one["name"] for one in defined)


async def _from_cursor(
    call: Call, wanted: Filter, sort: tuple[Sort, ...], size: int, cursor: str, at: datetime | None
) -> tuple[Page, dict[str, Any]]:
    """A cursor into the past begins with its position: every page is of the same one, whatever was recorded since."""
    then = [] if at is None else [await call.parts.log.position_at(at)]
    bound_to = cursors.fingerprint(call.tenant_id, VERSION, wanted, sort, *([] if at is None else [at]))
    types = [SORT_COLUMNS[by.column] for by in sort]
    keys = cursors.decode(cursor, bound_to, [*(int for _ in then), *types, str])
    if then and keys is not None:
        then = [min(then[0], keys.pop(0))]
    pages = await _pages(call, at, *(then or [0]))
    number = size
    if size > UNMEASURED:
        sizes = await pages.sizes(call.parts.database, call.tenant_id, wanted, sort, size, keys)
        number = size if sum(sizes) <= PAGE_BYTES else fitting(sizes)
    page, last = await pages.page_beyond(call.parts.database, call.tenant_id, wanted, sort, number, keys)
    place: dict[str, Any] = {"size": size}
    if last is not None:
        place["next"] = cursors.encode(bound_to, [*then, *last])
    return page, place


async def _in_parts(
    call: Call,
    form: Format,
    pages: Pages,
    wanted: Filter,
    sort: tuple[Sort, ...],
    sizes: list[int],
    number: int,
    size: int,
) -> web.StreamResponse:
    """A numbered page is exact, however large it is."""
    database, tenant_id, offset = call.parts.database, call.tenant_id, (number - 1) * size
    total = (await pages.page(database, tenant_id, wanted, sort, 0)).total
    place = {"number": number, "size": size}
    chunks = pages.in_parts(database, tenant_id, wanted, sort, sizes, offset)
    if form.media_type != JSON:
        headers = page_headers(call.request, total, place)
        return await answer_rows(call.request, form, await _table(call), chunks, headers)
    return await stream_page(call.request, "incidents", chunks, total, lambda count: _beside(place, total, count, sort))


def _beside(place: Mapping[str, Any], total: int, count: int, sort: tuple[Sort, ...]) -> dict[str, Any]:
    order = [f"{by.column},{by.direction}" for by in sort]
    return {**place, "total_records": total, "count": count, "sort": order}


async def _answer(
    call: Call, form: Format, page: Page, sort: tuple[Sort, ...], place: dict[str, Any]
) -> Answer | web.StreamResponse:
    if form.media_type != JSON:
        return await answer_page(call.request, form, await _table(call), page.each(), page.total, place)
    data = b'{"incidents":[%b],"total":%d}' % (page.documents, page.total)
    return data, _beside(place, page.total, page.count, sort)
