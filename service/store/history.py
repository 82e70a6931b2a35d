"""The log as facts: what happened, and what was erased in its place; and the past of an aggregate."""

from collections.abc import Sequence
from uuid import UUID

from domain.erased import Erased
from domain.event import Fact
from service.store.log import Log, Row
from service.store.mapper import UnreadableEvent, recorded_of


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


def readable(rows: Sequence[Row]) -> list[Fact]:
    """Those before the first that cannot be read. Raises UnreadableEvent where that is the first of all."""
    facts: list[Fact] = []
    for row in rows:
        try:
            facts.append(told_of(row))
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
