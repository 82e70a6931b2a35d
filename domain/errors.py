"""What the domain refuses, as types that carry the facts. HTTP statuses stand elsewhere, in one table.

Refused
├── Invalid        what was sent breaks rules; every fault is listed
├── Absent         there is no such thing, or it is deleted, or it is another tenant's
├── Forbidden      the user may not do this
├── Stale          the client decided on an older version
├── Unmatched      the version is not one that the client named as a precondition
├── Taken          the name, or the value, is there already
├── NotDeleted     what is to be restored was never deleted
└── LimitReached   there are as many as there may be
"""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what was sent.

    `code` is stable and UPPER_SNAKE; `message` says what would have been right; `field` names the member, dotted.
    """

    code: str
    message: str
    field: str | None = None

    def at(self, field: str) -> "Fault":
        return replace(self, field=field)


class Refused(Exception):
    """A command that the domain does not carry out. Nothing has changed."""


class Invalid(Refused):
    """`more`: how many faults there are beside these, of a kind with the last."""

    def __init__(self, faults: list[Fault], more: int = 0) -> None:
        super().__init__(", ".join(f"{fault.field}: {fault.code}" for fault in faults))
        self.faults, self.more = faults, more


class Absent(Refused):
    """The same for what never was, what is deleted, and what belongs to another tenant: it names no id."""


class Forbidden(Refused):
    """`str(error)` says who may."""


class Stale(Refused):
    """The client's `occ_lock` is not the aggregate's version.

    `changes` says what happened since, newest last; whoever has the log fills it in, `truncated` when there was more.
    """

    def __init__(self, expected: int, current: int, updated_by: str, updated_at: str) -> None:
        super().__init__(f"occ_lock is {current} by now, not {expected}")
        self.expected, self.current, self.updated_by, self.updated_at = expected, current, updated_by, updated_at
        self.changes: list[dict[str, Any]] = []
        self.truncated = False


class Unmatched(Refused):
    """The version is none of those that the client's `If-Match` allows (RFC 9110, 13.1.1)."""


class Taken(Refused):
    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class NotDeleted(Refused):
    """Only what is deleted can be restored."""


class LimitReached(Refused):
    """`str(error)` names the limit."""
