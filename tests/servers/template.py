"""A PostgreSQL database as the service's first start leaves it: made once, and copied for each test."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from service.audit.auditing import open_tree
from service.engines import open_engine
from service.generations import define, read_models
from service.leases import open_leases
from service.settings import Settings
from tests.servers.postgres import Postgres

NAME = "template_of_a_log"


def make_template(server: Postgres) -> str:
    """Its name. Within it is what this code's own migration and start make; nobody has followed the log."""
    dsn = server.create_database(NAME)
    with ThreadPoolExecutor(1) as beside:  # whoever asks for it may be within a loop
        beside.submit(asyncio.run, _start(Settings(database_url=dsn))).result()
    return NAME


def copy_template(server: Postgres, template: str, name: str) -> str:
    """The DSN of a copy, which is a log of its own."""
    dsn = server.create_database(name, template)
    server.sql("UPDATE ims.log_identity SET log_id = gen_random_uuid()", name)
    return dsn


async def _start(settings: Settings) -> None:
    async with open_engine(settings) as engine:
        leases = await open_leases(engine)
        await define(engine, read_models(engine, 1))
        await open_tree(engine, leases)
        await engine.database.execute("DELETE FROM followers")  # rows that name the template's log
