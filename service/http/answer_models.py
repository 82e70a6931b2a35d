"""The shapes of answers, for the OpenAPI document alone: answers themselves are rendered without them."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.json_schema import SkipJsonSchema

from domain.attribute_types import NAME_PATTERN, AttributeType
from domain.erasure import ALL, OF_INCIDENT
from domain.rules import DETAILS, MAX_OCC_LOCK, Code, Text
from service.http.models import ATTRIBUTES_SCHEMA, VALUE_SCHEMA, schema_of

UTC_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"

Id = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
Made = Annotated[str, Field(description="When it was recorded: UTC, six digits.", pattern=UTC_TIME)]
Lock = Annotated[int, Field(ge=0, le=MAX_OCC_LOCK, description="The version, to be sent back with the next change.")]
FIELDS_SCHEMA: Final = {"anyOf": [{"const": ALL}, {"type": "array", "items": {"type": "string"}}]}
Values = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "additionalProperties": VALUE_SCHEMA})]


class Answer(BaseModel):
    """What is described is all there is."""

    model_config = ConfigDict(extra="forbid", defer_build=True)  # no answer is checked with it: no start waits for that


class Success(Answer):
    sent_at: str = Field(json_schema_extra={"format": "date-time"})


_ERASED: Final = "null where it was erased."


def _kept(member: str) -> Any:
    """A member as it may be stored. Codes and limits may have been others when it was, so they are not promised."""
    rule = DETAILS[member]
    if member in OF_INCIDENT:
        return Annotated[Any, Field(description=_ERASED), WithJsonSchema({"type": ["string", "null"]})]
    return Annotated[Any, WithJsonSchema({"type": "string"} if isinstance(rule, Text | Code) else schema_of(rule))]


_Details = create_model("_Details", __base__=Answer, **{member: (_kept(member), ...) for member in DETAILS})  # type: ignore[call-overload]


class Incident(_Details):
    id: Id
    attributes: Annotated[Any, WithJsonSchema(ATTRIBUTES_SCHEMA)]
    created_at: Made
    created_by: str
    updated_at: Made
    updated_by: str
    tenant_id: str
    occ_lock: Lock


class Comment(Answer):
    id: Id
    incident_id: Id
    user_id: str
    name: str
    text: str
    created_at: Made
    created_by: str
    updated_at: Made
    updated_by: str
    occ_lock: Lock
    tenant_id: str


class Definition(Answer):
    name: str = Field(pattern=NAME_PATTERN)
    type: AttributeType


class Page(Answer):
    number: int | SkipJsonSchema[None] = Field(None, description="Where `page` or `size` was asked for.")
    size: int
    next: str | SkipJsonSchema[None] = Field(None, description="The cursor of the next page; absent on the last one.")
    total_records: int
    count: int
    sort: list[str]


class Incidents(Answer):
    incidents: list[Incident]
    total: int


class Comments(Answer):
    comments: list[Comment]
    total: int


class Recorded(Answer):
    position: int = Field(ge=1, description="Its place in the log.")
    occ_lock: Lock
    at: Made
    what: str = Field(description="The type under which the event is published.")
    by: str | SkipJsonSchema[None] = Field(None, description="Display name. Absent where the content was erased.")
    user_id: str | SkipJsonSchema[None] = None
    changes: dict[str, Any] | SkipJsonSchema[None] = Field(
        None, description='By member: {"from": …, "to": …}, attributes as `attributes.<name>`.'
    )
    comment_id: Id | SkipJsonSchema[None] = Field(None, description="The comment that it is about.")
    to_version: int | SkipJsonSchema[None] = Field(None, description="The version whose content came back.")
    erased: Literal[True] | list[str] | SkipJsonSchema[None] = Field(
        None, description="The content is gone, by order: all of it, or that of these members."
    )
    unreadable: Literal[True] | SkipJsonSchema[None] = Field(
        None, description="The event is damaged, or of a newer release: nothing but its place can be told."
    )
    fields: Annotated[Any, WithJsonSchema(FIELDS_SCHEMA)] = Field(None, description="What an erasure took away.")
    reason: str | SkipJsonSchema[None] = Field(None, description="Why.")


class History(Answer):
    history: list[Recorded]
    total: int


class Diff(Answer):
    before: int = Field(alias="from")
    to: int
    changes: dict[str, Any] = Field(
        description='By member: {"from": …, "to": …}; `deleted` among them where one of the two was.'
    )


class Counts(Answer):
    total: int
    status: dict[str, int]
    type: dict[str, int]
    severity: dict[str, int]


class Codes(Answer):
    status: list[str]
    type: list[str]
    severity: list[str]


Hash = Annotated[str, Field(description="32 bytes in base64.", pattern="^[A-Za-z0-9+/]{43}=$")]
Size = Annotated[int, Field(ge=1, description="Events.")]
Note = Annotated[str, Field(description="The signed text, in the form of c2sp.org/tlog-checkpoint.")]


class Checkpoint(Answer):
    origin: str = Field(description="The log's name.", pattern="^ims/")
    size: int = Field(ge=0, description="Events that it covers.")
    root: Hash
    checkpoint: Note


class Leaf(Answer):
    position: int = Field(ge=1)
    tenant_id: str
    aggregate_id: Id
    version: Lock
    topic: str
    recorded_at: int = Field(description="Microseconds since 1970.")
    digest: str = Field(description="SHA-256(salt ‖ state) of what was recorded.", pattern="^[0-9a-f]{64}$")


class Inclusion(Answer):
    index: int = Field(ge=0, description="Of the leaf: its position − 1.")
    size: Size
    leaf: Leaf
    leaf_text: str = Field(description="The same as the tree has it: SHA-256(0x00 ‖ leaf_text) is the leaf's hash.")
    hashes: list[Hash] = Field(description="From the leaf upwards (RFC 9162, 2.1.3).")
    checkpoint: Note


Consistency = create_model(
    "Consistency",
    __base__=Answer,
    **{
        "from": (Size, ...),
        "from_root": (Hash, ...),
        "to": (Size, ...),
        "to_root": (Hash, ...),
        "hashes": (list[Hash], Field(description="RFC 9162, 2.1.4.")),
    },
)  # type: ignore[call-overload]


class IncidentAnswer(Success):
    data: Incident


class IncidentsAnswer(Success):
    data: Incidents
    page: Page | SkipJsonSchema[None] = None


class CountsAnswer(Success):
    data: Counts


class CodesAnswer(Success):
    data: Codes


class CommentAnswer(Success):
    data: Comment


class CommentsAnswer(Success):
    data: Comments
    page: Page | SkipJsonSchema[None] = None


class HistoryAnswer(Success):
    data: History
    page: Page | SkipJsonSchema[None] = None


class DiffAnswer(Success):
    data: Diff


class DefinitionAnswer(Success):
    data: Definition


class DefinitionsAnswer(Success):
    data: list[Definition]


class AttributesAnswer(Success):
    data: Values


class CheckpointAnswer(Success):
    data: Checkpoint


class InclusionAnswer(Success):
    data: Inclusion


class ConsistencyAnswer(Success):
    data: Consistency


class Current(Answer):
    occ_lock: Lock
    updated_at: Made
    updated_by: str


class Change(Answer):
    occ_lock: Lock
    by: str
    at: Made
    changes: dict[str, Any] = Field(description='By member: {"from": …, "to": …}.')


class Error(Answer):
    code: str
    message: str
    field: str | SkipJsonSchema[None] = Field(None, description="The member, parameter or header, dotted.")
    current: Current | SkipJsonSchema[None] = Field(None, description="With LOCK_STALE: what is there now.")
    changes: list[Change] | SkipJsonSchema[None] = Field(None, description="With LOCK_STALE: what changed since.")
    changes_truncated: bool | SkipJsonSchema[None] = Field(None, description="There were more; the newest are shown.")


class Failure(Answer):
    message: str
    errors: list[Error] = Field(min_length=1, description="At most 20 of them.")
    errors_total: int | SkipJsonSchema[None] = Field(None, description="How many there are, where more than are shown.")
    sent_at: str = Field(json_schema_extra={"format": "date-time"})
    trace_id: str = Field(pattern="^[0-9a-f]{32}$")


class Health(Answer):
    status: str
    reason: str | SkipJsonSchema[None] = None


class Status(BaseModel):
    """For people: what it says may grow."""

    runs: list[str]
    store: str
    log: dict[str, Any]
    writer: dict[str, Any]
    signing_in: Any
    error: str | None
    audit: dict[str, Any] | SkipJsonSchema[None] = None
    followers: list[dict[str, Any]] | SkipJsonSchema[None] = None


ANSWERS: Final[tuple[type[BaseModel], ...]] = (
    IncidentAnswer, IncidentsAnswer, CountsAnswer, CodesAnswer, CommentAnswer, CommentsAnswer,
    DefinitionAnswer, DefinitionsAnswer, AttributesAnswer, HistoryAnswer, DiffAnswer, CheckpointAnswer, InclusionAnswer,
    ConsistencyAnswer, Failure, Health, Status,
)  # fmt: skip
