"""Attributes: what a tenant's incidents may have, and what one incident has."""

import orjson
from aiohttp import web

from domain.attribute_schema import AttributeSchema
from domain.incident import Incident
from projections.documents import incident_document
from service.definitions import empty_schema, schema_of
from service.http.answers import success
from service.http.call import Call
from service.http.formats import FORMAT_PARAMETERS, accepted, format_of
from service.http.intake import take
from service.http.models import AttributeBody, AttributeEditBody, DefinitionBody, LockBody
from service.http.queries import Parameters
from service.http.row_answers import answer_all
from service.http.tables import DEFINITIONS

PATH = "/v1/incident/attributes"
DEFINITIONS_PARAMETERS = ("retired", *FORMAT_PARAMETERS)


async def definitions(call: Call) -> web.StreamResponse:
    parameters = Parameters(call.request, once=DEFINITIONS_PARAMETERS)
    retired = parameters.flag("retired") or False
    form = format_of(accepted(call.request), parameters)
    parameters.done()
    models = await call.read_models()
    defined = await models.definitions.of(
        call.parts.database, call.tenant_id, call.parts.definitions.defaults, retired=retired
    )
    return await answer_all(call.request, form, DEFINITIONS, defined, defined)


async def define(call: Call) -> web.Response:
    intake = await take(call, DefinitionBody)
    act, body, defaults = intake.act, intake.body, call.parts.definitions.defaults
    done = await call.parts.commands.change(
        act,
        AttributeSchema,
        schema_of(call.tenant_id),
        lambda schema, _: schema.define(act, body["name"], body["type"], defaults),
        lambda: empty_schema(call.tenant_id),
    )
    return call.written(done, orjson.dumps({"name": body["name"], "type": body["type"]}), 201, f"{PATH}/{body['name']}")


async def retire(call: Call) -> web.Response:
    intake = await take(call, LockBody)
    act, name, defaults = intake.act, call.request.match_info["name"], call.parts.definitions.defaults
    done = await call.parts.commands.change(
        act,
        AttributeSchema,
        schema_of(call.tenant_id),
        lambda schema, _: schema.retire(act, name, defaults),
        lambda: empty_schema(call.tenant_id),
    )
    return call.written(done, orjson.dumps({"name": name, "type": done.aggregate.types[name]}))


async def values(call: Call) -> web.Response:
    Parameters(call.request).done()
    _, document = await call.document()
    return success(orjson.dumps(orjson.loads(document)["attributes"] or {}))


async def add(call: Call) -> web.Response:
    return await _set(call, new=True)


async def put(call: Call) -> web.Response:
    return await _set(call, new=False)


async def remove(call: Call) -> web.Response:
    intake = await take(call, LockBody, once={"occ_lock"})
    act, lock, name = intake.act, intake.lock, call.request.match_info["name"]
    done = await call.parts.commands.change(
        act, Incident, call.id(), lambda incident, _: incident.remove_attribute(act, name, lock.occ_lock, lock.match)
    )
    return call.written(done, orjson.dumps(incident_document(done.aggregate)))


async def _set(call: Call, *, new: bool) -> web.Response:
    intake = await take(call, AttributeBody if new else AttributeEditBody)
    act, body, lock = intake.act, intake.body, intake.lock
    done = await call.parts.commands.change(
        act,
        Incident,
        call.id(),
        lambda incident, known: incident.set_attribute(
            act, body["name"], body["value"], lock.occ_lock, known, lock.match, new=new
        ),
    )
    return call.written(done, orjson.dumps(incident_document(done.aggregate)))
