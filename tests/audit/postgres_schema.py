"""The file that says how this release defines its tables on PostgreSQL. `python -m tests.audit.postgres_schema` writes
it anew, from a database that the release has just made."""

import asyncio
import tempfile
from pathlib import Path

import orjson

from projections.tiles import Tiles
from service.audit.verify.derived import statements_of
from service.engines import open_engine
from service.generations import define, read_models
from service.leases import open_leases
from service.settings import Settings
from service.store.postgres_definitions import FILE, defined
from tests.servers.postgres import Postgres


async def defined_by_this_release(url: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=url, data_dir=Path(folder))
        async with open_engine(settings) as engine:
            await open_leases(engine)
            await define(engine, read_models(engine, 1))
            await engine.database.define(Tiles(engine.database.dialect, 1).tables())
            statements = statements_of(engine, 1, 1)
            found = await defined(engine.database, settings.database_schema, statements)
    return {" ".join(thing): text for thing, text in sorted(found.items())}


def main() -> None:
    with Postgres(fsync="off") as server:
        found = asyncio.run(defined_by_this_release(server.create_database("made")))
    Path(str(FILE)).write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main()
