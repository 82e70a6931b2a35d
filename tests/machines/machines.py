"""Several machines as processes of one: what each of them runs, and how each part dies and comes back."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import asyncpg

from projections.read_models import FOLLOWER
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer
from tests.servers.sentinel import Sentinel
from tests.servers.standby import Standby, url_of, wait_for_standby
from tests.streams.publishing import until
from tests.streams.test_redis_as_people_run_it import follow, is_following, replicated

APIS, FOLLOWERS = 3, 2
PROMOTION_SECONDS = 30.0
START_SECONDS = 60

_HOLDER = f"SELECT holder FROM ims.followers WHERE name = '{FOLLOWER}'"
_POSITION = f"SELECT position FROM ims.followers WHERE name = '{FOLLOWER}'"


@dataclass
class Machines:
    """`primary`, `standby`, `master` and `replica` name what each is at the moment; `ports` are those of the URL."""

    stack: ExitStack
    ports: tuple[int, int]
    primary: Postgres
    standby: Standby
    master: RedisServer
    replica: RedisServer
    sentinel: Sentinel
    apis: list[ServiceProcess]
    followers: list[ServiceProcess]

    async def kill_an_api_process(self) -> None:
        victim = self.apis[0]
        victim.kill()
        await asyncio.sleep(1)
        await asyncio.to_thread(victim.start)
        self.apis.append(self.apis.pop(0))

    async def kill_the_lease_holder(self) -> float:
        """Returns after how many seconds another one moved the position of the read models."""
        connection = await asyncpg.connect(self.primary.dsn)
        try:
            holder = await connection.fetchval(_HOLDER)
            (victim,) = (one for one in self.followers if holder.endswith(f":{one.pid}"))
            victim.kill()
            position, began = await connection.fetchval(_POSITION), monotonic()
            async with asyncio.timeout(START_SECONDS):
                while await connection.fetchval(_POSITION) == position:
                    await asyncio.sleep(0.02)
            silent = monotonic() - began
        finally:
            await connection.close()
        await asyncio.to_thread(victim.start)
        return silent

    async def kill_the_primary(self) -> float:
        """Promote its standby; returns after how many seconds that took writes."""
        began = monotonic()
        await asyncio.to_thread(self.primary.kill)
        await asyncio.to_thread(self.standby.promote)
        promotion = monotonic() - began
        self.primary, self.standby = self.standby, Standby(self.standby)
        return promotion

    async def bring_a_standby_back(self) -> None:
        """Where the killed primary was."""
        self.standby.port = next(port for port in self.ports if port != self.primary.port)
        self.stack.callback(self.standby.remove)
        await asyncio.to_thread(self.standby.start)
        await asyncio.to_thread(wait_for_standby, self.primary)

    async def kill_the_redis_master(self) -> None:
        await asyncio.to_thread(self.master.kill)
        await until(lambda: self.sentinel.master_port() == self.replica.port, PROMOTION_SECONDS)
        self.master, self.replica = self.replica, self.master
        await asyncio.to_thread(self.replica.start)
        await until(self._replica_follows, PROMOTION_SECONDS)

    def _replica_follows(self) -> bool:
        """As the sentinel would have it do in ten seconds; while that is not done yet it may say the opposite."""
        with self.replica.client() as client:
            if client.info("replication")["role"] == "master":
                follow(self.replica, self.master)
        return self.sentinel.replicas() == 1 and is_following(self.replica)


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    """All of them, up and joined."""
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(APIS + FOLLOWERS))
        primary = stack.enter_context(Postgres())
        standby = stack.enter_context(Standby(primary))
        wait_for_standby(primary)
        master, replica = stack.enter_context(replicated())
        sentinel = stack.enter_context(Sentinel(master))
        common = {"database_url": url_of(primary, standby), "redis_url": sentinel.url, "rate_limit": "100000/second"}
        processes = [
            ServiceProcess(folder, {**common, "run": run})
            for run in ["api"] * APIS + ["projector,publisher,auditor"] * FOLLOWERS
        ]
        for process in processes:
            stack.callback(process.end)
        # The first makes the schema and the key.
        processes[0].start(START_SECONDS)
        list(threads.map(lambda process: process.start(START_SECONDS), processes[1:]))
        yield Machines(
            stack, (primary.port, standby.port), primary, standby, master, replica, sentinel,
            processes[:APIS], processes[APIS:],
        )  # fmt: skip
