"""Whether the rows of an export are a log that one can go on with, judged while they pass by. It is not the place of
`ims audit verify`, which names every fault; this ends with the first.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from service.audit.checkpoint import Checkpoint, checkpoint_of, origin_of
from service.audit.errors import ExportDamaged
from service.audit.export_file import Closing, Header
from service.audit.notes import NoteInvalid
from service.audit.orders import ordered_by
from service.audit.root import Root
from service.store.log import Row


class Soundness:
    """Positions are dense and times rise, contents have their digests, and the tree has the roots that were told.

    Every method raises ExportDamaged. Who signed the checkpoint is not looked at: that takes a key.
    """

    def __init__(self, header: Header) -> None:
        self._header = header
        self._checkpoint = _checkpoint(header)
        self._root = Root()
        self._at = datetime.min.replace(tzinfo=UTC)
        self._altered: dict[tuple[UUID, int], str] = {}
        """What does not have its digest, with the one that it has: an erasure that follows may have left it so."""

    def judge(self, rows: Sequence[Row]) -> None:
        """The next rows."""
        for position, row in enumerate(rows, start=self._root.size + 1):
            if row.position != position:
                raise ExportDamaged(f"position {row.position} follows {position - 1}")
            if row.recorded_at <= self._at:
                raise ExportDamaged(f"position {position} was recorded before the one before it")
            self._at = row.recorded_at
            self._judge_content(row)
        self._grow(rows)

    def end(self, closing: Closing) -> None:
        size, last = self._root.size, self._header.last
        if self._altered:
            position = min(position for _, position in self._altered)
            raise ExportDamaged(f"position {position}: its content does not have its digest")
        for told in (last, closing.rows):
            if size != told:
                raise ExportDamaged(f"{size} events, where {told} were exported")
        if self._checkpoint is not None and self._checkpoint.size > size:
            raise ExportDamaged(f"{size} events, where a checkpoint was signed of {self._checkpoint.size}")
        self._compare(closing.root, "were exported")

    def _judge_content(self, row: Row) -> None:
        if row.state is None or row.salt is None:
            return
        digest = hashlib.sha256(row.salt + row.state).digest()
        if digest != row.digest:
            self._altered[row.originator_id, row.position] = digest.hex()
            return
        for position, left in ordered_by(row).items():
            place = row.originator_id, position
            if self._altered.get(place) == left:
                del self._altered[place]

    def _grow(self, rows: Sequence[Row]) -> None:
        """Stop where the checkpoint was signed, and compare."""
        signed = 0 if self._checkpoint is None else self._checkpoint.size - self._root.size
        if self._checkpoint is not None and 0 < signed <= len(rows):
            self._root.grow(rows[:signed])
            self._compare(self._checkpoint.root, "the checkpoint was signed of")
            rows = rows[signed:]
        self._root.grow(rows)

    def _compare(self, root: bytes, what: str) -> None:
        if self._root.hash != root:
            raise ExportDamaged(f"the first {self._root.size} events are not those that {what}")


def _checkpoint(header: Header) -> Checkpoint | None:
    if header.checkpoint is None:
        return None
    try:
        checkpoint = checkpoint_of(header.checkpoint)
    except NoteInvalid as error:
        raise ExportDamaged(f"its checkpoint is none: {error}") from error
    if checkpoint.origin != origin_of(header.log_id):
        raise ExportDamaged(f"it names itself the log {header.log_id}, its checkpoint is of {checkpoint.origin}")
    return checkpoint
