"""Which log it is: the one row that says so, and when that cannot be."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID


class NotALog(Exception):
    """Rows were to be loaded that no log can hold together; nothing was loaded."""


NOT_TOLD = UUID(int=0)
"""Of a log that was declared restored by a release that did not write down which one it was before."""


class Identity(NamedTuple):
    """Which log this is. `restored`: whether it was declared restored from a backup; `formerly`: which one it was
    before that, None where it never was. The two say the same, unless somebody changed one of them."""

    log_id: UUID
    restored: bool
    formerly: UUID | None

    @property
    def contradicts(self) -> bool:
        return self.restored != (self.formerly is not None)


def identity_of(rows: Sequence[Sequence[Any]]) -> Identity:
    """Of all rows that say it. Raises NotALog."""
    if len(rows) != 1:
        raise NotALog(f"log_identity has {len(rows)} rows, where it has exactly one")
    log_id, restored, formerly = rows[0]
    try:
        return Identity(UUID(str(log_id)), bool(restored), None if formerly is None else UUID(str(formerly)))
    except ValueError:
        raise NotALog(f"log_identity says {log_id!r:.50}, formerly {formerly!r:.50}: one of them is no id") from None
