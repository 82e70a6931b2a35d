"""The write path, written once: load, decide, append with the version that was decided on.

What is refused on a cached view is decided again on a fresh one before anyone is told; a race that was lost is decided
again too, a bounded number of times. With an `occ_lock` the aggregate then refuses by itself.
"""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from domain.attribute_types import Definitions
from domain.erased import Erased
from domain.erasure import OF_INCIDENT, Erasing
from domain.errors import Absent, Refused, Stale
from domain.event import Act, Fact, Kept, Recorded
from domain.incident import Incident
from domain.moments import utc_text
from service.aggregates import Aggregates
from service.crowd import Crowd
from service.definitions import TenantDefinitions
from service.store.errors import Conflict, Repeated
from service.store.history import fold_of, folded, told_of
from service.store.log import Log, Row, size_of
from service.store.slices import each
from service.store.writer import Writer

MAX_DECISIONS = 100
"""How often a command is decided when other processes keep changing the aggregate first: whoever has just won has a
head start, so a process with many commands for one aggregate wins many times in a row."""
MAX_CHANGES = 50
"""Changes shown to a client whose lock is stale, the newest."""
MAX_CHANGES_BYTES = 2**18
"""Of their content: the newest that fit are told, none where the last one alone is larger."""
CHANGES_AT_ONCE = 10
"""Of them, as many as are read at once."""

A = TypeVar("A", bound=Kept)


class KeyReused(Exception):
    """An idempotency key came with another request than the first time."""


class CommandErased(Exception):
    """The request was carried out before, but something that it is answered with has been erased since."""


class ContentErased(Exception):
    """What is asked for was there, but its content has been erased since."""


class Contended(Exception):
    """Other processes changed the aggregate each time before this command could be recorded."""


class Done(NamedTuple, Generic[A]):
    """The aggregate after the command, and its event's position; None where nothing had to change."""

    aggregate: A
    position: int | None


class Commands:
    def __init__(self, log: Log, writer: Writer, aggregates: Aggregates, definitions: TenantDefinitions) -> None:
        self._log, self._writer, self._crowd = log, writer, Crowd()
        self._aggregates, self._definitions = aggregates, definitions

    async def create(self, act: Act, make: Callable[[Definitions], A]) -> Done[A]:
        """`make` gives the new aggregate, or refuses. Raises Overloaded, too, and what appending raises.

        It is not cached: most that are new are not changed next, and thousands of them in memory cost every request
        (the garbage collector and the processor's cache) a fifth of its time.
        """
        tenant_id = act.tenant_id
        if not self._crowd.may_enter(tenant_id):
            await self._crowd.turn(tenant_id)
        try:
            if act.request_digest and (before := await self.repeated(act)) is not None:
                return before
            try:
                known = self._definitions.remembered(tenant_id)
                aggregate = make(await self._definitions.of(tenant_id) if known is None else known)
            except Refused:
                aggregate = make(await self._definitions.of(tenant_id, fresh=True))
            return await self._record(act, aggregate)
        finally:
            self._crowd.leave(tenant_id)

    async def change(
        self,
        act: Act,
        kind: type[A],
        id: UUID,
        decide: Callable[[A, Definitions], None],
        default: Callable[[], A] | None = None,
    ) -> Done[A]:
        """`decide` calls one command method of the aggregate; `default` makes the aggregate that has no events yet.

        Raises what it refuses; Absent where the tenant has no such aggregate; Contended, Overloaded; and what appending
        raises.
        """
        if not self._crowd.may_enter(act.tenant_id):
            await self._crowd.turn(act.tenant_id)
        try:
            return await self._changed(act, kind, id, decide, default)
        finally:
            self._crowd.leave(act.tenant_id)

    async def _changed(
        self,
        act: Act,
        kind: type[A],
        id: UUID,
        decide: Callable[[A, Definitions], None],
        default: Callable[[], A] | None,
    ) -> Done[A]:
        if act.request_digest and (before := await self.repeated(act)) is not None:
            return before
        if default is None and not await self._aggregates.belongs(id, act.tenant_id):
            raise Absent  # before its lane is taken: another tenant's commands wait for nothing here
        fresh = False
        async with self._aggregates.lane(id):
            for _ in range(MAX_DECISIONS):
                aggregate = await self._aggregates.take(id, fresh=fresh) or (default and default())
                if aggregate is None:
                    raise Absent
                try:
                    if not isinstance(aggregate, kind):
                        raise Absent
                    await self._decide(act, aggregate, decide, fresh)
                except Refused as refusal:
                    self._aggregates.keep(aggregate)
                    if fresh:
                        # The same command may have been under way twice, and the other one was quicker.
                        if (before := await self.repeated(act)) is not None:
                            return before
                        await self.explain(refusal, id)
                        raise
                    fresh = True
                    continue
                if not aggregate.pending_events:
                    self._aggregates.keep(aggregate)
                    if fresh:
                        return await self.repeated(act) or Done(aggregate, None)
                    fresh = True
                    continue
                try:
                    done = await self._record(act, aggregate)
                except Conflict:
                    fresh = True
                else:
                    self._aggregates.keep(done.aggregate)
                    return done
        raise Contended

    async def incident(self, tenant_id: str, id: UUID) -> Incident:
        """The incident as the log has it now, to look at. Raises Absent where the tenant has none or it is deleted."""
        if not await self._aggregates.belongs(id, tenant_id):
            raise Absent
        for fresh in (False, True):
            incident = await self._aggregates.look(id, fresh=fresh)
            if isinstance(incident, Incident) and incident.tenant_id == tenant_id and not incident.deleted:
                return incident
        raise Absent

    async def version(self, tenant_id: str, id: UUID, version: int) -> Incident:
        """The incident as a version left it, of the log; as the newest did, where there is no such version.

        Raises Absent where the tenant has no such incident, ContentErased.
        """
        if not await self._aggregates.belongs(id, tenant_id):
            raise Absent
        rows = await self._log.stream(id, upto=version)
        if any(row.state is None for row in rows):
            raise ContentErased
        incident = await folded(rows)
        if not isinstance(incident, Incident):
            raise Absent
        if any(incident.details[member] is None for member in OF_INCIDENT if member in incident.details):
            raise ContentErased
        return incident

    async def _decide(self, act: Act, aggregate: A, decide: Callable[[A, Definitions], None], fresh: bool) -> None:
        if aggregate.tenant_id not in ("", act.tenant_id):
            raise Absent
        known = None if fresh else self._definitions.remembered(act.tenant_id)
        decide(aggregate, await self._definitions.of(act.tenant_id, fresh=fresh) if known is None else known)

    async def _record(self, act: Act, aggregate: A) -> Done[A]:
        (event,) = aggregate.collect_events()
        try:
            recorded = await self._writer.append(event, repeatable=bool(act.request_digest))  # type: ignore[arg-type]
        except Repeated:
            before = await self.repeated(act)
            if before is None:
                raise
            return before
        aggregate.recorded(recorded.recorded_at)
        return Done(aggregate, recorded.position)

    async def repeated(self, act: Act) -> Done[Any] | None:
        """What the same command did before: the version of the aggregate that it made."""
        if not act.request_digest:
            return None
        row = await self._log.by_command(act.command_id)
        if row is None:
            return None
        facts = await each(told_of, await self._log.stream(row.originator_id))
        known = [fact for fact in facts if fact.position <= row.position]
        rewritten = {position for fact in facts[len(known) :] for position in _rewritten_by(fact)}
        if any(isinstance(fact, Erased) or fact.position in rewritten for fact in known):
            raise CommandErased
        if known[-1].event.request_digest != act.request_digest:  # type: ignore[union-attr]
            raise KeyReused
        await self._log.confirm()
        return Done(await fold_of(known), row.position)

    async def explain(self, refusal: Refused, id: UUID) -> None:
        """A client whose lock is stale gets what was changed since, to recover in one round trip."""
        if isinstance(refusal, Stale):
            first = max(refusal.expected, refusal.current - MAX_CHANGES)
            rows, room = list[Row](), MAX_CHANGES_BYTES
            for upto in range(refusal.current, first, -CHANGES_AT_ONCE):
                for row in reversed(await self._log.stream(id, max(first, upto - CHANGES_AT_ONCE), upto)):
                    room -= size_of(row.state)
                    if room < 0:
                        break
                    rows.append(row)
                if room < 0:
                    break
            refusal.truncated = first > refusal.expected or room < 0
            facts = [told_of(row) for row in reversed(rows)]
            refusal.changes = [_change(fact) for fact in facts if isinstance(fact, Recorded)]


def _rewritten_by(fact: Fact) -> list[int]:
    """The positions of the events that this one took content away from."""
    return list(map(int, fact.event.redacted)) if isinstance(fact, Recorded) and isinstance(fact.event, Erasing) else []


def _change(fact: Recorded) -> dict[str, Any]:
    event = fact.event
    return {
        "occ_lock": event.originator_version,
        "by": event.user_name,
        "at": utc_text(fact.recorded_at),
        "changes": event.changes(),
    }
