"""What the commands do for a user of the database who may only add to the log, and what is left to the owner."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from service.engines import open_engine
from service.migrating import migrate
from service.settings import Settings
from tests.audit import stores
from tests.faults.load import authorization, client
from tests.projections.histories import long_history
from tests.servers.process import ServiceProcess
from tests.servers.roles import as_user, connected, make_login, make_service_user

USER = "ims_restricted"
EVENTS = 30


def run(folder: Path, dsn: str, *arguments: str, schema: str = "ims") -> subprocess.CompletedProcess[str]:
    process = ServiceProcess(folder, {"database_url": dsn, "database_schema": schema})
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        env=process.environment, cwd=folder, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What was said on stderr beside log records: this server of the tests is warned of, as it does not sync."""
    return [line for line in done.stderr.splitlines() if "database_may_lose_commits" not in line]


@pytest.fixture
async def restricted(empty_postgres_dsn: str) -> str:
    """The address of a database that its owner has migrated, for a user of the service's role."""
    await migrate(Settings(database_url=empty_postgres_dsn))
    async with connected(empty_postgres_dsn) as superuser:
        await make_service_user(superuser, USER)
    return as_user(empty_postgres_dsn, USER)


@pytest.fixture
async def export(tmp_path: Path) -> Path:
    """A log in a file."""
    source, file = stores.sqlite(tmp_path / "source"), tmp_path / "export.ndjson"
    await stores.fill(source, long_history(EVENTS))
    await stores.exported(source, file)
    return file


@pytest.mark.parametrize(
    ("command", "lacking"),
    [
        (("restored",), "permission denied for table log_identity"),
        (("audit", "import", "export.ndjson"), "permission denied for table log"),
        (("audit", "replay", "--into", "here"), "permission denied for table log"),
    ],
    ids=["restored", "import", "replay"],
)
async def test_what_is_the_owners_is_refused_in_a_line(
    restricted: str, export: Path, tmp_path: Path, command: tuple[str, ...], lacking: str
) -> None:
    settings = Settings(database_url=restricted)
    async with open_engine(settings) as engine:
        log_id = engine.log.log_id
    into = [restricted if argument == "here" else argument for argument in command]
    address = f"sqlite:///{tmp_path}/source/ims.db" if "here" in command else restricted
    done = run(tmp_path, address, *into)
    assert done.returncode == 2
    assert complaints(done) == [f"PostgreSQL: {lacking}; this is for the schema's owner to run, as SECURITY.md has it"]
    async with open_engine(settings) as engine:
        assert (engine.log.log_id, await engine.log.head()) == (log_id, 0)


async def test_a_schema_that_is_to_be_migrated_is_refused_in_a_line(
    restricted: str, empty_postgres_dsn: str, tmp_path: Path
) -> None:
    assert run(tmp_path, restricted, "migrate").returncode == 0
    async with connected(empty_postgres_dsn) as owner:
        await owner.execute("DELETE FROM ims.schema_version WHERE version > 5")
    for command in ("migrate", "serve"):
        done = run(tmp_path, restricted, command)
        assert done.returncode == 2
        (line,) = complaints(done)
        assert line.startswith("PostgreSQL: ")
        assert line.endswith("let `ims migrate` be run by the schema's owner first")


async def test_every_other_command_is_for_the_services_user_too(
    restricted: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service = start_service(database_url=restricted)
    async with client(service.url, authorization(service)) as one:
        id = (await one.report())["id"]
    for command in (
        "projections rebuild --keep 1h", "projections back", "projections status", "projections drop kept",
        "projections rebuild audit_tree",
        f"audit history {id}", f"audit show {id}", "audit export out.ndjson", "audit replay", "audit verify",
    ):  # fmt: skip
        done = run(tmp_path, restricted, *command.split())
        assert done.returncode == 0, (command, done.stderr)


@pytest.mark.parametrize("attributes", ["SUPERUSER", "CREATEROLE"], ids=["superuser", "owner"])
async def test_the_service_goes_on_with_what_the_owner_has_left(
    empty_postgres_dsn: str, export: Path, start_service: Callable[..., ServiceProcess], tmp_path: Path, attributes: str
) -> None:
    """An import into the empty schema, and the declaration that it was restored, both by the owner."""
    schema = f"{empty_postgres_dsn.rpartition('/')[2]}_{attributes.lower()}"
    owner, user = f"{schema}_owner", f"{schema}_user"
    async with connected(empty_postgres_dsn) as superuser:
        await make_login(superuser, owner, attributes)
        await superuser.execute(f'GRANT CREATE ON DATABASE "{empty_postgres_dsn.rpartition("/")[2]}" TO {owner}')
    by_owner = as_user(empty_postgres_dsn, owner)
    imported = run(tmp_path, by_owner, "audit", "import", export.name, schema=schema)
    assert imported.returncode == 0, imported.stderr
    async with connected(empty_postgres_dsn) as superuser:
        await make_service_user(superuser, user, f"{schema}_service")
    settings = {"database_url": as_user(empty_postgres_dsn, user), "database_schema": schema}
    service = start_service(**settings)
    async with client(service.url, authorization(service)) as one:
        await one.report(name="Before")
    service.terminate()
    declared = run(tmp_path, by_owner, "restored", schema=schema)
    assert declared.returncode == 0, declared.stderr
    service.start()
    async with client(service.url, authorization(service)) as one:
        await one.report(name="After")
        listed = (await one.ask("GET", "/v1/incident")).data["incidents"]
        assert {"Before", "After"} <= {found["name"] for found in listed}
    assert "sound" in service.command("audit", "verify")
    async with connected(empty_postgres_dsn) as superuser:
        await superuser.execute(f"DROP OWNED BY {owner}, {user}, {schema}_service CASCADE")
        await superuser.execute(f"DROP ROLE {owner}, {user}, {schema}_service")
