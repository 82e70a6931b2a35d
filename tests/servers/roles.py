"""Users of a database, and what they may do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from yarl import URL


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def make_login(superuser: Any, name: str, attributes: str = "") -> None:
    """Roles are shared by all databases of the server: other tests may have made it."""
    await superuser.execute(
        f"""DO $$ BEGIN CREATE ROLE {name} LOGIN {attributes};
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""
    )


async def make_service_user(superuser: Any, name: str, role: str = "ims_service") -> None:
    """As SECURITY.md has it."""
    await make_login(superuser, name, f"IN ROLE {role}")
    await superuser.execute(f"ALTER ROLE {name} SET role = {role}")


def as_user(dsn: str, name: str) -> str:
    return str(URL(dsn).with_user(name))
