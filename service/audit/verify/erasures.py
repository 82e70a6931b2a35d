"""Content that is not what was recorded: by order of a later event, which is proven itself, or not.

An event that erases lists, for each position that it touched, the digest of what is left there; nothing where all went.
"""

from hashlib import sha256

from service.audit.orders import OF_COMMENTS, ordered_by
from service.audit.verify.contents import UNSOUND, is_whole, members, read
from service.audit.verify.findings import Fault, Findings, events
from service.store.log import Row


class Erasures:
    """Of rows whose positions rise, an aggregate's or all; what is told of is held in memory."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._waiting: dict[int, tuple[str, Fault, Row]] = {}
        """The digest of what is left, and what it is a fault of unless somebody ordered it."""
        self._faults: list[Fault] = []

    def altered(self, row: Row) -> None:
        """A row whose content does not have the digest that the log has of it."""
        self._waiting[row.position] = _left(row), _unordered(row), row
        if row.originator_id != row.subject_id and row.topic not in OF_COMMENTS:
            self._faults.append(_contradicts(row, "its subject_id is not the aggregate that it is of"))

    def whole(self, row: Row) -> None:
        """A row whose content is what was recorded: it may be an order."""
        for position, left in ordered_by(row).items():
            if position not in self._waiting or self._waiting[position][0] != left:
                continue
            erased = self._waiting.pop(position)[2]
            for column in ("originator_id", "subject_id", "tenant_id"):
                if getattr(erased, column) != getattr(row, column):
                    text = f"its {column} is not the one of the event that erased it, {row.position}"
                    self._faults.append(_contradicts(erased, text))
            if left and isinstance(fault := read(erased), Fault):
                self._faults.append(fault)
            rests = ", which alone vouches for what is left" if left else ""
            self._findings.note(f"position {position}: erased by order at position {row.position}{rests}")

    def end(self) -> list[Fault]:
        """What nobody ordered, and what contradicts the order."""
        return [*self._faults, *(fault for _, fault, _ in self._waiting.values())]


def judged(row: Row, erasures: Erasures) -> Fault | None:
    """The next row by itself; what was erased, when `erasures` ends."""
    if not is_whole(row):
        erasures.altered(row)
        return None
    erasures.whole(row)
    command_id = None if row.command_id is None else row.command_id.hex
    try:
        members(
            row.topic, row.state or b"", row.tenant_id, row.originator_id.hex, row.subject_id.hex, command_id
        )  # fmt: skip
    except UNSOUND:
        found = read(row)
        return found if isinstance(found, Fault) else None
    return None


def _left(row: Row) -> str:
    if row.state is None:
        return ""
    return sha256((row.salt or b"") + row.state).hexdigest() if type(row.state) is bytes else "no bytes"


def _unordered(row: Row) -> Fault:
    if row.state is None:
        return events("EVENT_ERASED", row.position, row.position, "erased, and no order says so")
    return events("EVENT_ALTERED", row.position, row.position, "altered: its content does not have its digest")


def _contradicts(row: Row, what: str) -> Fault:
    return events("EVENT_ALTERED", row.position, row.position, f"altered: {what}")
