"""Random commands by several clients: the API's answers, the lists, and a fold of the log agree with a plain model."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from service.app import application, running
from service.auth.minting import mint
from service.settings import Settings
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.load import DEPLOYER, client
from tests.http.served import Served
from tests.properties.commands import USERS, Command, commands
from tests.properties.lists import lists_agree
from tests.properties.model import Tenant
from tests.properties.past import past_agrees
from tests.properties.world import World

LIFE = timedelta(hours=1)
QUIETLY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]

_numbers = count(1)


class Ims:
    """The real application in this loop; each world has two tenants of its own on it."""

    def __init__(self, configured: Settings, url: str, log: str | Path) -> None:
        self._configured, self._url, self._log = configured, url, log

    @asynccontextmanager
    async def world(self) -> AsyncIterator[World]:
        number = next(_numbers)
        tenants = Tenant(f"a{number}"), Tenant(f"b{number}")
        async with AsyncExitStack() as open_clients:
            clients = {}
            for place, tenant in enumerate(tenants):
                for user in USERS:
                    roles = (DEPLOYER,) if user == "deployer" else ()
                    token = mint(self._configured, tenant.name, user, user.title(), roles, LIFE)
                    headers = {"Authorization": f"Bearer {token}"}
                    clients[place, user] = await open_clients.enter_async_context(client(self._url, headers))
            yield World(tenants, clients)

    async def play(self, told: Sequence[Command]) -> None:
        async with self.world() as world:
            await world.populate()
            for command in told:
                await world.carry_out(command)
                world.remember()
            log = await audit(self._log, world.acknowledged)
            for place, tenant in enumerate(world.tenants):
                one = world.clients[place, "ann"]
                await lists_agree(one, tenant)
                await agree(one, log, tenant.name)
                await past_agrees(world, place, log)


@asynccontextmanager
async def service(configured: Settings, log: str | Path) -> AsyncIterator[Ims]:
    async with running(configured) as parts, Served(application(parts)) as server:
        yield Ims(configured, str(server.make_url("")), log)


@pytest.fixture
async def on_sqlite(tmp_path: Path) -> AsyncIterator[Ims]:
    async with service(Settings(data_dir=tmp_path), tmp_path / "ims.db") as ims:
        yield ims


@pytest.fixture
async def on_postgres(tmp_path: Path, postgres_dsn: str) -> AsyncIterator[Ims]:
    configured = Settings(data_dir=tmp_path, database_url=postgres_dsn, rate_limit="off")
    async with service(configured, postgres_dsn) as ims:
        yield ims


@settings(max_examples=15, deadline=None, suppress_health_check=QUIETLY)
@given(told=commands)
async def test_commands_do_what_the_model_says_on_sqlite(on_sqlite: Ims, told: list[Command]) -> None:
    await on_sqlite.play(told)


@settings(max_examples=4, deadline=None, suppress_health_check=QUIETLY)
@given(told=commands)
async def test_commands_do_what_the_model_says_on_postgres(on_postgres: Ims, told: list[Command]) -> None:
    await on_postgres.play(told)


@pytest.mark.faults
@settings(max_examples=250, deadline=None, suppress_health_check=QUIETLY)
@given(told=commands)
async def test_very_many_commands_do_what_the_model_says(on_sqlite: Ims, told: list[Command]) -> None:
    await on_sqlite.play(told)
