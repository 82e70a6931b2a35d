"""What verify compares a schema of PostgreSQL with is what this release makes."""

import orjson

from service.store.postgres_definitions import FILE
from tests.audit.postgres_schema import defined_by_this_release


async def test_the_file_says_what_this_release_defines(postgres_dsn: str) -> None:
    found = await defined_by_this_release(postgres_dsn)
    assert orjson.loads(FILE.read_bytes()) == found, "`python -m tests.audit.postgres_schema` writes it anew"
    assert {"index log log_command", "function  left_of(topic text, state jsonb, fields jsonb)"} <= found.keys()
