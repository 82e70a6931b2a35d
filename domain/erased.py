"""What is left of an event whose content was erased: its place in the log, and the digest that proves it was there."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class Erased(NamedTuple):
    """`topic` still says what happened; who did it and what was said is gone. `digest` is the log's SHA-256.

    `damaged`: nobody erased it, it cannot be read. Readers are shown such a place; nothing is folded over it.
    """

    position: int
    recorded_at: datetime
    digest: bytes
    tenant_id: str
    topic: str
    originator_id: UUID
    originator_version: int
    subject_id: UUID
    damaged: bool = False
