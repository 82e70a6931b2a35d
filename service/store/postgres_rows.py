"""Rows of the log as the driver for PostgreSQL gives them, and what is made of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any
from uuid import UUID

from domain.moments import utc_text
from service.store.ids import uuid_of
from service.store.log import Excerpt, Row
from service.store.mapper import UnreadableEvent


@contextmanager
def told_in_time() -> Iterator[None]:
    """The driver has no years but those of Python."""
    try:
        yield
    except (OverflowError, ValueError):
        raise UnreadableEvent("an event has a time that cannot be told: `ims audit verify` names it") from None


def _row(
    position: int, originator_id: UUID, version: int, topic: str, state: bytes | None, tenant_id: str,
    subject_id: UUID, recorded_at: datetime, command_id: UUID | None, salt: bytes | None, digest: bytes,
) -> Row:  # fmt: skip
    if not MINYEAR < recorded_at.year < MAXYEAR:  # what the driver makes of the infinite ones
        raise OverflowError
    # The driver's ids are of a class of its own, which neither the mapper nor orjson takes for a UUID.
    return Row(
        position, uuid_of(originator_id.int), version, topic, state, tenant_id, uuid_of(subject_id.int), recorded_at,
        uuid_of(command_id.int) if command_id else None, salt, digest,
    )  # fmt: skip


def row_of(row: Sequence[Any]) -> Row:
    return _row(*row)


def excerpt(
    position: int, originator_id: UUID, version: int, topic: str, state: bytes | None, recorded_at: datetime
) -> Excerpt:
    return Excerpt(position, uuid_of(originator_id.int), version, topic, state, utc_text(recorded_at))
