"""The log as facts: what happened, and what was erased in its place; and the past of an aggregate."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from domain.erased import Erased
from domain.event import Fact, Kept, fold
from projections.changes import change_document, unreadable_change
from projections.documents import Document
from service.store.ids import uuid_from
from service.store.log import Excerpt, Log, Plain, Row
from service.store.mapper import NewerEvent, UnreadableEvent, event_of, recorded, recorded_of
from service.store.slices import each, in_slices

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_R = TypeVar("_R")
_F = TypeVar("_F")


def told_of(row: Row) -> Fact:
    """Raises UnreadableEvent for what a newer release wrote, or what is damaged."""
    return recorded_of(row) if row.state is not None else _place_of(row)


def shown_of(row: Row) -> Fact:
    """The same for whoever only shows it: of what is damaged, its place. Raises NewerEvent for what a newer release
    wrote, which another process may be able to read."""
    try:
        return told_of(row)
    except NewerEvent:
        raise
    except UnreadableEvent:
        return _place_of(row, damaged=True)


def _place_of(row: Row, *, damaged: bool = False) -> Erased:
    return Erased(
        row.position, row.recorded_at, row.digest, row.tenant_id, row.topic, row.originator_id, row.originator_version,
        row.subject_id, damaged,
    )  # fmt: skip


async def folded(rows: Iterable[Row], aggregate: Kept | None = None) -> Any:
    """The aggregate after these events, or None where there is neither. Nobody else may have the aggregate meanwhile:
    it is changed. Raises UnreadableEvent, also where they do not follow each other."""
    return await fold_of(map(told_of, rows), aggregate)


async def fold_of(facts: Iterable[Fact], aggregate: Kept | None = None) -> Any:
    """The same of facts."""
    async for fact in in_slices(facts):
        try:
            aggregate = fold((fact,), aggregate)
        except Exception as error:
            raise UnreadableEvent(
                f"event {fact.position} does not follow those of its aggregate before it ({type(error).__name__}): "
                "`ims audit verify` names what was altered"
            ) from error
    return aggregate


def change_of(excerpt: Excerpt) -> Document:
    """As a history tells it; of what cannot be read, only its place."""
    position, id, version, topic, state, at = excerpt
    try:
        event = None if state is None else event_of(position, id, version, topic, state, coded=True)
        return change_document(position, id, version, topic, at, event)
    except UnreadableEvent:
        return unreadable_change(position, id, version, topic, at)


def plainly_told(row: Plain) -> Fact:
    """The same of a row as the database gives it."""
    position, id, version, topic, state, tenant_id, subject_id, at, _command_id, _salt, digest = row
    try:
        recorded_at, aggregate = _EPOCH + timedelta(0, 0, at), _uuid(id)
        if state is None:
            return Erased(position, recorded_at, digest, tenant_id, topic, aggregate, version, _uuid(subject_id))
    except (TypeError, ValueError, OverflowError) as error:
        raise UnreadableEvent(f"a column of position {position} is damaged: {error}") from None
    return recorded(position, aggregate, version, topic, state, recorded_at, digest)


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
        """Raises Unavailable, NewerEvent."""
        return await each(shown_of, await self._log.stream(originator_id, upto=version - 1))
