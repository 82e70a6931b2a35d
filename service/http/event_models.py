"""The shapes of published events: CloudEvents 1.0, a model for each type. OpenAPI and AsyncAPI are made of them."""

from typing import Annotated, Any, Final, Literal, Union

from pydantic import BaseModel, Field, WithJsonSchema, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, SkipJsonSchema
from pydantic_core import core_schema

from domain.attribute_types import AttributeType
from projections.cloud_events import SEQUENCE_DIGITS
from projections.states import TOPICS
from service.http.answer_models import FIELDS_SCHEMA, UTC_TIME, Answer, Comment, Id, Incident, Lock, Made, Success

POSITION: Final = "^[1-9][0-9]{0,18}$"
_TRACEPARENT: Final = "^00-[0-9a-f]{32}-[0-9a-f]{16}-01$"


class Plain(GenerateJsonSchema):
    """Without titles, which repeat the names, and without the nulls that only stand for a member that is absent."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        shown = super().default_schema(schema)
        return {key: value for key, value in shown.items() if (key, value) != ("default", None)}


class MemberChange(Answer):
    before: Any = Field(alias="from", description="null where there was none.")
    to: Any = Field(description="null where there is none any more.")


class IncidentState(Incident):
    deleted: bool = Field(description="Gone for reads; it may be restored.")


class CommentState(Comment):
    removed: bool = Field(description="Gone for good.")


class DefinedAttribute(Answer):
    type: AttributeType
    retired: bool = Field(description="Values stay where they are, new ones are refused.")


class AttributesState(Answer):
    id: Id
    attributes: dict[str, DefinedAttribute] = Field(description="By name, without those of the deployment.")
    tenant_id: str
    updated_at: Made
    occ_lock: Lock


class ErasedData(Answer):
    occ_lock: Lock
    erased: Literal[True]
    digest: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of what was there, with a salt that is gone.")


class UnreadableData(Answer):
    """Of an event that is damaged in the log: that it is there."""

    occ_lock: Lock
    unreadable: Literal[True]
    digest: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of what was recorded, as the log has it.")


class Data(Answer):
    occ_lock: Lock
    changes: dict[str, MemberChange] = Field(
        description="By member, attributes as `attributes.<name>`; empty where `state` says it all."
    )
    withheld: Literal[True] | SkipJsonSchema[None] = Field(
        None, description="The incident is deleted: what it was is for auditors and deployers, `state` is null."
    )
    erased: list[str] | SkipJsonSchema[None] = Field(
        None, description="Members whose content was erased: what they changed to is not known any more."
    )


class ErasureData(Answer):
    """What an erasure tells beside what every event does."""

    fields: Annotated[Any, WithJsonSchema(FIELDS_SCHEMA)]
    reason: str
    positions: list[int] = Field(description="The events whose content is gone: forget yours too.")


class CloudEvent(Answer):
    """What all have in common."""

    specversion: Literal["1.0"]
    id: str = Field(pattern=POSITION, description="The position in the log: dense over all tenants, in commit order.")
    source: str = Field(
        pattern="^/tenants/[A-Za-z0-9._-]{1,64}/ims/[0-9a-f-]{36}$",
        description="The tenant and the log, `logid`: together with `id` it names one event for ever.",
    )
    subject: Id = Field(description="The incident; for definitions of attributes, the tenant's schema of them.")
    time: str = Field(pattern=UTC_TIME, description="When it was recorded; rises with the position.")
    datacontenttype: Literal["application/json"]
    sequence: str = Field(
        pattern=f"^[0-9]{{{SEQUENCE_DIGITS}}}$", description="The position, so that it sorts as text."
    )
    tenantid: str = Field(pattern="^[A-Za-z0-9._-]{1,64}$")
    actorid: str | SkipJsonSchema[None] = Field(None, description="The user id. Absent where the content was erased.")
    traceparent: Annotated[str, Field(pattern=_TRACEPARENT)] | SkipJsonSchema[None] = Field(
        None, description="Of the request. Absent like `actorid`."
    )
    partitionkey: str = Field(description="What has one key needs its order kept: all of an incident has the same.")
    logid: str = Field(description="Changes when the log was restored from a backup: positions begin to differ then.")


_STATES: Final[dict[str, type[BaseModel]]] = {
    "incident": IncidentState,
    "comment": CommentState,
    "attribute": AttributesState,
}


def _data(name: str, state: type[BaseModel]) -> type[BaseModel]:
    described = Field(
        description="At that version, not today's; null where an event before it was erased, or `withheld`."
    )
    members: dict[str, Any] = {"state": (state | None, described)}
    return create_model(name, __base__=Data, **members)


_DATA: Final = {kind: _data(f"{kind.capitalize()}Data", state) for kind, state in _STATES.items()}

_ERASING: Final = {
    kind: create_model(f"{kind.capitalize()}ErasureData", __base__=(_DATA[kind], ErasureData))
    for kind in ("incident", "comment")
}


def _event(type: str) -> type[BaseModel]:
    """`ims.incident.attribute_set` is described by `IncidentAttributeSetEvent`."""
    _, kind, _ = type.split(".")
    name = "".join(word.capitalize() for word in type.removeprefix("ims.").replace("_", ".").split("."))
    data = _ERASING[kind] if type.endswith(".erased") else _DATA[kind]
    members: dict[str, Any] = {"type": (Literal[type], ...), "data": (data | ErasedData | UnreadableData, ...)}
    return create_model(f"{name}Event", __base__=CloudEvent, **members)


EVENTS: Final[dict[str, type[BaseModel]]] = {type: _event(type) for type in TOPICS}
"""The model of each published type."""


def _answer(event: Any) -> type[BaseModel]:
    batch = Field(description="A batch in the sense of CloudEvents.")
    members: dict[str, Any] = {"data": (list[event], batch), "page": (Place, ...)}
    return create_model("EventsAnswer", __base__=Success, **members)


class Place(Answer):
    next: int = Field(description="Where to go on: `after` of the next request.")
    count: int
    more: bool = Field(description="There may be more right now.")


EventsAnswer: Final = _answer(Union[tuple(EVENTS.values())])  # noqa: UP007 - of as many as there are
