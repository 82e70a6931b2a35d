"""The log as the rest of the service sees it: what is appended and what comes back. What can go wrong: `errors`."""

from collections.abc import AsyncIterable, Callable, Collection, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from domain.moments import utc_text
from projections.leaves import Leaf
from service.store.identity import Identity


class Entry(NamedTuple):
    """One event on its way into the log. `digest` is SHA-256(salt ‖ state); `command_id` only with a client's key."""

    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes
    tenant_id: str
    subject_id: UUID
    command_id: UUID | None
    salt: bytes
    digest: bytes


class Verdict(IntEnum):
    APPENDED = 1
    CONFLICT = 2
    REPEATED = 3


class Outcome(NamedTuple):
    """What became of one entry. Position and time are of the event recorded, or of the one that it repeats."""

    verdict: Verdict
    position: int = 0
    recorded_at: datetime | None = None


class Row(NamedTuple):
    """One event as it stands in the log, every column; `state` and `salt` are None once its content was erased."""

    position: int
    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes | None
    tenant_id: str
    subject_id: UUID
    recorded_at: datetime
    command_id: UUID | None
    salt: bytes | None
    digest: bytes


class Excerpt(NamedTuple):
    """What a history tells of a row; `at` is when it was recorded, as clients see it."""

    position: int
    originator_id: UUID
    originator_version: int
    topic: str
    state: bytes | None
    at: str


def excerpt_of(row: Row) -> Excerpt:
    return Excerpt(
        row.position, row.originator_id, row.originator_version, row.topic, row.state, utc_text(row.recorded_at)
    )


READ_BYTES = 4 * 2**20
"""Of content that is read at once, a single larger event apart, where nobody needs to have all of it in memory."""


def is_full(rows: Sequence[Row], limit: int, max_bytes: int = READ_BYTES) -> bool:
    """Whether there may be more beyond what was read with these limits."""
    return len(rows) >= limit or sum(size_of(row.state) for row in rows) >= max_bytes


def size_of(state: Any) -> int:
    """Bytes of an event's content; of what somebody put there that is none, 0."""
    return len(state) if isinstance(state, bytes | str) else 0


Plain = Sequence[Any]
"""The columns of a `Row`, in their order: ids as 32 hexadecimal digits, the time in microseconds since 1970."""


class Counted(NamedTuple):
    """How many events are about something, and the position of the last of them."""

    total: int
    last: int


NONE_COUNTED = Counted(0, 0)


class Clocks(NamedTuple):
    """The database's clock, and when the newest event was recorded, None for an empty log: seconds since 1970."""

    now: float
    newest: float | None


class Redaction(NamedTuple):
    """What becomes of a row when content is erased from it; both are None where nothing is left. The digest stays."""

    position: int
    state: bytes | None
    salt: bytes | None


Sending = Callable[[], None]
"""Called before anything may reach the database: who gives up before that was sent nothing."""


def unheard() -> None:
    """Nobody asks whether anything was sent."""


class Log(Protocol):
    """Both engines pass the same contract test. Every method raises Unavailable when the database is away."""

    log_id: UUID
    restored: bool
    """Whether it was declared restored from a backup; it has a `log_id` of its own since."""

    async def append(self, entries: Sequence[Entry], sending: Sending = unheard) -> list[Outcome]:
        """Commit what fits, in one transaction; an outcome per entry, in order.

        No two entries may be of one aggregate or one command. Sending the same entries again is safe: an entry that is
        in the log already, by aggregate, version and salt, counts as appended.
        """
        ...

    async def erase(self, entry: Entry, redactions: Sequence[Redaction], sending: Sending = unheard) -> Outcome:
        """Append the entry as `append` does and, only where it is appended now, rewrite these rows of its aggregate:
        all of it in one transaction. Sending the same again is safe. Raises NotAnErasure."""
        ...

    async def confirm(self) -> None:
        """Return when whatever can be read by now is as durable as what `append` has acknowledged.

        An event whose append was never answered can be read while a standby still lacks it.
        """
        ...

    async def head(self) -> int:
        """The newest position; 0 for an empty log."""
        ...

    async def read(self, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        """Rows of the positions `after + 1 …`, at most `limit`; none more once their content is of `max_bytes`."""
        ...

    async def plain(self, after: int, limit: int, max_bytes: int | None = None) -> Sequence[Plain]:
        """The same, as quickly as the database gives them: for whoever looks at all of a long log."""
        ...

    async def leaves(self, after: int, limit: int) -> list[Leaf]:
        """The same as the audit tree has them, without their content."""
        ...

    async def stream(self, originator_id: UUID, after: int = -1, upto: int | None = None) -> list[Row]:
        """An aggregate's events of the versions `after + 1 … upto`."""
        ...

    async def by_aggregate(self, after: tuple[UUID, int], limit: int) -> list[Row]:
        """Rows in the order of aggregate and version, beyond one of these; at most `limit`."""
        ...

    async def of_tenant(self, tenant_id: str, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        """A tenant's rows beyond the position `after`, at most `limit`; looks at no others. `max_bytes`: see `read`."""
        ...

    async def of_subject(self, subject_id: UUID, after: int, limit: int, max_bytes: int | None = None) -> list[Row]:
        """The same for what is about one incident, its comments included, or about one schema of attributes."""
        ...

    async def page_of_subject(
        self, subject_id: UUID, after: int, limit: int, offset: int, known: Counted = NONE_COUNTED
    ) -> tuple[list[Excerpt], Counted]:
        """What a history tells of the same but for the first `offset` rows, and how many events are about it in all,
        of one snapshot. Those that are `known` from an earlier call are not counted again."""
        ...

    async def position_at(self, at: datetime) -> int:
        """The last position that was recorded at this time or before it; 0 before the first."""
        ...

    async def by_command(self, command_id: UUID) -> Row | None: ...

    async def tenant_of(self, originator_id: UUID) -> str | None:
        """Whose aggregate it is, None where it has no events; it costs the same whoever asks, however long its past."""
        ...

    async def tenants(self) -> list[tuple[str, int]]:
        """Every tenant with the position of its last event; as quick as there are few tenants."""
        ...

    async def count(self, tenant_id: str, after: int) -> int:
        """How many events the tenant has beyond a position."""
        ...

    async def digests(self, positions: Sequence[int]) -> dict[int, tuple[str, bytes]]:
        """Tenant and digest of what stands at these positions."""
        ...

    async def malformed(self, limit: int) -> list[tuple[int, str]]:
        """Positions, each with a column whose value only somebody else than a service can have put there."""
        ...

    async def clocks(self) -> Clocks: ...

    async def identity(self) -> Identity:
        """As it is now. Raises NotALog where there is not exactly one."""
        ...

    def leave_out(self, positions: Collection[int]) -> None:
        """From now on, do not look at these: for whoever goes on after what cannot be read."""
        ...

    async def restore(self) -> None:
        """Declare that it was restored from a backup: from now on it is another log."""
        ...

    async def load(
        self, batches: AsyncIterable[Sequence[Row]], log_id: UUID, *, restored: bool, formerly: UUID | None = None
    ) -> None:
        """Fill the empty log with another one's rows, exactly as they are, and make it that log: all of it or nothing.

        It takes as long as it takes; nobody can append meanwhile. Raises NotEmpty, NotALog, and what `batches` raises.
        """
        ...
