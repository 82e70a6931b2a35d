"""Content that is not what was recorded: by order of a later event, which is proven itself, or not.

An event that erases lists, for each position that it touched, the digest of what is left there; nothing where all went.
"""

from hashlib import sha256

from service.audit.orders import ordered_by
from service.audit.verify.findings import Fault, Findings, events
from service.store.log import Row


class Erasures:
    """Of rows whose positions rise, an aggregate's or all; what is told of is held in memory."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._waiting: dict[int, tuple[str, Fault]] = {}
        """The digest of what is left, and what it is a fault of unless somebody ordered it."""

    def altered(self, row: Row) -> None:
        """A row whose content does not have the digest that the log has of it."""
        self._waiting[row.position] = _left(row), _unordered(row)

    def whole(self, row: Row) -> None:
        """A row whose content is what was recorded: it may be an order."""
        for position, left in ordered_by(row).items():
            if position in self._waiting and self._waiting[position][0] == left:
                del self._waiting[position]
                self._findings.note(f"position {position}: erased by order at position {row.position}")

    def end(self) -> list[Fault]:
        """What nobody ordered."""
        return [fault for _, fault in self._waiting.values()]


def _left(row: Row) -> str:
    return "" if row.state is None else sha256((row.salt or b"") + row.state).hexdigest()


def _unordered(row: Row) -> Fault:
    if row.state is None:
        return events("EVENT_ERASED", row.position, row.position, "erased, and no order says so")
    return events("EVENT_ALTERED", row.position, row.position, "altered: its content does not have its digest")
