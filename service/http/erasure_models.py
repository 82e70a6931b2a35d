"""What an erasure is asked with, made of the domain's own rules, and what it is answered with."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from domain.erasure import ALL, MAX_FIELDS, OF_COMMENT, OF_INCIDENT, REASON, fault_of_fields, pattern_of
from service.http.answer_models import FIELDS_SCHEMA, Answer, Id, Lock, Made, Success
from service.http.models import LOCK, Body, member_of, model_of, ruled


def _erasure(allowed: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """`fields` may be `"all"`, or some of these."""
    some = {"type": "string", "pattern": pattern_of(allowed)}
    schema = {"anyOf": [{"const": ALL}, {"type": "array", "items": some, "minItems": 1, "maxItems": MAX_FIELDS}]}
    rule = PlainValidator(partial(ruled, partial(fault_of_fields, allowed=allowed)))
    return {
        "fields": (Annotated[Any, rule, WithJsonSchema(schema)], ...),
        "reason": (member_of(REASON), ...),
        "occ_lock": LOCK,
    }


ErasureBody = model_of("ErasureBody", Body, _erasure(OF_INCIDENT))
CommentErasureBody = model_of("CommentErasureBody", Body, _erasure(OF_COMMENT))


class Erasure(Answer):
    id: Id
    incident_id: Id
    fields: Annotated[Any, WithJsonSchema(FIELDS_SCHEMA)]
    reason: str
    positions: list[int] = Field(description="The events of the log whose content is gone, all or some of it.")
    erased_at: Made
    erased_by: str
    tenant_id: str
    occ_lock: Lock


class ErasureAnswer(Success):
    data: Erasure
