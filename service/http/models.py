"""The shapes of request bodies, made of the domain's own rules: they check what is sent and describe it in OpenAPI."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, WithJsonSchema, create_model
from pydantic_core import PydanticCustomError

from domain.attribute_types import NAME_PATTERN, AttributeType, fault_of_name, fault_of_type
from domain.erasure import OF_INCIDENT
from domain.errors import Fault
from domain.event import Json
from domain.moments import MOMENT_PATTERN
from domain.rules import COMMENT_TEXT, DEFAULTS, DETAILS, OCC_LOCK, Code, Flag, Moment, Rule, Text, Whole, normal

MAX_ATTRIBUTES: Final = 1_000
"""Members of an `attributes` object in a request."""
MAX_FIELD: Final = 100
"""Characters of a member's name that are sent back: one that nobody knows may have any length."""
SERVER_MEMBERS: Final = frozenset({"id", "created_at", "created_by", "updated_at", "updated_by", "tenant_id"})
"""Members that only the server sets: ignored in bodies, so that a client may send back what it got."""
STORABLE_TEXT: Final = r"^[^\u0000]*$"
# The spaces of `str.isspace` one by one: `\s` is not the same in the dialect of JSON Schema.
_SPACES: Final = r"\t-\r\u001c- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
SEEN_TEXT: Final = rf"^[^\u0000]*[^\u0000{_SPACES}][^\u0000]*$"


class Body(BaseModel):
    """Unknown members are refused; those that only the server sets are let pass."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Lenient(BaseModel):
    """Other members are ignored: the oldest clients send whole incidents where only a lock is of use."""

    model_config = ConfigDict(extra="ignore", strict=True)


def schema_of(rule: Rule) -> dict[str, Any]:
    """What a rule says, as JSON Schema."""
    match rule:
        case Text(limit, required):
            return {
                "type": "string",
                "minLength": 1 if required else 0,
                "maxLength": limit,
                "pattern": SEEN_TEXT if required else STORABLE_TEXT,
            }
        case Code():
            return {"type": "string"}
        case Moment(required):
            moment = {"type": "string", "format": "date-time", "pattern": MOMENT_PATTERN}
            return moment if required else {"anyOf": [moment, {"type": "null"}]}
        case Whole(low, high):
            return {"type": "integer", "minimum": low, "maximum": high}
        case Flag():
            return {"type": "boolean"}


def ruled(rule: Callable[[object], Fault | None], value: object) -> object:
    """The value, where the rule finds no fault with it."""
    fault = rule(value)
    if fault is not None:
        raise PydanticCustomError(fault.code, "{message}", {"message": fault.message})
    return value


def member_of(rule: Rule, default: Json = ..., *, nullable: bool = False, recorded: bool = False) -> Any:
    """A member that the rule decides about; `nullable`: null stands for the default. `recorded`: it may be recorded
    already, so that what is judged more strictly by now is left to the domain, which knows what is."""
    judge = rule.as_recorded if recorded and isinstance(rule, Text) else rule

    def check(value: object) -> object:
        if value is None and nullable:
            return default
        return normal(rule, ruled(judge, value))

    return Annotated[Any, PlainValidator(check), WithJsonSchema(_nullable(schema_of(rule), nullable))]


def _nullable(schema: dict[str, Any], nullable: bool) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]} if nullable and "anyOf" not in schema else schema


def _attributes(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise PydanticCustomError("TYPE_INVALID", "must be an object or null")
    if len(value) > MAX_ATTRIBUTES:
        raise PydanticCustomError("NUMBER_OUT_OF_RANGE", f"must have at most {MAX_ATTRIBUTES} members")
    return value


def _value(value: object) -> object:
    if isinstance(value, str | int | float):
        return value
    raise PydanticCustomError("TYPE_INVALID", "must be a text, a number, true or false")


def _ignored(names: frozenset[str]) -> dict[str, tuple[Any, Any]]:
    return {name: (_IGNORED, Field(None, description="Ignored: only the server sets it.")) for name in sorted(names)}


VALUE_SCHEMA: Final = {"type": ["string", "number", "boolean"]}
ATTRIBUTES_SCHEMA: Final = {
    "anyOf": [
        {"type": "object", "additionalProperties": VALUE_SCHEMA, "maxProperties": MAX_ATTRIBUTES},
        {"type": "null"},
    ]
}
PATCH_SCHEMA: Final = {
    "anyOf": [
        {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
        {"type": "null"},
    ]
}
_ATTRIBUTES: Final[Any] = Annotated[Any, PlainValidator(_attributes), WithJsonSchema(ATTRIBUTES_SCHEMA)]
_ATTRIBUTES_PATCH: Final[Any] = Annotated[Any, PlainValidator(_attributes), WithJsonSchema(PATCH_SCHEMA)]
_VALUE: Final[Any] = Annotated[Any, PlainValidator(_value), WithJsonSchema(VALUE_SCHEMA)]
_DEFINED_NAME: Final[Any] = Annotated[
    Any, PlainValidator(partial(ruled, fault_of_name)), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
]
_DEFINED_TYPE: Final[Any] = Annotated[
    Any,
    PlainValidator(partial(ruled, fault_of_type)),
    WithJsonSchema({"type": "string", "enum": [str(kind) for kind in AttributeType]}),
]
_ID: Final[Any] = Annotated[Any, WithJsonSchema({"type": "string", "format": "uuid"})]
_IGNORED: Final[Any] = Annotated[Any, PlainValidator(lambda _: None), WithJsonSchema({})]
LOCK: Final[tuple[Any, Any]] = (member_of(OCC_LOCK), None)

# The domain judges a report's details before anything is looked up; an edit's are judged here, before the incident is.
_REPORTED = {
    name: (Annotated[Any, WithJsonSchema(_nullable(schema_of(rule), name in DEFAULTS))], DEFAULTS.get(name, ...))
    for name, rule in DETAILS.items()
}
ERASABLE: Final = tuple(name for name in OF_INCIDENT if name in DETAILS and name not in DEFAULTS)
"""Required members that are shown as null once they are erased; an edit may send that back."""
_REQUIRED = {
    name: (member_of(rule, None, nullable=name in ERASABLE, recorded=True), ...)
    for name, rule in DETAILS.items()
    if name not in DEFAULTS
}
_OPTIONAL = {name: (member_of(DETAILS[name], default, nullable=True), default) for name, default in DEFAULTS.items()}
_TOUCHED = {
    name: (member_of(rule, None, nullable=name in DEFAULTS, recorded=True), None) for name, rule in DETAILS.items()
}


def model_of(name: str, base: type[BaseModel], *members: dict[str, tuple[Any, Any]]) -> type[BaseModel]:
    merged: dict[str, Any] = {}
    for some in members:
        merged.update(some)
    return create_model(name, __base__=base, **merged)


ReportBody = model_of(
    "ReportBody",
    Body,
    _REPORTED,
    {"attributes": (_ATTRIBUTES, None)},
    _ignored(SERVER_MEMBERS | {"occ_lock"}),
)
EditBody = model_of(
    "EditBody",
    Body,
    _REQUIRED,
    _OPTIONAL,
    {"attributes": (_ATTRIBUTES, None), "occ_lock": LOCK},
    _ignored(SERVER_MEMBERS),
)
PatchBody = model_of(
    "PatchBody", Body, _TOUCHED, {"attributes": (_ATTRIBUTES_PATCH, None), "occ_lock": LOCK}, _ignored(SERVER_MEMBERS)
)
RevertBody = model_of("RevertBody", Body, {"version": (member_of(OCC_LOCK), ...), "occ_lock": LOCK})
LockBody = model_of("LockBody", Lenient, {"occ_lock": LOCK})
AttributeBody = model_of("AttributeBody", Body, {"name": (str, ...), "value": (_VALUE, ...)})
AttributeEditBody = model_of("AttributeEditBody", AttributeBody, {"occ_lock": LOCK})
DefinitionBody = model_of("DefinitionBody", Body, {"name": (_DEFINED_NAME, ...), "type": (_DEFINED_TYPE, ...)})
CommentBody = model_of("CommentBody", Body, {"text": (member_of(COMMENT_TEXT), ...)})
CommentEditBody = model_of(
    "CommentEditBody", Body, {"text": (member_of(COMMENT_TEXT, recorded=True), ...)}, {"occ_lock": LOCK}
)
CommentRemovalBody = model_of("CommentRemovalBody", Lenient, {"id": (_ID, None), "occ_lock": LOCK})


def faults_of(error: ValidationError) -> list[Fault]:
    """Every fault that the model found, in the API's words."""
    faults = []
    for found in error.errors(include_url=False, include_input=False):
        field = ".".join(map(str, found["loc"]))[:MAX_FIELD] or None
        match found["type"]:
            case "missing":
                faults.append(Fault("MEMBER_MISSING", "is required", field))
            case "extra_forbidden":
                faults.append(Fault("MEMBER_UNKNOWN", "there is no such member", field))
            case "string_too_long":
                faults.append(Fault("TEXT_TOO_LONG", found["msg"], field))
            case code if code.isupper():
                faults.append(Fault(code, found["msg"], field))
            case _:
                faults.append(Fault("TYPE_INVALID", found["msg"], field))
    return faults
