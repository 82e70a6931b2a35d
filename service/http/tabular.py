"""CSV as spreadsheets and data frames read it: RFC 4180 in UTF-8, with a header line, and no formulas.

A text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, CSV injection): one that begins
with `=`, `+`, `-` or `@`, in whatever width, after whatever spaces, or with a tab or a line break. One that has such
apostrophes already gets one more, so that taking one away gives every text back. Numbers are left alone.
"""

import csv
import io
import re
from collections.abc import Sequence
from typing import Final

import orjson

from domain.event import Json
from service.http.tables import Table

BOM: Final = "\ufeff".encode()

_formula = re.compile("'*(?:[\t\r\n]|[\\s\\0\u200b-\u200f\u2060\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20-])")


class CommaSeparated:
    """Documents, as JSON, to lines of a table; `head` comes before the first."""

    def __init__(self, table: Table, *, bom: bool = False) -> None:
        self._table = table
        self.head = (BOM if bom else b"") + _lines([table.columns])

    def lines(self, documents: Sequence[bytes]) -> bytes:
        rows = self._table.rows
        return _lines([[cell(value) for value in row] for each in documents for row in rows(orjson.loads(each))])


def cell(value: Json) -> str:
    """Null is empty, like the empty text; true and false are JSON's, and so is what has members."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if _formula.match(value) else value
    return orjson.dumps(value).decode()


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
