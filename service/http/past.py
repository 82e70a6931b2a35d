"""What was: an incident as it stood, every change that it went through, and what differs between two versions."""

import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from aiohttp import web

from domain.errors import Absent
from domain.incident import Incident
from domain.moments import recordable
from domain.rules import MAX_OCC_LOCK
from projections.changes import differences
from projections.past import Found
from service.http import cursors
from service.http.answers import BY_ACCEPT, JSON, success
from service.http.call import Call
from service.http.formats import FORMAT_PARAMETERS, Format, accepted, format_of
from service.http.queries import PAGING, Parameters, paging
from service.http.row_answers import answer_page, answer_rows, page_headers
from service.http.streams import stream, stream_page
from service.http.tables import HISTORY
from service.store.history import change_of
from service.store.log import READ_BYTES, Excerpt, excerpt_of, is_full

OF_THE_PAST: Final = ("version", "as_of")
BETWEEN: Final = ("from", "to")
HISTORY_PARAMETERS: Final = (*PAGING, *FORMAT_PARAMETERS)
CHUNK: Final = 500
"""Changes read at once when all are streamed."""
UNMEASURED: Final = 10
"""Changes of a page that is read without a bound to its bytes."""


async def one_of_the_past(call: Call) -> tuple[int, bytes]:
    """The version that the query names, or the one that held at a time; raises Absent where there was none.

    What is deleted by now is shown to auditors alone, and what was deleted then, to nobody: it was not there.
    """
    parameters = Parameters(call.request, OF_THE_PAST)
    version = parameters.whole("version", 0, 0, MAX_OCC_LOCK)
    at = moment_of(parameters)
    if "version" in parameters and "as_of" in parameters:
        parameters.fault("PARAMETER_INVALID", "a version does not go with a time", "as_of")
    parameters.done()
    if at is not None:
        found = await _at(call, at)
    elif "version" in parameters:
        found = (await _versions(call, version)).get(version)
    else:  # a query of nothing, such as `?&`
        return await call.document()
    if found is None:
        raise Absent
    return found.occ_lock, found.document


async def diff(call: Call) -> web.Response:
    parameters = Parameters(call.request, BETWEEN)
    first, last = (parameters.whole(name, None, 0, MAX_OCC_LOCK) for name in BETWEEN)
    parameters.done()
    found = await _versions(call, first, last)
    if first not in found or last not in found:
        raise Absent
    before, after = found[first], found[last]
    changes = differences(orjson.loads(before.document), orjson.loads(after.document))
    if before.deleted != after.deleted:
        changes["deleted"] = {"from": before.deleted, "to": after.deleted}
    return success(orjson.dumps({"from": first, "to": last, "changes": changes}))


async def history(call: Call) -> web.StreamResponse:
    """From the log itself, which also has the changes that left nothing behind."""
    parameters = Parameters(call.request, HISTORY_PARAMETERS)
    number, size = paging(parameters)
    form = format_of(accepted(call.request), parameters)
    parameters.done()
    await _is_shown(call)
    if "cursor" in parameters:
        return await _from_cursor(call, form, size, parameters.one("cursor") or "")
    if "page" in parameters or "size" in parameters:
        if size > UNMEASURED:
            return await _numbered(call, form, number, size)
        rows, total = await call.parts.histories.page(call.id(), 0, size, (number - 1) * size)
        return await _page(call, form, rows, total, {"number": number, "size": size})
    if form.media_type == JSON:
        return await stream(call.request, "history", _every(call))
    return await answer_rows(call.request, form, HISTORY, _every(call))


def moment_of(parameters: Parameters) -> datetime | None:
    """The time that `as_of` names. It is inclusive, and what the log records has no more than six digits."""
    instant = parameters.moment("as_of")
    return None if instant is None else recordable(instant)


async def _at(call: Call, at: datetime) -> Found | None:
    position = await call.parts.log.position_at(at)
    models = await call.read_models(position)
    found = await models.incidents.past.at(call.parts.database, call.tenant_id, str(call.id()), position)
    if found is None or found.deleted:
        return None
    _shown(call, found.deleted_now)
    return found


async def _versions(call: Call, *wanted: int) -> dict[int, Found]:
    models = await call.read_models()
    found = await models.incidents.past.versions(call.parts.database, call.tenant_id, str(call.id()), wanted)
    for one in found.values():
        _shown(call, one.deleted_now)
    return found


async def _erased(call: Call) -> bool:
    """Whether it was an incident of this tenant, though there is nothing of it any more."""
    log, id = call.parts.log, call.id()
    if await log.tenant_of(id) != call.tenant_id:
        return False
    first = await log.of_subject(id, 0, 1)
    return bool(first) and first[0].topic == Incident.IncidentReported.TOPIC


def _shown(call: Call, deleted: bool) -> None:
    """Raises Absent where it is deleted and this user may not see what it was."""
    if deleted and not call.identity.may_audit:
        raise Absent


async def _is_shown(call: Call) -> None:
    """Raises Absent like `_shown`. Of an incident that is not deleted this process may know by heart."""
    if not call.identity.may_audit:
        await call.document()
        return
    models = await call.read_models()
    known = await models.incidents.known(call.parts.database, call.tenant_id, str(call.id()))
    if not known and not await _erased(call):
        raise Absent


async def _from_cursor(call: Call, form: Format, size: int, cursor: str) -> web.StreamResponse:
    id = call.id()
    bound_to = cursors.fingerprint(call.tenant_id, "history", str(id))
    keys = cursors.decode(cursor, bound_to, [int])
    after, fit = keys[0] if keys else 0, size
    if size <= UNMEASURED:
        rows, total = await call.parts.histories.page(id, after, size + 1, 0)
    else:
        _, total = await call.parts.histories.page(id, after, 0, 0)
        found = await call.parts.log.of_subject(id, after, size + 1, READ_BYTES)
        rows = [excerpt_of(row) for row in found]
        if len(found) <= size and is_full(found, size + 1):  # there may be more, beyond so many bytes
            fit = len(found)
            found += await call.parts.log.of_subject(id, found[-1].position, 1)
            rows = [excerpt_of(row) for row in found]
    place: dict[str, Any] = {"size": size}
    if len(rows) > fit:
        place["next"] = cursors.encode(bound_to, [rows[fit - 1].position])
    return await _page(call, form, rows[:fit], total, place)


async def _numbered(call: Call, form: Format, number: int, size: int) -> web.StreamResponse:
    """A numbered page is exact, however large it is: in one piece where it is not too large."""
    id, place = call.id(), {"number": number, "size": size}
    first, total = await call.parts.histories.page(id, 0, 1, (number - 1) * size)
    if not first:
        return await _page(call, form, [], total, place)
    after = first[0].position - 1
    found = await call.parts.log.of_subject(id, after, size, READ_BYTES)
    if len(found) == size or not is_full(found, size):
        return await _page(call, form, [excerpt_of(row) for row in found], total, place)
    chunks = _every(call, after, size)
    if form.media_type != JSON:
        return await answer_rows(call.request, form, HISTORY, chunks, page_headers(call.request, total, place))
    return await stream_page(call.request, "history", chunks, total, lambda count: _beside(place, total, count))


def _beside(place: dict[str, Any], total: int, count: int) -> dict[str, Any]:
    return {**place, "total_records": total, "count": count, "sort": ["position,asc"]}


async def _page(
    call: Call, form: Format, rows: Sequence[Excerpt], total: int, place: dict[str, Any]
) -> web.StreamResponse:
    changes = [change_of(row) for row in rows]
    if form.media_type != JSON:
        documents = [orjson.dumps(change) for change in changes]
        return await answer_page(call.request, form, HISTORY, documents, total, place)
    page = _beside(place, total, len(rows))
    return success(orjson.dumps({"history": changes, "total": total}), headers=BY_ACCEPT, page=page)


async def _every(call: Call, after: int = 0, left: int = sys.maxsize) -> AsyncIterator[list[bytes]]:
    log, id = call.parts.log, call.id()
    while rows := await log.of_subject(id, after, min(CHUNK, left), READ_BYTES):
        yield [orjson.dumps(change_of(excerpt_of(row))) for row in rows]
        after, left = rows[-1].position, left - len(rows)
