"""Values of the log that no service wrote: SQLite keeps whatever it is given in whatever column."""

import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import Final

_NO_ID: Final = (
    "typeof({column}) <> 'text' OR length({column}) <> 32 OR CAST({column} AS blob) GLOB CAST('*[^0-9a-f]*' AS blob)"
)
_WRONG: Final = {
    "originator_id": _NO_ID.format(column="originator_id"),
    "originator_version": "typeof(originator_version) <> 'integer' OR originator_version NOT BETWEEN 0 AND 2147483647",
    "topic": "typeof(topic) <> 'text'",
    "state": "typeof(state) NOT IN ('blob', 'null')",
    "tenant_id": "typeof(tenant_id) <> 'text'",
    "subject_id": _NO_ID.format(column="subject_id"),
    # Microseconds from the year 1 to the year 9999.
    "recorded_at": """typeof(recorded_at) <> 'integer'
                      OR recorded_at NOT BETWEEN -62135596800000000 AND 253402300799999999""",
    "command_id": f"command_id IS NOT NULL AND ({_NO_ID.format(column='command_id')})",
    "salt": "typeof(salt) NOT IN ('blob', 'null')",
    "digest": "typeof(digest) <> 'blob' OR length(digest) <> 32",
}
_WHICH: Final = " ".join(f"WHEN {wrong} THEN '{name}'" for name, wrong in _WRONG.items())
_FORMS: Final = f"""SELECT notification_id, CASE {_WHICH} END, CAST(topic AS blob), CAST(tenant_id AS blob)
                    FROM log ORDER BY notification_id"""  # noqa: S608 - of the words above


def malformed(connection: sqlite3.Connection, limit: int) -> list[tuple[int, str]]:
    """Positions and columns, at most so many."""
    return list(islice(_malformed(connection), limit))


def _malformed(connection: sqlite3.Connection) -> Iterator[tuple[int, str]]:
    for position, column, topic, tenant_id in connection.execute(_FORMS):
        if column is not None:
            yield position, column
            continue
        for name, text in (("topic", topic), ("tenant_id", tenant_id)):
            try:
                text.decode()
            except UnicodeDecodeError:
                yield position, name
