"""Erasing, written once: load, decide, rewrite what was recorded, in one transaction with the event that says so.

It is decided on what the log has, never on what is cached: which events have to be rewritten follows from all of them.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from domain.erased import Erased
from domain.erasure import ALL, Erasing, Fields
from domain.errors import Absent, Refused
from domain.event import Act, Fact, Recorded
from domain.redaction import without
from service.aggregates import Aggregates
from service.commands import MAX_DECISIONS, A, Commands, Contended, KeyReused
from service.store.eraser import Eraser
from service.store.errors import Conflict, Repeated
from service.store.history import fold_of, told_of
from service.store.log import Log, Redaction
from service.store.mapper import recorded_of, sealed
from service.store.slices import each, in_slices


class Erasures:
    def __init__(self, log: Log, eraser: Eraser, aggregates: Aggregates, commands: Commands) -> None:
        self._log, self._eraser, self._aggregates, self._commands = log, eraser, aggregates, commands

    async def erase(
        self, act: Act, kind: type[A], id: UUID, fields: Fields, decide: Callable[[A, dict[str, str]], None]
    ) -> Recorded:
        """`decide` calls the aggregate's `erase` with what becomes of its earlier events; returns the new event.

        Raises what it refuses; Absent where the tenant has no such aggregate; Contended, KeyReused, and what erasing
        raises.
        """
        if (before := await self._repeated(act)) is not None:
            return before
        if not await self._aggregates.belongs(id, act.tenant_id):
            raise Absent
        async with self._aggregates.lane(id):
            for _ in range(MAX_DECISIONS):
                facts = await each(told_of, await self._log.stream(id))
                redactions, redacted = await redactions_of(facts, fields)
                try:
                    aggregate = await fold_of(facts)
                    if not isinstance(aggregate, kind) or aggregate.tenant_id != act.tenant_id:
                        raise Absent
                    decide(aggregate, redacted)
                except Refused as refusal:
                    # The same command may have been under way twice, and the other one was quicker.
                    if (before := await self._repeated(act)) is not None:
                        return before
                    await self._commands.explain(refusal, id)
                    raise
                (event,) = aggregate.collect_events()
                try:
                    return await self._eraser.erase(event, redactions, repeatable=bool(act.request_digest))  # type: ignore[arg-type]
                except Conflict:
                    continue
                except Repeated:
                    if (before := await self._repeated(act)) is not None:
                        return before
                    raise
        raise Contended

    async def _repeated(self, act: Act) -> Recorded | None:
        """What the same command did before. Raises KeyReused."""
        row = await self._log.by_command(act.command_id) if act.request_digest else None
        if row is None:
            return None
        before = recorded_of(row)
        if before.event.request_digest != act.request_digest:
            raise KeyReused
        return before


async def redactions_of(facts: Sequence[Fact], fields: Fields) -> tuple[list[Redaction], dict[str, str]]:
    """What becomes of these events, and the same as the event that erases tells it."""
    redactions, redacted = [], {}
    async for fact in in_slices(facts):
        if isinstance(fact, Erased) or isinstance(fact.event, Erasing):
            continue
        if fields == ALL:
            redactions.append(Redaction(fact.position, None, None))
            redacted[str(fact.position)] = ""
            continue
        left = without(fact.event, fields)
        if left is not fact.event:
            state, salt, digest = sealed(left)
            redactions.append(Redaction(fact.position, state, salt))
            redacted[str(fact.position)] = digest.hex()
    return redactions, redacted
