"""What an event tells, as plain values: the members of its state, ids and times as the log has them."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from domain.moments import utc_text

Content = dict[str, Any]
"""The members of an event's state. Ids and times among them may be coded: they are taken from the log's columns."""
Row = tuple[Any, ...]
"""A row of a read model, every column of its table in order."""

_FRACTION = len(".000000Z")


def dashed(id: str) -> str:
    """Of 32 hexadecimal digits, an id as clients see it."""
    return f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"


def utc(at: int) -> str:
    """Of microseconds since 1970, a time as clients see it."""
    return "%s.%06dZ" % (_second(at // 1_000_000), at % 1_000_000)  # noqa: UP031 - quicker than an f-string here


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return utc_text(datetime.fromtimestamp(seconds, UTC))[:-_FRACTION]
