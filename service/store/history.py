"""The log as facts: what happened, and what was erased in its place; and the past of an aggregate."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from domain.erased import Erased
from domain.event import Fact
from domain.moments import utc_text
from projections.changes import change_document
from projections.documents import Document
from service.store.ids import uuid_from
from service.store.log import Excerpt, Log, Plain, Row
from service.store.mapper import UnreadableEvent, event_of, recorded, recorded_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_R = TypeVar("_R")
_F = TypeVar("_F")


def told_of(row: Row) -> Fact:
    """Raises UnreadableEvent for what a newer release wrote, or what is damaged."""
    if row.state is not None:
        return recorded_of(row)
    return Erased(
        row.position,
        row.recorded_at,
        row.digest,
        row.tenant_id,
        row.topic,
        row.originator_id,
        row.originator_version,
        row.subject_id,
    )


def change_of(excerpt: Excerpt) -> Document:
    """As a history tells it. Raises UnreadableEvent."""
    position, id, version, topic, state, at = excerpt
    event = None if state is None else event_of(position, id, version, topic, state, coded=True)
    return change_document(position, id, version, topic, at, event)


def excerpt_of(row: Row) -> Excerpt:
    return Excerpt(
        row.position, row.originator_id, row.originator_version, row.topic, row.state, utc_text(row.recorded_at)
    )


def plainly_told(row: Plain) -> Fact:
    """The same of a row as the database gives it."""
    position, id, version, topic, state, tenant_id, subject_id, at, _command_id, _salt, digest = row
    recorded_at = _EPOCH + timedelta(0, 0, at)
    if state is None:
        return Erased(position, recorded_at, digest, tenant_id, topic, _uuid(id), version, _uuid(subject_id))
    return recorded(position, _uuid(id), version, topic, state, recorded_at, digest)


_uuid = lru_cache(maxsize=4_096)(uuid_from)
"""Rows that are read together are often about the same."""


def readable(rows: Sequence[_R], told: Callable[[_R], _F]) -> list[_F]:
    """Those before the first that cannot be read. Raises UnreadableEvent where that is the first of all."""
    facts: list[_F] = []
    for row in rows:
        try:
            facts.append(told(row))
        except UnreadableEvent:
            if not facts:
                raise
            break
    return facts


class LogHistory:
    """What `CloudEvents` reads where it has not followed an aggregate from its birth."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def before(self, originator_id: UUID, version: int) -> Sequence[Fact]:
        """Raises Unavailable, UnreadableEvent."""
        return [told_of(row) for row in await self._log.stream(originator_id, upto=version - 1)]
