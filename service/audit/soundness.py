"""Whether the rows of an export are a log that one can go on with, judged while they pass by; by what `ims audit
verify` judges them, which names every fault; this ends with the first.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from service.audit.checkpoint import Checkpoint, checkpoint_of, origin_of
from service.audit.errors import ExportDamaged
from service.audit.export_file import Closing, Header
from service.audit.notes import NoteInvalid
from service.audit.root import Root
from service.audit.verify.erasures import Erasures, judged
from service.audit.verify.findings import Findings
from service.store.log import Row


class Soundness:
    """Positions are dense and times rise, contents have their digests and say what the columns beside them say, and the
    tree has the roots that were told.

    Every method raises ExportDamaged. Who signed the checkpoint is not looked at: that takes a key.
    """

    def __init__(self, header: Header) -> None:
        self._header = header
        self._checkpoint = _checkpoint(header)
        self._root = Root()
        self._at = datetime.min.replace(tzinfo=UTC)
        self._erasures = Erasures(Findings())
        if header.contradicts:
            raise ExportDamaged(header.contradicts)

    def judge(self, rows: Sequence[Row]) -> None:
        """The next rows."""
        for position, row in enumerate(rows, start=self._root.size + 1):
            if row.position != position:
                raise ExportDamaged(f"position {row.position} follows {position - 1}")
            if row.recorded_at <= self._at:
                raise ExportDamaged(f"position {position} was recorded before the one before it")
            self._at = row.recorded_at
            if (fault := judged(row, self._erasures)) is not None:
                raise ExportDamaged(fault.text)
        self._grow(rows)

    def end(self, closing: Closing) -> None:
        size, last = self._root.size, self._header.last
        for fault in self._erasures.end():
            raise ExportDamaged(fault.text)
        for told in (last, closing.rows):
            if size != told:
                raise ExportDamaged(f"{size} events, where {told} were exported")
        if self._checkpoint is not None and self._checkpoint.size > size:
            raise ExportDamaged(f"{size} events, where a checkpoint was signed of {self._checkpoint.size}")
        self._compare(closing.root, "were exported")

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
