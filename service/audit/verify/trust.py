"""Checkpoints as claims about the log: whose signature holds, and what they say."""

from collections.abc import Sequence
from typing import NamedTuple

from service.audit.checkpoint import verified
from service.audit.checkpoints import Checkpoints
from service.audit.notes import NoteInvalid, Verifier
from service.audit.verify.findings import Fault, Findings

PART = 1_000
"""Checkpoints read at once."""


class Claim(NamedTuple):
    size: int
    root: bytes


class Trust:
    """The keys that count: those that are kept beside the log, or the one that somebody kept elsewhere."""

    def __init__(self, findings: Findings, keys: Sequence[Verifier]) -> None:
        self._findings, self._keys = findings, keys

    def claim(self, note: str, name: str, size: int | None = None, origin: str | None = None) -> Claim | None:
        """None where nothing can be concluded from it; that is a fault then. `size`, `origin`: what is kept beside it,
        which has to say the same."""
        try:
            found = verified(note, self._keys)
        except NoteInvalid as error:
            self._findings.add([Fault("CHECKPOINT_NOT_SIGNED", f"{name}: {error}")])
            return None
        for what, kept, signed in (("size", size, found.size), ("origin", origin, found.origin)):
            if kept not in (None, signed):
                self._findings.add([Fault("CHECKPOINT_ALTERED", f"{name}: its {what} is {signed} in what was signed")])
        return Claim(found.size, found.root)


class Claims:
    """The checkpoints that are kept beside the log and those that somebody kept elsewhere, sizes rising."""

    def __init__(self, checkpoints: Checkpoints | None, trust: Trust, others: Sequence[Claim] = ()) -> None:
        self._checkpoints, self._trust = checkpoints, trust
        self._waiting = sorted(others)
        self._read: tuple[int, str] | None = (-1, "")
        self.count = len(others)

    async def upto(self, size: int | None) -> list[Claim]:
        """The next ones, up to a size; all that are left without one."""
        while self._read is not None and (size is None or self._read[0] <= size):
            await self._more()
        due = [claim for claim in self._waiting if size is None or claim.size <= size]
        self._waiting = [claim for claim in self._waiting if size is not None and claim.size > size]
        return due

    async def _more(self) -> None:
        if self._checkpoints is None or self._read is None:
            self._read = None
            return
        rows = await self._checkpoints.beyond(*self._read, PART)
        for size, origin, note in rows:
            claim = self._trust.claim(note, f"checkpoint {size}", size, origin)
            if claim is not None:
                self._waiting.append(claim)
        self._waiting.sort()
        self.count += len(rows)
        self._read = (rows[-1][0], rows[-1][1]) if len(rows) == PART else None
