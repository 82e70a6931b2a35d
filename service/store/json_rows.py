"""Many rows as one argument of a statement on PostgreSQL: a JSON text, which the server takes apart.

An array for each column would be the usual way, but the driver asks of each element whether it is an array itself.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson


def json_rows(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """An array of objects, for `json_to_recordset`; bytes in the hexadecimal form of `bytea`."""
    return orjson.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=_hexadecimal).decode()


def _hexadecimal(value: object) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    raise TypeError(f"no column holds a {type(value).__name__}")
