"""Events as bytes and back, in the `eventsourcing` library's form, so any program that uses it can read the log."""

import hashlib
import secrets
from typing import Any
from uuid import UUID

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    DatetimeAsISO,
    JSONTranscoder,
    Mapper,
    MapperDeserialisationError,
    StoredEvent,
    UUIDAsHex,
)
from eventsourcing.utils import TopicError, resolve_topic

from domain.attribute_schema import AttributeSchema
from domain.comment import Comment
from domain.event import ActEvent, Recorded
from domain.incident import Incident
from service.store.log import Entry, Row

SALT_BYTES = 16
AGGREGATES = (Incident, Comment, AttributeSchema)
"""Importing them makes the topics of their events known."""

_VERSION_MARK = b'"class_version":'


class UnreadableEvent(Exception):
    """An event whose topic or shape this release does not know, or whose content was erased."""


class OrjsonTranscoder(JSONTranscoder):
    """The library's JSON, by orjson. Times and ids stand only at the top of an event's state: nothing below is touched,
    so nothing that a client sent is taken for one."""

    def __init__(self) -> None:
        super().__init__()
        self.register(DatetimeAsISO())
        self.register(UUIDAsHex())

    def encode(self, obj: dict[str, Any]) -> bytes:
        return orjson.dumps({key: self._encode_obj(v) if type(v) in self.types else v for key, v in obj.items()})

    def decode(self, data: bytes) -> dict[str, Any]:
        state = orjson.loads(data)
        return {key: self._decode_obj(v) if type(v) is dict and "_type_" in v else v for key, v in state.items()}


class LogMapper(Mapper[UUID]):
    """Refuses what a newer release wrote; the library would take it silently."""

    def __init__(self) -> None:
        super().__init__(OrjsonTranscoder())

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        try:
            event_class = resolve_topic(stored_event.topic)
        except TopicError:
            raise UnreadableEvent(f"unknown topic {stored_event.topic}") from None
        if not issubclass(event_class, ActEvent):
            raise UnreadableEvent(f"{stored_event.topic} is no event")
        if _VERSION_MARK in stored_event.state:
            written = self.transcoder.decode(stored_event.state).get("class_version", 1)
            if written > getattr(event_class, "class_version", 1):
                raise UnreadableEvent(f"{stored_event.topic} in shape {written}, newer than this release")
        return super().to_domain_event(stored_event)


_mapper = LogMapper()


def entry_of(event: ActEvent, *, repeatable: bool) -> Entry:
    """The event as a row to be; with `repeatable` its command id guards against a second one."""
    stored = _mapper.to_stored_event(event)
    salt = secrets.token_bytes(SALT_BYTES)
    return Entry(
        originator_id=event.originator_id,
        originator_version=event.originator_version,
        topic=stored.topic,
        state=stored.state,
        tenant_id=event.tenant_id,
        subject_id=event.subject_id,
        command_id=event.command_id if repeatable else None,
        salt=salt,
        digest=hashlib.sha256(salt + stored.state).digest(),
    )


def recorded_of(row: Row) -> Recorded:
    """Raises UnreadableEvent."""
    if row.state is None:
        raise UnreadableEvent(f"the content of position {row.position} was erased")
    stored = StoredEvent(
        originator_id=row.originator_id,
        originator_version=row.originator_version,
        topic=row.topic,
        state=row.state,
    )
    try:
        event = _mapper.to_domain_event(stored)
    except (MapperDeserialisationError, orjson.JSONDecodeError):
        raise UnreadableEvent(f"the content of position {row.position} is damaged") from None
    if not isinstance(event, ActEvent):
        raise TypeError(f"{row.topic} is no event")
    return Recorded(event, row.position, row.recorded_at)
