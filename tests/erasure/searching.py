"""Looking for a text wherever a database keeps anything: through SQL, and byte by byte in its files."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import asyncpg

SCHEMA = "ims"


async def found(database: str | Path, secret: str) -> list[str]:
    """Where the text stands: tables and planner's samples of a PostgreSQL (its DSN), files beside an SQLite file."""
    if isinstance(database, Path):
        return in_files(database.parent, secret)
    server = await asyncpg.connect(database)
    try:
        tables = await server.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", SCHEMA)
        places: list[str] = []
        for table in (*(f"{SCHEMA}.{name}" for (name,) in tables), "pg_stats"):
            rows = await server.fetch(f"SELECT one::text FROM {table} AS one")
            places += [table] if any(_says(row[0], secret) for row in rows) else []
        return places
    finally:
        await server.close()


def in_files(folder: Path, secret: str) -> list[str]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [str(file) for file in files if _holds(file, secret.encode())]


async def nowhere(database: str | Path, secret: str, seconds: float = 20.0) -> None:
    """Followers may have it before them still; then it must be gone. Fails with where it is."""
    places: list[str] = []
    try:
        async with asyncio.timeout(seconds):
            while places := await found(database, secret):
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(places) from None


def _says(text: str, secret: str) -> bool:
    return any(form in text.casefold() for form in _forms(secret))


def _forms(secret: str) -> Iterable[str]:
    """As text, and as PostgreSQL shows bytes."""
    return secret.casefold(), secret.encode().hex()


def _holds(file: Path, secret: bytes) -> bool:
    data = file.read_bytes()
    return secret in data or secret.lower() in data or secret.hex().encode() in data
