"""Whether the log still holds what was built from it: an older log may have been put back, or events taken out of it.

A position says how many events were applied, the digest of the last one says which: every event has a salt of its own,
so no other history has the same digest there.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

WAY_OUT = (
    "an older log was put back, or the log was changed beside the service. Stop every process of the service, then run "
    '`ims restored` (deploy/BACKUP.md, "After every restore")'
)


class OtherLog(Exception):
    """What was built belongs to another log than the one that is there, or to another history of it."""


class FollowedLog(Protocol):
    """The log that is followed. Every method raises Unavailable."""

    log_id: UUID

    async def head(self) -> int:
        """The newest position; 0 for an empty log."""
        ...

    async def digests(self, positions: Sequence[int]) -> Mapping[int, tuple[str, bytes]]:
        """Tenant and digest of what stands at these positions; those that the log does not have are missing."""
        ...


class Applied(Protocol):
    """How far something was built. `digest`: 64 hexadecimal digits, or empty where it is not known."""

    @property
    def name(self) -> str: ...
    @property
    def log_id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def digest(self) -> str: ...


async def disagreement(applied: Applied, log: FollowedLog) -> str:
    """What is wrong and which command mends it; empty where the log holds what was applied. Raises Unavailable."""
    if applied.log_id != str(log.log_id):
        built = f"{applied.name} was built from another log ({applied.log_id})"
        return f"{built}: run `ims projections rebuild`, then start"
    if not applied.position:
        return ""
    there = (await log.digests([applied.position])).get(applied.position)
    if there is None:
        found = f"the log ends at {await log.head()}, and {applied.name} had applied {applied.position} events"
    elif applied.digest not in ("", there[1].hex()):
        found = f"the event at position {applied.position} is another one than {applied.name} had applied"
    else:
        return ""
    return f"{found}: {WAY_OUT}"
