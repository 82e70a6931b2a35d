"""What is defined in a schema of PostgreSQL, beside what this release makes, which stands in a file: there is no second
server to make it on. `python -m tests.audit.postgres_schema` writes the file.
"""

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

import orjson

from projections.database import Reader
from service.store.definitions import Thing, differences, tables_in

FILE: Final = files("service.store").joinpath("schema", "postgres.json")
OF_LOG: Final = ("log", "log_identity", "audit_keys", "audit_checkpoints", "schema_version")
FUNCTIONS: Final = ["append", "erase", "left_of", "repeats"]
_GENERATION: Final = re.compile(r"(_v\d+)?_\d+$")

_DEFINED: Final = """
WITH ours AS (SELECT oid, relname, relkind, relpersistence, relrowsecurity FROM pg_class
              WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND relname = ANY($1))
SELECT 'table', relname::text, relname::text,
       concat_ws(' ', relkind, relpersistence, CASE WHEN relrowsecurity THEN 'row security' END) FROM ours
UNION ALL
SELECT 'column', relname::text, attname::text,
       concat_ws(' ', format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'not null' END,
                 (SELECT 'collate ' || collname FROM pg_collation
                  WHERE pg_collation.oid = attcollation AND collname <> 'default'),
                 (SELECT 'default ' || pg_get_expr(adbin, adrelid) FROM pg_attrdef
                  WHERE adrelid = attrelid AND adnum = attnum), nullif(attgenerated::text, ''))
FROM ours JOIN pg_attribute ON attrelid = ours.oid WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint', relname::text, conname::text,
       pg_get_constraintdef(pg_constraint.oid) || CASE WHEN convalidated THEN '' ELSE ' not valid' END
FROM ours JOIN pg_constraint ON conrelid = ours.oid WHERE contype <> 'n'
UNION ALL
SELECT 'index', relname::text, (SELECT relname::text FROM pg_class WHERE oid = indexrelid),
       pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ' invalid' END
FROM ours JOIN pg_index ON indrelid = ours.oid
UNION ALL
SELECT 'trigger', relname::text, tgname::text, pg_get_triggerdef(pg_trigger.oid)
FROM ours JOIN pg_trigger ON tgrelid = ours.oid WHERE NOT tgisinternal
UNION ALL
SELECT 'rule', relname::text, rulename::text, pg_get_ruledef(pg_rewrite.oid)
FROM ours JOIN pg_rewrite ON ev_class = ours.oid
UNION ALL
-- What the rights of the service's role add (`rights.sql`) is there or not.
SELECT 'function', '', proname || '(' || pg_get_function_identity_arguments(pg_proc.oid) || ')',
       concat_ws(' ', pg_get_function_result(pg_proc.oid), lanname,
                 (SELECT string_agg(setting, ' ' ORDER BY setting) FROM unnest(proconfig) AS setting
                  WHERE NOT (prosecdef AND setting = 'search_path=pg_catalog, pg_temp')), prosrc)
FROM pg_proc JOIN pg_language ON pg_language.oid = prolang
WHERE pronamespace = current_schema()::regnamespace AND proname = ANY($2)"""
_VERSIONS: Final = "SELECT version FROM schema_version ORDER BY version"


async def faults_of(reader: Reader, schema: str, statements: Sequence[str], versions: int) -> list[str]:
    """In the log's tables and functions, and in the tables that `statements` made. `versions`: of the log's schema."""
    there = await defined(reader, schema, statements)
    tables = {*OF_LOG, *map(_base, tables_in(statements)), ""}
    found = list(differences({thing: text for thing, text in made().items() if thing.table in tables}, there))
    numbers = [version for (version,) in await reader.fetch(_VERSIONS)]
    if numbers != list(range(1, versions + 1)):
        found.append(f"schema_version says {', '.join(map(str, numbers))}, where it has 1 to {versions}")
    return found


def made() -> dict[Thing, str]:
    """By this release."""
    return {Thing(*name.split(" ", 2)): text for name, text in orjson.loads(FILE.read_bytes()).items()}


async def defined(reader: Reader, schema: str, statements: Sequence[str]) -> dict[Thing, str]:
    """What there is, the name of the schema and the numbers of generations left away."""
    tables = {*OF_LOG, *tables_in(statements)}
    named = re.compile(rf"\b({'|'.join(sorted(tables, key=len, reverse=True))})(?=_|\b)")

    def plain(text: str) -> str:
        text = re.sub(rf"\b{re.escape(schema)}\.", "", " ".join(text.split()))
        return named.sub(lambda match: _base(match[1]), text)

    return {Thing(*map(plain, row[:3])): plain(row[3]) for row in await reader.fetch(_DEFINED, list(tables), FUNCTIONS)}


def _base(table: str) -> str:
    return _GENERATION.sub("", table)
