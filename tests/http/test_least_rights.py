"""The service as a user of the database who may add to the log, and change nothing in it."""

import asyncio
from contextlib import suppress

import asyncpg
import pytest
from yarl import URL

from service.engines import open_engine
from service.migrating import migrate
from service.settings import Settings
from service.store.errors import RightMissing
from tests.http.api import PATH, at, incident
from tests.http.conftest import Serve
from tests.servers.roles import as_user, connected, make_login, make_service_user

USER, NEXT_USER = "ims_login", "ims_next_login"
ERASURE = {"fields": "all", "reason": "An order of the court."}
DENIED = (
    "INSERT INTO ims.log SELECT * FROM ims.log",
    "UPDATE ims.log SET state = NULL",
    "DELETE FROM ims.log",
    "TRUNCATE ims.log",
    "ALTER TABLE ims.log DISABLE TRIGGER ALL",
    "DROP TABLE ims.log",
    "DROP FUNCTION ims.append(json)",
    "ALTER FUNCTION ims.append(json) SECURITY INVOKER",
    "UPDATE ims.log_identity SET log_id = gen_random_uuid()",
    "INSERT INTO ims.schema_version VALUES (99)",
    "DELETE FROM ims.audit_checkpoints",
    "UPDATE ims.audit_checkpoints SET note = ''",
    "DELETE FROM ims.audit_keys",
)


@pytest.fixture
async def restricted(empty_postgres_dsn: str) -> str:
    """The address of a database that its owner has migrated, for a user of the service's role."""
    await migrate(Settings(database_url=empty_postgres_dsn))
    async with connected(empty_postgres_dsn) as owner:
        for user in (USER, NEXT_USER):
            await make_service_user(owner, user)
        await owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    return as_user(empty_postgres_dsn, USER)


async def test_everything_that_the_service_does_it_may(restricted: str, redis_url: str, serve: Serve) -> None:
    api = await serve(database_url=restricted, redis_url=redis_url)
    one = await api.report()
    await api.patch(at(one["id"]), {"name": "Another"})
    await api.comment(one["id"])
    assert (await api.delete(at(one["id"]), {"occ_lock": 1})).status == 200
    assert (await api.post(at(one["id"], "restore"))).status == 200
    assert (await api.deployer.post(f"{PATH}/attributes", {"name": "rack", "type": "STRING"})).status == 201
    assert await api.names() == ["Another"]
    eraser = api.by(roles=("eraser",))
    assert (await eraser.post(at(one["id"], "erase"), ERASURE)).status == 200
    assert api.parts.stopped == ""
    state = (await api.get("/status")).body
    assert state["error"] is None
    assert {follower["failure"] for follower in state["followers"]} == {None}
    checkpoint = await api.get("/v1/audit/checkpoint")
    assert checkpoint.status == 200


async def test_a_password_is_changed_by_a_second_user_while_the_first_still_works(
    restricted: str, serve: Serve
) -> None:
    """As SECURITY.md has it: what one of them made, the other works with."""
    old = await serve(database_url=restricted)
    await old.report(name="Before")
    new = await serve(database_url=as_user(restricted, NEXT_USER))
    await new.report(name="During")
    await old.report(name="Still")
    assert set(await new.names()) == {"Before", "During", "Still"}
    await old.stop()
    position = (await new.post(PATH, incident(name="After"))).headers["Ims-Position"]
    async with asyncio.timeout(30):  # the lease of whoever left is free at once, or three seconds later
        while (await new.get(PATH, headers={"Ims-Min-Position": position})).status != 200:
            await asyncio.sleep(0.1)
    assert "After" in await new.names()
    assert new.parts.stopped == ""


async def test_the_log_is_not_his_to_change(restricted: str, serve: Serve) -> None:
    api = await serve(database_url=restricted)
    await api.report()
    allowed = []
    async with connected(restricted) as connection:
        assert await connection.fetchval("SELECT count(*) FROM ims.log") == 1
        for statement in DENIED:
            with suppress(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
                allowed.append(statement)
    assert allowed == []


async def test_whoever_is_not_of_the_role_may_not_even_append(restricted: str, empty_postgres_dsn: str) -> None:
    async with connected(empty_postgres_dsn) as owner:
        await make_login(owner, f"{USER}_stranger")
        await owner.execute(f"GRANT USAGE ON SCHEMA ims TO {USER}_stranger")
    async with connected(as_user(empty_postgres_dsn, f"{USER}_stranger")) as connection:
        for statement in ("SELECT * FROM ims.log", "SELECT * FROM ims.append('[]')"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


async def test_a_schema_that_is_not_there_is_for_its_owner_to_make(empty_postgres_dsn: str, restricted: str) -> None:
    async with connected(empty_postgres_dsn) as owner:
        await owner.execute("DROP SCHEMA ims CASCADE")
    with pytest.raises(RightMissing, match="let `ims migrate` be run by the schema's owner first"):
        async with open_engine(Settings(database_url=restricted)):
            pass


async def test_an_owner_who_may_make_no_roles_goes_on_without_one(empty_postgres_dsn: str) -> None:
    schema = "owned_by_nobody_special"
    async with connected(empty_postgres_dsn) as superuser:
        await make_login(superuser, f"{USER}_owner")
        await superuser.execute(f'GRANT CREATE ON DATABASE "{URL(empty_postgres_dsn).path[1:]}" TO {USER}_owner')
    settings = Settings(database_url=as_user(empty_postgres_dsn, f"{USER}_owner"), database_schema=schema)
    async with open_engine(settings) as engine:
        assert await engine.log.head() == 0
    async with connected(empty_postgres_dsn) as superuser:
        assert not await superuser.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", f"{schema}_service")
        await superuser.execute(f"DROP OWNED BY {USER}_owner")
