"""The log for those who publish it: also what was erased has its place, and an aggregate's past can be read."""

from collections.abc import Sequence
from uuid import UUID

from domain.erased import Erased
from domain.event import Recorded
from service.store.log import Log, Row
from service.store.mapper import recorded_of


def told_of(row: Row) -> Recorded | Erased:
    """Raises UnreadableEvent for what a newer release wrote."""
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


class LogHistory:
    """What `CloudEvents` reads where it has not followed an aggregate from its birth."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def before(self, originator_id: UUID, version: int) -> Sequence[Recorded | Erased]:
        """Raises Unavailable, UnreadableEvent."""
        return [told_of(row) for row in await self._log.stream(originator_id, upto=version - 1)]
