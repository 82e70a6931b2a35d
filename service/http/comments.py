"""Comments on an incident: add, list, edit, remove."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final
from uuid import UUID

import orjson
from aiohttp import web

from domain.comment import Comment
from domain.errors import Absent, Fault, Invalid
from domain.event import Act
from projections.comments import Comments
from projections.documents import comment_document
from service.commands import Done
from service.http import cursors
from service.http.answers import BY_ACCEPT, JSON, success
from service.http.call import Call
from service.http.formats import FORMAT_PARAMETERS, Format, accepted, format_of
from service.http.intake import Intake, take
from service.http.models import CommentBody, CommentEditBody, CommentRemovalBody
from service.http.queries import PAGING, Parameters, paging
from service.http.row_answers import answer_page, answer_rows
from service.http.streams import stream
from service.http.tables import COMMENTS
from service.randomness import random_id

LIST_PARAMETERS: Final = (*PAGING, *FORMAT_PARAMETERS)
CHUNK: Final = 500
"""Comments read at once when all are streamed."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


async def add(call: Call) -> web.Response:
    intake = await take(call, CommentBody)
    act, id, incident_id = intake.act, random_id(), call.id()

    async def decide() -> Done[Comment]:
        return await call.parts.commands.create(act, lambda _: Comment.add(act, id, incident_id, intake.body["text"]))

    done = await _on_incident(call, act, decide)
    return _answer(call, done, 201, f"/v1/incident/{incident_id}/comments/{done.aggregate.id}")


async def comments(call: Call) -> web.StreamResponse:
    parameters = Parameters(call.request, once=LIST_PARAMETERS)
    number, size = paging(parameters)
    form = format_of(accepted(call.request), parameters)
    parameters.done()
    id = str(call.id())
    if "cursor" in parameters:
        return await _from_cursor(call, form, id, size, parameters.one("cursor") or "")
    models = await call.read_models()
    if "page" in parameters or "size" in parameters:
        found = await models.comments.page(call.parts.database, call.tenant_id, id, size, offset=(number - 1) * size)
        return await _page(call, form, found, {"number": number, "size": size})
    first = await models.comments.page(call.parts.database, call.tenant_id, id, CHUNK)
    if first is None:
        raise Absent
    chunks = _every(call, models.comments, id, first[1])
    if form.media_type == JSON:
        return await stream(call.request, "comments", chunks)
    return await answer_rows(call.request, form, COMMENTS, chunks)


async def edit(call: Call) -> web.Response:
    intake = await take(call, CommentEditBody, locked=True)
    text, lock, moderator = intake.body["text"], intake.lock, call.identity.may_define
    return await _change(
        call,
        call.id("comment_id"),
        intake.act,
        lambda comment: comment.edit(intake.act, text, lock.occ_lock, lock.match, moderator=moderator),
    )


async def remove(call: Call) -> web.Response:
    intake = await take(call, CommentRemovalBody, once={"occ_lock"})
    return await _remove(call, call.id("comment_id"), intake)


async def remove_named(call: Call) -> web.Response:
    """The seed's form: the comment's id in the body or the query."""
    intake = await take(call, CommentRemovalBody, once={"id", "occ_lock"})
    given = [id for id in (intake.body["id"], intake.query.one("id")) if id is not None]
    named = {id.lower() if isinstance(id, str) and _UUID.fullmatch(id) else "" for id in given}
    if len(named) != 1 or "" in named:
        raise Invalid([Fault("MEMBER_MISSING", 'name one comment: {"id": …} in the body, or ?id=', "id")])
    return await _remove(call, UUID(named.pop()), intake)


async def _remove(call: Call, id: UUID, intake: Intake) -> web.Response:
    lock, moderator = intake.lock, call.identity.may_define
    return await _change(
        call,
        id,
        intake.act,
        lambda comment: comment.remove(intake.act, lock.occ_lock, lock.match, moderator=moderator),
    )


async def _change(call: Call, id: UUID, act: Act, decide: Callable[[Comment], None]) -> web.Response:
    incident_id = call.id()

    def decided(comment: Comment, _: object) -> None:
        _belongs(comment, incident_id)
        decide(comment)

    return _answer(call, await _on_incident(call, act, lambda: call.parts.commands.change(act, Comment, id, decided)))


async def _on_incident(call: Call, act: Act, decide: Callable[[], Awaitable[Done[Comment]]]) -> Done[Comment]:
    """The incident must be there; but what was done before is answered as it was then. Raises Absent."""
    before: Done[Comment] | None = await call.parts.commands.repeated(act)
    if before is not None:
        return before
    await call.parts.commands.incident(call.tenant_id, call.id())
    return await decide()


def _belongs(comment: Comment, incident_id: UUID) -> None:
    if comment.incident_id != incident_id:
        raise Absent


async def _every(call: Call, model: Comments, id: str, first: list[tuple[bytes, int]]) -> AsyncIterator[list[bytes]]:
    rows = first
    while rows:
        yield [document for document, _ in rows]
        if len(rows) < CHUNK:
            return
        found = await model.page(call.parts.database, call.tenant_id, id, CHUNK, after=rows[-1][1])
        if found is None:
            raise Absent  # deleted meanwhile: what was sent so far is not all
        rows = found[1]


async def _from_cursor(call: Call, form: Format, id: str, size: int, cursor: str) -> web.StreamResponse:
    bound_to = cursors.fingerprint(call.tenant_id, id)
    keys = cursors.decode(cursor, bound_to, [int])
    models = await call.read_models()
    found = await models.comments.page(
        call.parts.database, call.tenant_id, id, size + 1, after=keys[0] if keys else None
    )
    place: dict[str, Any] = {"size": size}
    if found is not None and len(found[1]) > size:
        place["next"] = cursors.encode(bound_to, [found[1][size - 1][1]])
        found = found[0], found[1][:size]
    return await _page(call, form, found, place)


async def _page(
    call: Call, form: Format, found: tuple[int, list[tuple[bytes, int]]] | None, place: dict[str, Any]
) -> web.StreamResponse:
    if found is None:
        raise Absent
    total, documents = found[0], [document for document, _ in found[1]]
    if form.media_type != JSON:
        return await answer_page(call.request, form, COMMENTS, documents, total, place)
    data = b'{"comments":[%b],"total":%d}' % (b",".join(documents), total)
    page = {**place, "total_records": total, "count": len(documents), "sort": ["created_at,asc"]}
    return success(data, headers=BY_ACCEPT, page=page)


def _answer(call: Call, done: Done[Comment], status: int = 200, location: str | None = None) -> web.Response:
    return call.written(done, orjson.dumps(comment_document(done.aggregate)), status, location)
