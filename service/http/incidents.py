"""Incidents one by one: report, get, edit, patch, delete, restore."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

import orjson
from aiohttp import web

from domain.attribute_values import faults_of_attributes
from domain.errors import Absent, Fault
from domain.event import Act, Match
from domain.incident import Incident
from domain.rules import DEFAULTS, DETAILS, faults_of_details
from projections.documents import incident_document
from service.commands import Done
from service.http.answers import Rendered, success
from service.http.bodies import misdirected
from service.http.call import INCIDENTS, Call
from service.http.intake import take
from service.http.models import MAX_ATTRIBUTES, EditBody, LockBody, PatchBody, ReportBody, RevertBody
from service.http.past import one_of_the_past
from service.http.preconditions import Known, etag
from service.http.statuses import BadRequest
from service.randomness import random_id


async def report(call: Call) -> web.Response:
    intake = await take(call, ReportBody, further=lambda sent: _further(call, sent, None))
    act, body, id = intake.act, intake.body, random_id()
    done = await call.parts.commands.create(
        act,
        lambda definitions: Incident.report(
            act, id, body, body["attributes"] or {}, call.parts.settings.codes, definitions
        ),
    )
    return _answer(call, done, 201, located=True)


async def get(call: Call) -> web.Response:
    known = Known(call.request)
    version, document = await (one_of_the_past(call) if call.request.query_string else call.document())
    headers = {"ETag": etag(version)}
    if version in known:
        return Rendered(304, None, headers)
    return success(document, headers=headers)


async def edit(call: Call) -> web.Response:
    intake = await take(call, EditBody, locked=True, own=True, further=lambda sent: _further(call, sent, call.id()))
    act, body, lock, codes = intake.act, intake.body, intake.lock, call.parts.settings.codes
    attributes = (body["attributes"] or {}) if "attributes" in intake.sent else None
    done = await call.parts.commands.change(
        act,
        Incident,
        call.id(),
        lambda incident, definitions: incident.edit(
            act, body, attributes, lock.occ_lock, codes, definitions, lock.match
        ),
    )
    return _answer(call, done)


async def patch(call: Call) -> web.Response:
    intake = await take(call, PatchBody, own=True, further=lambda sent: _further(call, sent, call.id()))
    act, sent, lock, codes = intake.act, intake.sent, intake.lock, call.parts.settings.codes
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
    return await _with_a_lock_alone(call, Incident.delete)


async def restore(call: Call) -> web.Response:
    return await _with_a_lock_alone(call, Incident.restore)


async def _with_a_lock_alone(call: Call, command: Callable[[Incident, Act, int | None, Match], None]) -> web.Response:
    intake = await take(call, LockBody, once={"occ_lock"}, own=True)
    act, lock = intake.act, intake.lock
    done = await call.parts.commands.change(
        act, Incident, call.id(), lambda incident, _: command(incident, act, lock.occ_lock, lock.match)
    )
    return _answer(call, done)


async def revert(call: Call) -> web.Response:
    """A new event that brings the content of an earlier version back."""
    intake = await take(call, RevertBody, locked=True)
    act, version, lock, commands = intake.act, intake.body["version"], intake.lock, call.parts.commands
    done = await commands.repeated(act)  # whose content may have been erased since
    if done is None:
        past = await commands.version(call.tenant_id, call.id(), version)
        done = await commands.change(
            act,
            Incident,
            call.id(),
            lambda incident, _: incident.revert(act, version, past, lock.occ_lock, lock.match),
        )
    return _answer(call, done)


async def misplaced(call: Call) -> web.Response:
    """Any other method. A POST here is no call of the API either, but old examples send attributes and comments so."""
    problem = misdirected(await call.body(nullable=True), call.incident())
    raise problem or BadRequest(
        Fault("METHOD_NOT_ALLOWED", "allowed: GET, HEAD, PUT, PATCH, DELETE"),
        405,
        {"Allow": "DELETE,GET,HEAD,PATCH,PUT"},
    )


async def _further(call: Call, sent: Mapping[str, Any], id: UUID | None) -> list[Fault]:
    """What the tables of codes and attributes have against the members that were sent; what is stored passes."""
    details: Mapping[str, Any] = {}
    values: Mapping[str, Any] = {}
    if id is not None:
        with suppress(Absent):
            incident = await call.parts.commands.incident(call.tenant_id, id)
            details, values = incident.details, incident.attributes
    members = {
        member: value
        for member, value in sent.items()
        if member in DETAILS and (value is not None or member not in DEFAULTS)
    }
    faults = faults_of_details(members, details, call.parts.settings.codes)
    attributes = sent.get("attributes")
    if isinstance(attributes, dict) and len(attributes) <= MAX_ATTRIBUTES:
        if call.request.method == "PATCH":  # which takes a value away with null
            attributes = {name: value for name, value in attributes.items() if value is not None}
        definitions = await call.parts.definitions.of(call.tenant_id, fresh=True)
        faults += faults_of_attributes(attributes, values, definitions)
    return faults


def _answer(call: Call, done: Done[Incident], status: int = 200, *, located: bool = False) -> web.Response:
    document = incident_document(done.aggregate)
    return call.written(done, orjson.dumps(document), status, f"{INCIDENTS}/{document['id']}" if located else None)
