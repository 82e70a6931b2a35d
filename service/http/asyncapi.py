"""The AsyncAPI 3 document: the streams on Redis and the stream over HTTP, and each event's shape, as OpenAPI has it."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from service.http.event_models import EVENTS, Plain

_SCHEMAS: Final = "#/components/schemas/"
_MESSAGES: Final = "#/components/messages/"
_DESCRIPTION: Final = """Every event of the log, once, in the order of commits. One position is valid everywhere: in the
streams on Redis (`<position>-0`), in `GET /v1/events` and in `GET /v1/events/stream`."""

_ENTRY: Final = {
    "type": "object",
    "description": "The fields of an entry.",
    "required": ["event", "type", "subject", "tenant", "prev", "digest"],
    "properties": {
        "event": {"type": "string", "contentMediaType": "application/cloudevents+json"},
        "type": {"type": "string", "enum": list(EVENTS)},
        "subject": {"type": "string", "format": "uuid"},
        "tenant": {"type": "string"},
        "prev": {
            "type": "string",
            "pattern": "^[0-9]+$",
            "description": "The position of the entry before it in this stream, 0 for the first one.",
        },
        "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
}
_STREAM_BINDING: Final = "An entry's id is `<position>-0`; the CloudEvent is its field `event`."


def document(base_path: str = "") -> dict[str, Any]:
    """`base_path`: what stands before the paths of the service where clients find it."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in EVENTS.values()],
        ref_template=_SCHEMAS + "{model}",
        schema_generator=Plain,
    )
    messages = {type: {"$ref": _MESSAGES + type} for type in EVENTS}
    tenant = {"tenant": {"description": "The tenant's id."}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "IMS events", "version": "1", "description": _DESCRIPTION, "license": {"name": "MIT"}},
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "every": {
                "address": "ims:events",
                "title": "All tenants, on Redis Streams",
                "description": _STREAM_BINDING,
                "messages": messages,
                "x-entry": {"$ref": f"{_SCHEMAS}Entry"},
            },
            "tenant": {
                "address": "ims:events:{tenant}",
                "title": "One tenant, on Redis Streams",
                "description": _STREAM_BINDING,
                "parameters": tenant,
                "messages": messages,
                "x-entry": {"$ref": f"{_SCHEMAS}Entry"},
            },
            "sse": {
                "address": f"{base_path}/v1/events/stream",
                "title": "The tenant of the token, as server-sent events",
                "description": "`id:` is the position, `event:` the type, `data:` the CloudEvent in one line.",
                "messages": messages,
            },
        },
        "operations": {
            f"publish_{name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}, "summary": summary}
            for name, summary in (
                ("every", "Each event of the log"),
                ("tenant", "Each event of the tenant"),
                ("sse", "Each event of the tenant, from a position on"),
            )
        },
        "components": {
            "messages": {
                type: {
                    "name": type,
                    "contentType": "application/cloudevents+json",
                    "payload": {"$ref": _SCHEMAS + model.__name__},
                }
                for type, model in EVENTS.items()
            },
            "schemas": {**definitions["$defs"], "Entry": _ENTRY},
        },
    }
