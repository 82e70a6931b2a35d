"""What a file of SQLite must be. A file keeps the encoding that it was made with for ever."""

import sqlite3

from service.store.conditions import Condition, Finding, Weight

ENCODING = "UTF-8"
_LOG = Condition(
    "encoding",
    f"{ENCODING}, which its contents are kept in",
    "Name another file in IMS_DATABASE_URL. A log that is in this one moves: `ims audit export log.gz` with the old "
    "URL, `ims audit import log.gz` with the new one.",
    Weight.REFUSES_START,
)
_READ_MODELS = Condition(
    "encoding",
    f"{ENCODING}, which its contents are kept in",
    "Delete it: the read models are built again from the log.",
    Weight.REFUSES_START,
)


def look_at_log(connection: sqlite3.Connection) -> Finding:
    return _found(connection, _LOG)


def look_at_read_models(connection: sqlite3.Connection) -> Finding:
    return _found(connection, _READ_MODELS)


def _found(connection: sqlite3.Connection, condition: Condition) -> Finding:
    (encoding,) = connection.execute("PRAGMA encoding").fetchone()
    (_, _, path) = connection.execute("PRAGMA database_list").fetchone()
    return Finding(condition, encoding == ENCODING, f"the encoding of {path} is {encoding}")
