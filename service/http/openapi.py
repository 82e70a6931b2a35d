"""The OpenAPI 3.1 document, made of what serves the requests: routes, models of bodies, limits of queries, errors."""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.http import answer_models, erasure_models, event_models, models
from service.http.audit import KEY_PATH
from service.http.events import BATCH
from service.http.formats import OFFERED
from service.http.parameters import event_parameter, header_parameter, path_parameter, query_parameter, size_parameter
from service.http.routes import CONSISTENCY_PATH, EVENT_PATHS, ROUTES, Route
from service.http.statuses import CODES
from service.http.unexpressed import unexpressed
from service.settings import Settings

_SCHEMAS: Final = "#/components/schemas/"
_JSON: Final = "application/json"
_ALWAYS: Final = (400, 401, 403, 414, 429, 431, 500, 503)
_WITH_BODY: Final = (408, 413, 415)
_STATUS_WORDS: Final = {
    400: "Not valid", 401: "Not signed in", 403: "Not allowed", 404: "Not there", 405: "Not a method of this path",
    406: "Not in this format", 408: "Too slow", 409: "At odds with what is there", 412: "Another version",
    413: "Too large", 414: "Too long an address", 415: "Not JSON", 422: "Another request under this key",
    429: "Too many requests", 431: "Too large a header", 500: "A fault of the service",
    503: "Something that the service needs is away",
}  # fmt: skip
_HEADERS: Final = {
    "ETag": ("The version, as If-Match takes it.", '^"[0-9]+"$'),
    "Ims-Position": ("The event's place in the log; absent where nothing had to change.", "^[0-9]+$"),
    "Location": ("Where it is.", "^/"),
    "Content-Disposition": ("A name for the file; absent with JSON.", "^attachment; "),
    "Ims-Total": ("How many there are in all; absent with JSON, which says so itself.", "^[0-9]+$"),
    "Link": ("The next page, or where the feed goes on; not with JSON.", '^<.*>; rel="next"$'),
    "Ims-More": ("Whether the feed may have more right now; absent with JSON.", "^(true|false)$"),
    "Retry-After": ("Seconds.", "^[0-9]+$"),
    "WWW-Authenticate": ("How to sign in.", "^Bearer"),
}
_DESCRIPTION: Final = """Incidents, their attributes and the comments on them, each tenant's own.

HEAD is served wherever GET is. Every change carries an `occ_lock`, which is the version: 0 after the first event.
`x-ims-rule` says what this document cannot express: with which codes a request that fits it may be refused."""


def status_of(code: str) -> int:
    return int(CODES[code].partition(":")[0])


class Document:
    """Made for the settings of a deployment, whose codes and attributes it names."""

    def __init__(self, settings: Settings) -> None:
        self._base = settings.base_path or "/"
        self._codes = settings.codes.document()
        self._definitions = {name: str(kind) for name, kind in settings.attributes.items()}

    @cached_property
    def value(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = defaultdict(dict)
        for route in ROUTES:
            if route.listed:
                paths[route.path][route.method.lower()] = self._operation(route)
        return {
            "openapi": "3.1.0",
            "info": {"title": "IMS", "version": "1", "description": _DESCRIPTION, "license": {"name": "MIT"}},
            "servers": [{"url": self._base}],
            "security": [{"bearer": []}],
            "paths": {**paths, **_open_paths()},
            "components": {
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
                "schemas": self._schemas(),
                "headers": {
                    name: {"description": text, "schema": {"type": "string", "pattern": pattern}}
                    for name, (text, pattern) in _HEADERS.items()
                },
                "responses": {str(status): _failure(status) for status in _STATUS_WORDS},
            },
        }

    def _schemas(self) -> dict[str, Any]:
        bodies: set[type[BaseModel]] = {route.body for route in ROUTES if route.body is not None}
        answers: set[type[BaseModel]] = {
            *answer_models.ANSWERS,
            erasure_models.ErasureAnswer,
            event_models.EventsAnswer,
        }
        described = sorted(bodies | answers, key=lambda model: model.__name__)
        _, definitions = models_json_schema(
            [(model, "validation") for model in described],
            ref_template=_SCHEMAS + "{model}",
            schema_generator=event_models.Plain,
        )
        schemas: dict[str, Any] = definitions["$defs"]
        for body in bodies:
            members = schemas[body.__name__]["properties"]
            for member, codes in self._codes.items():
                if member in members and body.__name__ != "DefinitionBody":
                    _narrow(members[member], codes)
        schemas["Error"]["properties"]["code"]["enum"] = sorted(CODES)
        return schemas

    def _operation(self, route: Route) -> dict[str, Any]:
        parameters = [path_parameter(name) for name in re.findall(r"{(\w+)}", route.path)]
        for name in route.query:
            parameters += self._query(route.path, name)
        parameters += [header_parameter(name) for name in route.headers]
        module = route.handler.__module__.rpartition(".")[2]
        operation: dict[str, Any] = {
            "operationId": f"{module}_{route.handler.__name__}",
            "summary": route.summary,
            "tags": [module.replace("incident_lists", "incidents")],
            "parameters": parameters,
            "responses": _responses(route),
        }
        if route.body is not None:
            required = any(field.is_required() for field in route.body.model_fields.values())
            nullable = issubclass(route.body, models.Lenient)
            operation["requestBody"] = {"required": required, "content": _content(route.body, nullable=nullable)}
        rules = [rule.document() for rule in unexpressed(route)]
        return operation | {"x-ims-rule": rules} if rules else operation

    def _query(self, path: str, name: str) -> list[dict[str, Any]]:
        if path in EVENT_PATHS:
            return event_parameter(name)
        return size_parameter(name) if path == CONSISTENCY_PATH else query_parameter(name, self._definitions)


def _narrow(member: dict[str, Any], codes: list[str]) -> None:
    """To the codes of the deployment, and null where that is allowed."""
    nullable = "anyOf" in member
    member.pop("anyOf", None)
    member |= {"type": ["string", "null"], "enum": [*codes, None]} if nullable else {"type": "string", "enum": codes}


def _responses(route: Route) -> dict[str, Any]:
    headers = (
        ["ETag", "Ims-Position"] if route.method != "GET" else ["ETag"] if "If-None-Match" in route.headers else []
    )
    if route.status == 201:
        headers.append("Location")
    if "format" in route.query:
        headers += ["Content-Disposition", "Ims-Total"]
    if "page" in route.query:
        headers.append("Link")
    if route.path == EVENT_PATHS[0]:
        headers += ["Link", "Ims-More"]
    success = {"description": "Done", "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers}}
    statuses = {*_ALWAYS}
    if "{" in route.path:
        statuses.add(404)
    if "format" in route.query:
        statuses.add(406)
    if route.method != "GET":
        statuses |= {409, 422, *_WITH_BODY}
    if route.locked:
        statuses.add(412)
    content = _EVENTS[route.path] if route.answer is None else _content(route.answer)
    if "format" in route.query:
        content |= {media_type.partition(";")[0]: {"schema": {"type": "string"}} for media_type in OFFERED[1:]}
    responses: dict[str, Any] = {str(route.status): success | {"content": content}}
    if "If-None-Match" in route.headers:
        responses["304"] = {"description": "As the client has it", "headers": success["headers"]}
    return responses | {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _failure(status: int) -> dict[str, Any]:
    codes = [code for code in CODES if status_of(code) == status]
    only = {"properties": {"errors": {"items": {"properties": {"code": {"enum": codes}}}}}}
    names = {401: ["WWW-Authenticate"], 403: ["WWW-Authenticate"], 429: ["Retry-After"], 503: ["Retry-After"]}.get(
        status, []
    )
    lines = [f"- `{code}`: {CODES[code].partition(': ')[2]}" for code in codes]
    return {
        "description": "\n".join([_STATUS_WORDS[status], "", *lines]),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {_JSON: {"schema": {"allOf": [{"$ref": f"{_SCHEMAS}Failure"}, only]}}},
    }


def _content(model: type[BaseModel], *, nullable: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": _SCHEMAS + model.__name__}
    return {_JSON: {"schema": {"anyOf": [schema, {"type": "null"}]} if nullable else schema}}


_EVENTS: Final = {
    EVENT_PATHS[0]: {
        **_content(event_models.EventsAnswer),
        BATCH: {
            "schema": {
                "type": "array",
                "items": {"anyOf": [{"$ref": _SCHEMAS + model.__name__} for model in event_models.EVENTS.values()]},
            }
        },
    },
    EVENT_PATHS[1]: {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'id: 42\nevent: ims.incident.edited\ndata: {"specversion":"1.0","id":"42"}\n\n',
        }
    },
}


def _open_paths() -> dict[str, Any]:
    """What anybody may ask."""
    health, status = _content(answer_models.Health), _content(answer_models.Status)
    text, page = {"text/plain": {"schema": {"type": "string"}}}, {"text/html": {"schema": {"type": "string"}}}
    not_ready = {"503": {"description": "Not ready; `reason` says why", "content": health}}
    return {
        "/livez": _open("livez", "Whether the process is up", health),
        "/readyz": _open("readyz", "Whether the process can do its work", health, not_ready),
        "/status": _open("status", "The state of every part, for people", status),
        "/metrics": _open("metrics", "Counts and times, for Prometheus", text),
        "/openapi.json": _open("openapi", "This document", {_JSON: {"schema": {"type": "object"}}}),
        "/asyncapi.json": _open(
            "asyncapi", "The events, as AsyncAPI has them", {_JSON: {"schema": {"type": "object"}}}
        ),
        KEY_PATH: _open("checkpoint_key", "The public keys of the log's checkpoints, the newest first", text),
        "/docs": _open("docs", "This document as a page", page),
    }


def _open(id: str, summary: str, content: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    responses = {"200": {"description": "Done", "content": content}, **(more or {})}
    operation = {"operationId": id, "summary": summary, "tags": ["service"], "security": [], "responses": responses}
    return {"get": operation}
