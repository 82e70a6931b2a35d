"""The verification of an export, with nothing but the file and a public key."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from projections.tiles import Edge
from service.audit.checkpoint import checkpoint_of, origin_of
from service.audit.export_file import Closing, ExportFile, Header
from service.audit.notes import NoteInvalid, Verifier
from service.audit.verify.contents import leaf_of_row
from service.audit.verify.erasures import Erasures, judged
from service.audit.verify.findings import Fault, Findings, events
from service.audit.verify.report import Summary
from service.audit.verify.trust import Claim, Trust
from service.progress import progress
from service.store.log import Row


def verify_export(path: Path, keys: Sequence[Verifier], notes: Sequence[str]) -> tuple[Summary, Findings]:
    """Raises ExportDamaged, OSError."""
    findings = Findings()
    trust = Trust(findings, keys)
    with ExportFile.open(path) as file, progress("events", file.header.last) as done:
        given = [*notes, *([file.header.checkpoint] if file.header.checkpoint is not None else [])]
        claims = [claim for note in given if (claim := trust.claim(note, "the checkpoint")) is not None]
        if not given:
            findings.add([Fault("NOT_SIGNED", "no checkpoint tells that these are the events that were recorded")])
        findings.add(_of_another_log(file.header))
        walk = _ExportWalk(findings, claims)
        for row in file.rows():
            walk.take(row)
            done(walk.position)
        walk.end(file.header, file.closing)
        return Summary(f"an export of the log {file.header.log_id}", walk.position, 0, len(given)), findings


def _of_another_log(header: Header) -> Iterator[Fault]:
    """No event tells of which log it is: the checkpoint does."""
    if header.contradicts:
        yield Fault("LOG_CONTRADICTED", header.contradicts)
    if header.checkpoint is None:
        return
    with suppress(NoteInvalid):
        origin = checkpoint_of(header.checkpoint).origin
        if origin != origin_of(header.log_id):
            text = f"the file names itself the log {header.log_id}, its checkpoint is of {origin}"
            yield Fault("LOG_CONTRADICTED", text)


class _ExportWalk:
    """The rows in their order; a tree is grown of them, as large as the claims are, as long as none is missing."""

    def __init__(self, findings: Findings, claims: Sequence[Claim]) -> None:
        self._findings, self._claims = findings, sorted(claims)
        self._erasures = Erasures(findings)
        self._edge = Edge(0, {})
        self._dense = True
        self._signed = 0
        self._at = datetime.min.replace(tzinfo=UTC)
        self.position = 0

    def take(self, row: Row) -> None:
        if row.position <= self.position:
            self._findings.add([events("EVENT_MOVED", row.position, row.position, f"after event {self.position}")])
            return
        if row.position > self.position + 1:
            self._dense = False
            self._findings.add([events("EVENTS_MISSING", self.position + 1, row.position - 1, "missing")])
        if row.recorded_at <= self._at:
            text = "altered: recorded before the one before it"
            self._findings.add([events("EVENT_ALTERED", row.position, row.position, text)])
        self._at = row.recorded_at
        self._grow(row)
        if (fault := judged(row, self._erasures)) is not None:
            self._findings.add([fault])

    def end(self, header: Header, closing: Closing) -> None:
        self._findings.add(self._erasures.end())
        for expected in sorted({header.last, closing.rows} - {self.position}):
            text = f"the file ends at {self.position}, where {expected} events were exported"
            self._findings.add([Fault("LOG_CUT", text)])
        for claim in self._claims:
            text = f"the file ends at {self.position}, before checkpoint {claim.size}"
            self._findings.add([Fault("LOG_CUT", text)])
        if self._dense and closing.root != self._edge.root:
            text = "the last line of the file tells another root than these events have"
            self._findings.add([Fault("ROOT_CONTRADICTED", text)])
        if 0 < self._signed < self.position:
            text = f"without a signature: the newest checkpoint is of {self._signed}"
            self._findings.note(events("NOT_SIGNED", self._signed + 1, self.position, text).text)

    def _grow(self, row: Row) -> None:
        self.position = row.position
        if self._dense:
            self._edge.grow([leaf_of_row(row).hash])
        while self._claims and self._claims[0].size <= self.position:
            claim = self._claims.pop(0)
            if not claim.size:
                continue
            if self._dense and claim.root == self._edge.root:
                self._signed = claim.size
                continue
            text = f"checkpoint {claim.size} has another root than these events"
            self._findings.add([Fault("CHECKPOINT_CONTRADICTED", text, 0, claim.size)])
