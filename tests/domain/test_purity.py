"""Time, ids and the user are arguments: nothing in the inner packages calls a clock, draws a number or makes an id."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(file for package in ("domain", "projections") for file in (ROOT / package).rglob("*.py"))
SOURCES = {"time", "random", "secrets", "os", "socket", "platform", "getpass"}
CALLS = {
    "now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "create_timestamp",
    "datetime_now_with_tzinfo", "uuid1", "uuid4", "uuid6", "uuid7", "uuid8", "getnode", "urandom", "token_bytes",
    "token_hex", "random", "getrandbits", "localtime", "gmtime",
}  # fmt: skip


def impurities(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in SOURCES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module.partition(".")[0] in SOURCES:
                yield node.module
            yield from (alias.name for alias in node.names if node.module == "uuid" and alias.name in CALLS)
        elif isinstance(node, ast.Attribute) and node.attr in CALLS:
            # A read of an attribute counts too: a clock that is handed on is called elsewhere.
            # A database's clock is one as SQL, asked in its own statement.
            if not (node.attr == "now" and ast.unparse(node.value).rpartition(".")[2] == "dialect"):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield ast.unparse(node)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_time_and_ids_are_arguments(file: Path) -> None:
    assert list(impurities(file.read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time", "from time import monotonic", "import secrets as s", "from uuid import uuid4",
        "import uuid\nuuid.uuid4()", "datetime.now(UTC)", "from datetime import datetime as d\nd.utcnow()",
        "date.today()", "loop.time()", "field(default_factory=uuid.uuid4)", "event.create_timestamp()",
    ],
)  # fmt: skip
def test_a_clock_would_be_noticed(source: str) -> None:
    assert list(impurities(source))


def test_an_id_that_follows_from_a_name_is_no_new_id() -> None:
    assert list(impurities("from uuid import UUID, uuid5\nid = uuid5(UUID(int=0), name)")) == []
