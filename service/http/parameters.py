"""Query parameters and headers as OpenAPI describes them, by name; forms and limits are those that requests meet."""

from collections.abc import Mapping
from typing import Any, Final

from domain.attribute_types import NAME_PATTERN
from domain.rules import MAX_OCC_LOCK, OCC_LOCK, Moment
from projections.listing import COUNTED, SORT_COLUMNS
from projections.states import TOPICS
from service.http.call import MAX_POSITION_DIGITS
from service.http.formats import MEDIA_TYPES
from service.http.models import schema_of
from service.http.queries import (
    ATTRIBUTE,
    CODED,
    DEFAULT_SIZE,
    MAX_PAGE,
    MAX_QUERY,
    MAX_SIZE,
    MAX_VALUE,
    MAX_VALUES,
    PERIODS,
    REPORTER,
)
from service.subscribers.pages import DEFAULT_LIMIT, MAX_LIMIT

UUID_PATTERN: Final = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
POSITION_PATTERN: Final = f"^[0-9]{{1,{MAX_POSITION_DIGITS}}}$"
_TAG: Final = '(W/)?"[!#-~]*"'
_TAGS: Final = {"type": "string", "pattern": rf"^(\*|{_TAG}(, ?{_TAG})*)$"}

Schema = Mapping[str, Any]

PATHS: Final[dict[str, Schema]] = {
    "id": {"type": "string", "format": "uuid", "pattern": UUID_PATTERN},
    "comment_id": {"type": "string", "format": "uuid", "pattern": UUID_PATTERN},
    "name": {"type": "string", "pattern": NAME_PATTERN},
    "position": {"type": "string", "pattern": POSITION_PATTERN},
}

HEADERS: Final[dict[str, tuple[str, Schema]]] = {
    "If-Match": ("The write is carried out on these versions only, else 412; `*` for any.", _TAGS),
    "If-None-Match": ("304 where the client has this version already.", _TAGS),
    "Idempotency-Key": (
        "A repeat of the request under the same key gets the answer of the first one.",
        {"type": "string", "pattern": "^[!-~]{1,255}$"},
    ),
    "Ims-Min-Position": (
        "Wait until the read model has come to this position of the log, as `Ims-Position` named it.",
        {"type": "string", "pattern": POSITION_PATTERN},
    ),
    "Last-Event-ID": (
        "The last event that the client has; it counts more than `after`.",
        {"type": "string", "pattern": POSITION_PATTERN},
    ),
    "traceparent": (
        "W3C Trace Context; failures answer its trace id. One of another form is ignored.",
        {"type": "string"},
    ),
}


def query_parameter(name: str, definitions: Mapping[str, str]) -> list[dict[str, Any]]:
    """As a list, since `attributes.` stands for one parameter for each attribute that every tenant has."""
    if name == ATTRIBUTE:
        return [
            _parameter(f"{ATTRIBUTE}{defined}", {"type": "string", "maxLength": MAX_VALUE}, _EQUALS)
            for defined in definitions
        ]
    if name == "sort":
        item = {"type": "string", "pattern": f"^({'|'.join(SORT_COLUMNS)})(,(asc|desc))?$"}
        return [_parameter(name, {"type": "array", "items": item, "maxItems": len(SORT_COLUMNS)}, _DESCRIPTIONS[name])]
    if name in CODED:
        values = {"type": "array", "items": _TEXT, "maxItems": MAX_VALUES}
        return [_parameter(name, values, _ANY_OF[name])]
    return [_parameter(name, _SCHEMAS[name], _DESCRIPTIONS[name])]


def event_parameter(name: str) -> list[dict[str, Any]]:
    """The same name may mean something else in a feed of events than in a list of incidents."""
    schema, description = _OF_EVENTS[name]
    return [_parameter(name, schema, description)]


def size_parameter(name: str) -> list[dict[str, Any]]:
    """How large the log's tree was."""
    schema = {"type": "string", "pattern": f"^(?!0+$)[0-9]{{1,{MAX_POSITION_DIGITS}}}$"}
    return [{**_parameter(name, schema, "Events, as a checkpoint has them."), "required": True}]


def header_parameter(name: str) -> dict[str, Any]:
    description, schema = HEADERS[name]
    return {"name": name, "in": "header", "description": description, "schema": schema}


def path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": PATHS[name]}


def _parameter(name: str, schema: Schema, description: str) -> dict[str, Any]:
    shown = {"name": name, "in": "query", "description": description, "schema": schema}
    return shown | {"required": True} if name in _REQUIRED else shown


_OF_EVENTS: Final[dict[str, tuple[Schema, str]]] = {
    "after": ({"type": "string", "pattern": POSITION_PATTERN}, "Events beyond this position; 0, the default, for all."),
    "limit": (
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        "Events of a page; there may be fewer although more follow.",
    ),
    "subject": ({"type": "string", "pattern": UUID_PATTERN}, "Only what is about this incident, comments included."),
    "type": (
        {"type": "array", "items": {"type": "string", "enum": list(TOPICS)}, "maxItems": MAX_VALUES},
        "Only events of these types.",
    ),
}
_REQUIRED: Final = frozenset({"from", "to"})
_EQUALS: Final = "Incidents whose attribute has this value; other attributes of the tenant in the same way."
_ANY_OF: Final = {
    **dict.fromkeys(
        COUNTED, "Any of these codes, of the deployment or of what incidents had before; `severity=`: none."
    ),
    REPORTER: "Any of these people, however their names are typed.",
}
_TEXT: Final[Schema] = {"type": "string", "maxLength": MAX_VALUE, "pattern": r"^[^\u0000]*$"}
_SCHEMAS: Final[dict[str, Schema]] = {
    "page": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
    "size": {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE},
    "cursor": {"type": "string", "maxLength": MAX_VALUE, "pattern": "^[A-Za-z0-9_-]*$"},
    "q": {**_TEXT, "maxLength": MAX_QUERY},
    "backdated": {"type": "boolean"},
    "retired": {"type": "boolean"},
    "format": {"type": "string", "enum": list(MEDIA_TYPES)},
    "bom": {"type": "boolean"},
    "id": PATHS["id"],
    "occ_lock": {"type": "integer", "minimum": 0, "maximum": MAX_OCC_LOCK},
    **dict.fromkeys(("version", "from", "to"), schema_of(OCC_LOCK)),
    "as_of": schema_of(Moment()),
    **{f"{prefix}_{end}": schema_of(Moment()) for prefix in PERIODS for end in ("from", "to")},
}
_DESCRIPTIONS: Final[dict[str, str]] = {
    "page": "The page with this number.",
    "size": "Rows of a page.",
    "cursor": "Empty to start, then `page.next` of the answer before. A page of large rows has it before it is full. "
    "Not with `page`.",
    "sort": "`field,asc` or `field,desc`, each field once; the direction is desc where none is given.",
    "q": "Every word must occur in name, description or location, however it is typed; `word*` is a prefix.",
    "backdated": "Whether it was reported after the fact.",
    "retired": "Also the attributes that were retired.",
    "format": "JSON, CSV, or one JSON document a line; it counts more than `Accept`.",
    "bom": "Whether CSV begins with a byte order mark, by which Excel knows that it is UTF-8.",
    "id": "The comment, where the body does not name it.",
    "occ_lock": "The version that the client knows, where the body does not name it.",
    "version": "The incident as this version left it, whether that was deleted or not.",
    "from": "The version before.",
    "to": "The version after.",
    "as_of": "As it stood when the log had recorded what it had at this time, which is included; not with `version`.",
    **{f"{prefix}_from": f"`{member}` not before this." for prefix, member in PERIODS.items()},
    **{f"{prefix}_to": f"`{member}` before this." for prefix, member in PERIODS.items()},
}
