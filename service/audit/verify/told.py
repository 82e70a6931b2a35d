"""What an event tells, as plain values: the members of its state, ids and times as the log has them."""

from typing import Any

Content = dict[str, Any]
"""The members of an event's state. Ids and times among them may be coded: they are taken from the log's columns."""
Row = tuple[Any, ...]
"""A row of a read model, every column of its table in order."""


def dashed(id: str) -> str:
    """Of 32 hexadecimal digits, an id as clients see it."""
    return f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}"
