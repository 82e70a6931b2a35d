"""Events as bytes and back, in the `eventsourcing` library's form, so any program that uses it can read the log."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, cast
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

from domain.attribute_schema import AttributeSchema
from domain.comment import Comment
from domain.event import ActEvent, Recorded
from domain.incident import Incident
from projections.follower import OfNewerRelease
from service.randomness import random_bytes
from service.store.ids import uuid_from
from service.store.log import Entry, Row
from service.store.shapes import complete, fault_of

SALT_BYTES = 16
AGGREGATES = (Incident, Comment, AttributeSchema)
_EVENTS: Final[Mapping[str, type[ActEvent]]] = {
    event.TOPIC: event
    for aggregate in AGGREGATES
    for event in vars(aggregate).values()
    if isinstance(event, type) and issubclass(event, ActEvent) and not event.TOPIC.endswith("Event")
}
"""By topic. The library would import whatever module a topic names, also one that a file from elsewhere brought."""

_VERSION_MARK = b'"class_version":'


class UnreadableEvent(Exception):
    """An event whose topic or shape this release does not know, or whose content is damaged or gone."""


class NewerEvent(UnreadableEvent, OfNewerRelease):
    """Another release can read it."""


class _DatetimeByOrjson(DatetimeAsISO):
    """The same text, written by orjson together with all the rest."""

    def encode(self, obj: datetime) -> Any:
        return obj


class _UUIDAsHex(UUIDAsHex):
    """The same, read in half the time."""

    def decode(self, data: str) -> UUID:
        return uuid_from(data)


_READ: Final[Mapping[str, Callable[[str], Any]]] = {
    DatetimeAsISO.name: datetime.fromisoformat,
    UUIDAsHex.name: uuid_from,
}
"""Of the transcodings below, without their calls."""
_TYPED = 2
"""Members of what stands for a time or an id."""
_new, _set = object.__new__, object.__setattr__
_UNDECODED: Final = (MapperDeserialisationError, LookupError, TypeError, ValueError, AttributeError)
"""What decoding and upcasting raise where a state is none of an event."""


class OrjsonTranscoder(JSONTranscoder):
    """The library's JSON, by orjson. Times and ids stand only at the top of an event's state: nothing below is touched,
    so nothing that a client sent is taken for one."""

    def __init__(self) -> None:
        super().__init__()
        self.register(_DatetimeByOrjson())
        self.register(_UUIDAsHex())

    def encode(self, obj: dict[str, Any]) -> bytes:
        types, state = self.types, obj.copy()
        for key, value in obj.items():
            if type(value) in types:
                transcoding = types[type(value)]
                state[key] = {"_type_": transcoding.name, "_data_": transcoding.encode(value)}
        return orjson.dumps(state)

    def decode(self, data: bytes) -> dict[str, Any]:
        state: dict[str, Any] = orjson.loads(data)
        for key, value in state.items():
            if type(value) is dict and "_type_" in value and "_data_" in value and len(value) == _TYPED:
                read = _READ.get(value["_type_"])
                state[key] = self._decode_obj(value) if read is None else read(value["_data_"])
        return state


def _event_class(topic: str) -> type[ActEvent]:
    try:
        return _EVENTS[topic]
    except KeyError:
        raise NewerEvent(f"unknown topic {topic}") from None


@lru_cache(maxsize=64)
def _has_one_shape(topic: str) -> bool:
    return getattr(_event_class(topic), "class_version", 1) == 1


class LogMapper(Mapper[UUID]):
    """Refuses what a newer release wrote; the library would take it silently."""

    def __init__(self) -> None:
        super().__init__(OrjsonTranscoder())

    def state_of(self, event: ActEvent) -> bytes:
        """What `to_stored_event` gives as the state, without the rest."""
        state = dict(vars(event))
        del state["originator_id"], state["originator_version"]
        version = getattr(event, "class_version", 1)
        if version > 1:
            state["class_version"] = version
        return self.transcoder.encode(state)

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        id, version = stored_event.originator_id, stored_event.originator_version
        return self.event_of(cast(UUID, id), version, stored_event.topic, stored_event.state)

    def event_of(
        self, id: UUID, version: int, topic: str, state: bytes, *, coded: bool = False
    ) -> DomainEventProtocol[UUID]:
        """`coded`: its other ids and times may be left as they are written, which takes half the time again."""
        event_class = _event_class(topic)
        shape = getattr(event_class, "class_version", 1)
        if shape == 1 and _VERSION_MARK not in state:
            # What the library does where there is nothing to upcast, in half the time: logs are long.
            try:
                content = orjson.loads(state) if coded else self.transcoder.decode(state)
            except Exception as error:
                raise MapperDeserialisationError(str(error)) from error
            if problem := fault_of(event_class, content):
                raise MapperDeserialisationError(problem)
            complete(content)
            content["originator_id"], content["originator_version"] = id, version
            event = _new(event_class)
            _set(event, "__dict__", content)
            return event
        written = self.transcoder.decode(state).get("class_version", 1)
        if written > shape:
            raise NewerEvent(f"{topic} in shape {written}, newer than this release")
        return super().to_domain_event(StoredEvent(id, version, topic, state))


_mapper = LogMapper()
_NOBODY = UUID(int=0)


def entry_of(event: ActEvent, *, repeatable: bool) -> Entry:
    """The event as a row to be; with `repeatable` its command id guards against a second one."""
    state, salt, digest = sealed(event)
    return Entry(
        originator_id=event.originator_id,
        originator_version=event.originator_version,
        topic=event.TOPIC,
        state=state,
        tenant_id=event.tenant_id,
        subject_id=event.subject_id,
        command_id=event.command_id if repeatable else None,
        salt=salt,
        digest=digest,
    )


def sealed(event: ActEvent) -> tuple[bytes, bytes, bytes]:
    """Its state, a new salt, and the digest over both."""
    state = state_of(event)
    salt = random_bytes(SALT_BYTES)
    return state, salt, hashlib.sha256(salt + state).digest()


def state_of(event: ActEvent) -> bytes:
    return _mapper.state_of(event)


def members_of(topic: str, state: bytes) -> dict[str, Any]:
    """The members of an event as this release has them; its ids and times may be coded still. Raises UnreadableEvent,
    and what the decoder raises."""
    members: dict[str, Any] = orjson.loads(state)
    if "class_version" in members or not _has_one_shape(topic):
        return vars(_mapper.event_of(_NOBODY, 0, topic, state))
    if problem := fault_of(_event_class(topic), members):
        raise UnreadableEvent(problem)
    complete(members)
    return members


def recorded_of(row: Row) -> Recorded:
    """Raises UnreadableEvent."""
    if row.state is None:
        raise UnreadableEvent(f"the content of position {row.position} was erased")
    return recorded(
        row.position, row.originator_id, row.originator_version, row.topic, row.state, row.recorded_at, row.digest
    )


def recorded(
    position: int, id: UUID, version: int, topic: str, state: bytes, recorded_at: datetime, digest: bytes
) -> Recorded:
    """Of what its row says. Raises UnreadableEvent."""
    return Recorded(event_of(position, id, version, topic, state), position, recorded_at, digest)


def event_of(position: int, id: UUID, version: int, topic: str, state: bytes, *, coded: bool = False) -> ActEvent:
    """`coded`: its ids and times, but for `originator_id`, may be as they are written. Raises UnreadableEvent."""
    try:
        event = _mapper.event_of(id, version, topic, state, coded=coded)
    except UnreadableEvent as error:
        raise type(error)(f"position {position}: {error}") from None
    except _UNDECODED as error:
        raise UnreadableEvent(f"the content of position {position} is damaged: {error}") from None
    if not isinstance(event, ActEvent):
        raise TypeError(f"{topic} is no event")
    return event
