"""Redis with users, TLS, replicas, sentinels, as a cluster: the streams are the log on each."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import psutil
import pytest
from redis import Redis
from redis.cluster import RedisCluster
from redis.exceptions import AuthenticationError, NoPermissionError

from service.subscribers.consumer import Consumer, Limits
from service.subscribers.entries import Entry
from tests.faults.audit import events
from tests.faults.conftest import Ground
from tests.faults.load import INCIDENTS, Client, authorization, client, load
from tests.servers.children import free_port
from tests.servers.redis import RedisServer
from tests.servers.sentinel import Sentinel
from tests.servers.tls import TlsFront
from tests.streams.publishing import until
from tests.streams.reading import ALL, compare, entries, whole
from tests.streams.test_agreement_with_the_log import publisher_of, report

ACL_FILE = Path(__file__).parents[2] / "deploy" / "redis-users.acl"
PROMOTION_SECONDS = 30.0
CLUSTER_BUS = 10_000
"""A node's second port is its first plus this."""
SLOTS = 16_384


class WithUsers(RedisServer):
    """Who looks from outside is one of its users."""

    def client(self) -> Redis:
        return Redis(port=self.port, username="looks", password="any", decode_responses=True)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RedisServer]:
    """The users of `deploy/`, to the byte, and one more for the test itself."""
    users = tmp_path / "users.acl"
    users.write_bytes(ACL_FILE.read_bytes() + b"user looks on nopass ~* &* +@all\n")
    with WithUsers(appendonly="no", aclfile=str(users)) as server:
        yield server


async def test_the_users_of_deploy_can_do_their_work_and_nothing_else(
    on_postgres: Ground, guarded: RedisServer
) -> None:
    service = on_postgres.start(
        redis_url=f"redis://ims:change-me-1@127.0.0.1:{guarded.port}/0", stream_max_length="1000",
        rate_limit="100000/second",
    )  # fmt: skip
    await report(service, 3)
    async with client(service.url, authorization(service, tenant="other")) as one:
        await one.report()
    with guarded.client() as look:
        await whole(look, on_postgres.log)
        assert look.keys("LIMITS*")
    await asyncio.sleep(6)
    assert "streams_not_trimmed" not in service.logs
    assert "rate_limit_unavailable" not in service.logs
    assert "ims:events:acme" in service.command("events", "status", "--all")
    with Redis(port=guarded.port, username="ims", password="change-me-1") as publisher:
        for refused in ("flushall", "keys *", "config get *", "del ims:events", "get other", "xadd other * a b"):
            with pytest.raises(NoPermissionError):
                publisher.execute_command(*refused.split())
    mine, others = f"{ALL}:acme", (ALL, f"{ALL}:other", "ims:events-0123456789ab", "ims:events-0123456789ab:other")
    with Redis(
        port=guarded.port, username="acme-subscriber", password="change-me-2", decode_responses=True
    ) as subscriber:
        assert len(subscriber.xread({mine: "0"})[0][1]) == 3
        subscriber.xgroup_create(mine, "g", id="0")
        ((_, delivered),) = subscriber.xreadgroup("g", "c", {mine: ">"}, count=2)
        assert subscriber.xack(mine, "g", *(id for id, _ in delivered)) == 2
        assert subscriber.xrange("ims:events-0123456789ab:acme") == []
        for other in others:
            for command in (f"xrange {other} - +", f"xread streams {other} 0", f"xlen {other}", f"xinfo stream {other}",
                            f"xgroup create {other} g 0", f"xreadgroup group g c streams {other} >"):  # fmt: skip
                with pytest.raises(NoPermissionError):
                    subscriber.execute_command(*command.split())
        for refused in (f"xadd {mine} * a b", f"del {mine}", f"xtrim {mine} maxlen 0", f"xdel {mine} 1-0", "keys *",
                        f"xgroup destroy {mine} g", "scan 0", "flushall", f"xsetid {mine} 9-0"):  # fmt: skip
            with pytest.raises(NoPermissionError):
                subscriber.execute_command(*refused.split())
    await handled_by_a_consumer(guarded, mine, 3)
    with pytest.raises(AuthenticationError), Redis(port=guarded.port, username="ims", password="guess") as stranger:
        stranger.ping()
    with pytest.raises(AuthenticationError, match=r"(?i)authenticat"), Redis(port=guarded.port) as nobody:
        nobody.ping()


async def handled_by_a_consumer(guarded: RedisServer, stream: str, count: int) -> None:
    """A subscriber with a group of its own, which another member left events to."""
    handled: list[int] = []
    done = asyncio.Event()

    async def handle(entry: Entry) -> None:
        handled.append(entry.position)
        if len(handled) == count:
            done.set()

    address = f"redis://acme-subscriber:change-me-2@127.0.0.1:{guarded.port}/0"
    with Redis.from_url(address) as gone:
        gone.xgroup_create(stream, "acme-pages", id="0")
        gone.xreadgroup("acme-pages", "gone", {stream: ">"}, count=1)
    consumer = Consumer.at(address, stream, "acme-pages", "one", handle, Limits(idle=0.5))
    running = asyncio.ensure_future(consumer.run())
    await asyncio.wait((running, asyncio.ensure_future(done.wait())), return_when=asyncio.FIRST_COMPLETED, timeout=30)
    running.cancel()
    assert len(handled) == count, running


async def test_a_wrong_password_is_told_and_the_api_goes_on(on_sqlite: Ground, guarded: RedisServer) -> None:
    service = on_sqlite.start(redis_url=f"redis://ims:guess@127.0.0.1:{guarded.port}/0")
    await report(service, 2)
    async with asyncio.timeout(10):
        while "AuthenticationError" not in str((await publisher_of(service))["failure"]):
            await asyncio.sleep(0.05)
    assert "guess" not in service.logs


async def test_by_tls_with_an_authority_of_its_own(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    async with TlsFront(redis_server.port, tmp_path) as front:
        url = f"rediss://127.0.0.1:{front.port}/0"
        stranger = on_sqlite.start(redis_url=url)
        await report(stranger, 1)
        async with asyncio.timeout(10):
            while "certificate verify failed" not in str((await publisher_of(stranger))["failure"]):
                await asyncio.sleep(0.05)
        stranger.terminate()
        service = on_sqlite.start(redis_url=url, redis_ca_file=str(front.ca_file))
        await report(service, 1)
        with redis_server.client() as look:
            assert len(await whole(look, on_sqlite.log)) == 2


@contextmanager
def replicated() -> Iterator[tuple[RedisServer, RedisServer]]:
    with (
        RedisServer(appendonly="no", repl_diskless_sync_delay=0) as master,
        RedisServer(appendonly="no", repl_diskless_sync_delay=0) as replica,
    ):
        follow(replica, master)
        yield master, replica


def follow(replica: RedisServer, master: RedisServer) -> None:
    with replica.client() as client:
        client.replicaof("127.0.0.1", master.port)


def is_following(replica: RedisServer) -> bool:
    with replica.client() as client:
        return bool(client.info("replication").get("master_link_status") == "up")


async def test_a_position_counts_when_enough_replicas_have_it(on_sqlite: Ground) -> None:
    with replicated() as (master, replica):
        await until(lambda: is_following(replica))
        with replica.client() as client:
            client.replicaof("NO", "ONE")
        service = on_sqlite.start(redis_url=master.url, redis_replicas="1", redis_timeout="1")
        await report(service, 2)
        async with asyncio.timeout(10):
            while "0 of 1 replicas have what was published" not in str((await publisher_of(service))["failure"]):
                await asyncio.sleep(0.05)
        assert (await publisher_of(service))["position"] == 0
        follow(replica, master)
        async with asyncio.timeout(15):
            while (await publisher_of(service))["position"] < 2:
                await asyncio.sleep(0.05)
        with replica.client() as look:
            compare(entries(look), await events(on_sqlite.log))


async def fail_over(master: RedisServer, replica: RedisServer, sentinel: Sentinel) -> None:
    """The replica hears nothing of the tail: it is frozen, its link cut, before the master dies."""
    frozen = psutil.Process(replica.pid)
    frozen.suspend()
    with master.client() as client:
        client.client_kill_filter(_type="replica")
        reached = _reached(client)
        await until(lambda: _reached(client) > reached)
        lost = _reached(client)
    await asyncio.to_thread(master.kill)
    frozen.resume()
    with replica.client() as client:
        assert _reached(client) < lost
    await until(lambda: sentinel.master_port() == replica.port, PROMOTION_SECONDS)
    await asyncio.to_thread(master.start)
    follow(master, replica)  # as the sentinel would have it do in ten seconds
    await until(lambda: sentinel.replicas() == 1 and is_following(master), PROMOTION_SECONDS)


async def failovers_that_lose_the_tail(ground: Ground, rounds: int) -> None:
    with replicated() as servers, Sentinel(servers[0]) as sentinel:
        master, replica = servers
        await until(lambda: is_following(servers[1]) and sentinel.replicas() == 1)
        service = ground.start(redis_url=sentinel.url)
        headers = authorization(service)
        async with load(lambda: service.url, headers, clients=4) as seen:
            for _ in range(rounds):
                await asyncio.sleep(0.5)
                await fail_over(master, replica, sentinel)
                master, replica = replica, master
        assert not seen.refused
        with master.client() as look:
            assert len(await whole(look, ground.log, PROMOTION_SECONDS)) >= len(seen.acknowledged)
        await until(lambda: _same(master, replica), PROMOTION_SECONDS)


def _reached(client: Redis) -> int:
    return int(client.xinfo_stream(ALL)["last-generated-id"].partition("-")[0])


def _same(master: RedisServer, replica: RedisServer) -> bool:
    with master.client() as one, replica.client() as other:
        return bool(one.xrange(ALL) == other.xrange(ALL))


async def test_a_failover_that_loses_the_tail_leaves_no_hole(on_sqlite: Ground) -> None:
    await failovers_that_lose_the_tail(on_sqlite, rounds=1)


@pytest.mark.faults
async def test_failovers_that_lose_the_tail_again_and_again(on_postgres: Ground) -> None:
    await failovers_that_lose_the_tail(on_postgres, rounds=5)


@contextmanager
def cluster(size: int = 3) -> Iterator[list[RedisServer]]:
    with ExitStack() as stack:
        nodes = []
        for _ in range(size):
            node = RedisServer(appendonly="no", cluster_enabled="yes", cluster_require_full_coverage="no")
            while node.port + CLUSTER_BUS > 65_535:
                node.port = free_port()
            nodes.append(stack.enter_context(node))
        share = -(-SLOTS // size)
        for number, node in enumerate(nodes):
            with node.client() as client:
                client.execute_command("CLUSTER ADDSLOTS", *range(number * share, min(SLOTS, (number + 1) * share)))
                client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port)
        yield nodes


def is_formed(nodes: list[RedisServer]) -> bool:
    return all(_agrees(node, len(nodes)) for node in nodes)


def _agrees(node: RedisServer, size: int) -> bool:
    with node.client() as client:
        info = client.execute_command("CLUSTER INFO")
        return bool(info["cluster_state"] == "ok" and info["cluster_known_nodes"] == str(size))


async def test_on_a_cluster_the_requests_of_a_tenant_are_counted_together(
    on_sqlite: Ground, on_postgres: Ground
) -> None:
    """Once a tenant may ask nothing more of one service it may ask nothing of another, which it has hardly asked."""
    limit = 300
    with cluster() as nodes:
        await until(lambda: is_formed(nodes), 20)
        one, another = (
            ground.start(redis_url=nodes[0].url, rate_limit=f"{limit}/hour") for ground in (on_sqlite, on_postgres)
        )
        for tenant in ("acme", "globex", "initech"):  # on whatever node each is counted
            async with (
                client(one.url, authorization(one, tenant=tenant)) as busy,
                client(another.url, authorization(another, tenant=tenant)) as other,
            ):
                asked = await _until_refused(busy, pause=0)
                assert asked >= limit
                assert await _until_refused(other, pause=0.1) < limit


async def _until_refused(one: Client, pause: float) -> int:
    """How often it could ask; when Redis is slow for a moment nobody is counted."""
    async with asyncio.timeout(20):
        for asked in count():
            if (await one.ask("GET", f"{INCIDENTS}/counts")).status == 429:
                return asked
            await asyncio.sleep(pause)
    raise AssertionError


async def test_on_a_cluster_each_stream_is_where_its_name_belongs(on_sqlite: Ground) -> None:
    with cluster() as nodes:
        await until(lambda: is_formed(nodes), 20)
        service = on_sqlite.start(redis_url=nodes[0].url)
        tenants = [f"tenant-{number}" for number in range(8)]
        for tenant in tenants:
            async with client(service.url, authorization(service, tenant=tenant)) as one:
                await one.report()
                await one.report()
        look = RedisCluster(host="127.0.0.1", port=nodes[0].port, decode_responses=True)
        log = await events(on_sqlite.log)
        await until(lambda: look.xlen(ALL) == len(log))
        compare(entries(look), log)  # type: ignore[arg-type]
        for number, tenant in enumerate(tenants):
            compare(entries(look, f"{ALL}:{tenant}"), log[2 * number : 2 * number + 2])  # type: ignore[arg-type]
        held = [node for node in nodes if _keys(node)]
        assert len(held) > 1
        # A node that lost its streams gets them again.
        with held[-1].client() as client_of_node:
            client_of_node.flushall()
        for tenant in tenants:
            async with client(service.url, authorization(service, tenant=tenant)) as one:
                await one.report()
        log = await events(on_sqlite.log)
        await until(lambda: look.xlen(ALL) == len(log) and all(look.xlen(f"{ALL}:{name}") == 3 for name in tenants))
        compare(entries(look), log)  # type: ignore[arg-type]
        look.close()


def _keys(node: RedisServer) -> list[str]:
    with node.client() as client:
        return list(client.keys("ims:events*"))
