"""Incidents one by one: report, get, edit, patch, delete, restore."""

from typing import Any
from uuid import uuid4

import orjson
from aiohttp import web

from domain.errors import Absent, Fault, Invalid
from domain.incident import Incident
from domain.rules import DETAILS
from projections.documents import incident_document
from service.commands import Done
from service.http.answers import HEADERS, success
from service.http.bodies import misdirected
from service.http.call import Call
from service.http.models import EditBody, LockBody, PatchBody, ReportBody
from service.http.preconditions import Lock, etag, lock_of, unchanged
from service.http.queries import Parameters
from service.http.statuses import BadRequest

PATH = "/v1/incident"


async def report(call: Call) -> web.Response:
    Parameters(call.request).done()
    sent = await call.body()
    body = call.checked(ReportBody, sent)
    act, id = call.act(sent), uuid4()
    done = await call.parts.commands.create(
        act,
        lambda definitions: Incident.report(
            act, id, _details(body), body["attributes"] or {}, call.parts.settings.codes, definitions
        ),
    )
    return _answer(call, done, 201, f"{PATH}/{done.aggregate.id}")


async def get(call: Call) -> web.Response:
    Parameters(call.request).done()
    models = await call.read_models()
    found = await models.incidents.get(call.parts.database, call.tenant_id, str(call.id()))
    if found is None:
        raise Absent
    version, document = found
    headers = {"ETag": etag(version)}
    if unchanged(call.request, version):
        return web.Response(status=304, headers={**HEADERS, **headers})
    return success(document, headers=headers)


async def edit(call: Call) -> web.Response:
    Parameters(call.request).done()
    sent = await _own_body(call)
    body = call.checked(EditBody, sent)
    lock = lock_of(call.request, body)
    if lock.occ_lock is None and not lock.conditional:
        raise Invalid([Fault("MEMBER_MISSING", "is required, or an If-Match header", "occ_lock")])
    attributes = (body["attributes"] or {}) if "attributes" in sent else None
    act, codes = call.act(sent), call.parts.settings.codes
    done = await call.parts.commands.change(
        act,
        Incident,
        call.id(),
        lambda incident, definitions: incident.edit(
            act, _details(body), attributes, lock.occ_lock, codes, definitions, lock.match
        ),
    )
    return _answer(call, done)


async def patch(call: Call) -> web.Response:
    Parameters(call.request).done()
    sent = await _own_body(call)
    call.checked(PatchBody, sent)
    lock = lock_of(call.request, sent)
    act, codes = call.act(sent), call.parts.settings.codes
    done = await call.parts.commands.change(
        act,
        Incident,
        call.id(),
        lambda incident, definitions: incident.patch(
            act, sent, lock.occ_lock, codes, definitions, lock.match, rebase=not lock.conditional
        ),
    )
    return _answer(call, done)


async def delete(call: Call) -> web.Response:
    lock, sent = await _optional_lock(call)
    act = call.act(sent)
    done = await call.parts.commands.change(
        act, Incident, call.id(), lambda incident, _: incident.delete(act, lock.occ_lock, lock.match)
    )
    return _answer(call, done)


async def restore(call: Call) -> web.Response:
    lock, sent = await _optional_lock(call)
    act = call.act(sent)
    done = await call.parts.commands.change(
        act, Incident, call.id(), lambda incident, _: incident.restore(act, lock.occ_lock, lock.match)
    )
    return _answer(call, done)


async def misplaced(call: Call) -> web.Response:
    """A POST to an incident's own path is no call of the API; old examples send attributes and comments there."""
    await _own_body(call)
    raise BadRequest(
        Fault("METHOD_NOT_ALLOWED", "allowed: GET, HEAD, PUT, PATCH, DELETE"),
        405,
        {"Allow": "GET,HEAD,PUT,PATCH,DELETE"},
    )


async def _own_body(call: Call) -> dict[str, Any]:
    sent = await call.body()
    problem = misdirected(sent, str(call.id()))
    if problem is not None:
        raise problem
    return sent


async def _optional_lock(call: Call) -> tuple[Lock, dict[str, Any]]:
    parameters = Parameters(call.request, once={"occ_lock"})
    parameters.done()
    sent = await _own_body(call)
    return lock_of(call.request, call.checked(LockBody, sent), parameters.one("occ_lock")), sent


def _details(body: dict[str, Any]) -> dict[str, Any]:
    return {member: body[member] for member in DETAILS}


def _answer(call: Call, done: Done[Incident], status: int = 200, location: str | None = None) -> web.Response:
    return call.written(done, orjson.dumps(incident_document(done.aggregate)), status, location)
