"""Consumers on a Redis with users, behind sentinels and as a cluster."""

import asyncio
from pathlib import Path

import pytest

from service.subscribers.consumer import Consumer, Limits
from service.subscribers.entries import Entry
from tests.faults.conftest import Ground, on_postgres, on_sqlite
from tests.faults.load import authorization, client, load
from tests.servers.redis import RedisServer
from tests.servers.sentinel import Sentinel
from tests.streams.reading import ALL, whole
from tests.streams.test_agreement_with_the_log import report
from tests.streams.test_redis_as_people_run_it import cluster, fail_over, guarded, is_following, is_formed, replicated
from tests.subscribers.commands import running
from tests.subscribers.published import until

__all__ = ["guarded", "on_postgres", "on_sqlite"]


async def test_a_tenants_user_consumes_its_own_stream_and_no_other(on_sqlite: Ground, guarded: RedisServer) -> None:
    service = on_sqlite.start(redis_url=f"redis://ims:change-me-1@127.0.0.1:{guarded.port}/0")
    await report(service, 3)
    async with client(service.url, authorization(service, tenant="other")) as one:
        await one.report()
    with guarded.client() as look:
        await whole(look, on_sqlite.log)
        service.environment["IMS_REDIS_URL"] = f"redis://acme-subscriber:change-me-2@127.0.0.1:{guarded.port}/0"
        arguments = ("events", "consume", "--group", "g", "--name", "n", "--idle", "1")
        with running(service, *arguments, "--tenant", "acme") as consume:
            await until(lambda: consume.positions == [1, 2, 3])
            await until(lambda: look.xpending(f"{ALL}:acme", "g")["pending"] == 0)
        failing = ("--tenant", "acme", "--group", "failing", "--attempts", "1", "--exec", "exit 1")
        with running(service, "events", "consume", "--name", "n", *failing) as consume:
            assert await consume.exit_code() == 1
            assert "no permissions" in consume.wrong, "it cannot be put aside, so it stays where it is"
            assert look.xpending(f"{ALL}:acme", "failing")["pending"] == 3
        for stream in ((), ("--tenant", "other")):
            with running(service, *arguments, *stream) as consume:
                assert await consume.exit_code() == 1
                assert "no permissions" in consume.wrong
                assert consume.lines == []
        with running(service, "events", "tail", "--tenant", "acme", "--json") as tail:
            await until(lambda: tail.positions == [1, 2, 3])


async def test_a_consumer_finds_its_stream_on_a_cluster(on_sqlite: Ground) -> None:
    with cluster() as nodes:
        await until(lambda: is_formed(nodes), 20)
        service = on_sqlite.start(redis_url=nodes[0].url)
        await report(service, 5)
        for stream in ((), ("--tenant", "acme")):
            with running(service, "events", "consume", "--group", "g", "--name", "n", *stream) as consume:
                await consume.prints([1, 2, 3, 4, 5])
            with running(service, "events", "tail", "--json", *stream) as tail:
                await tail.prints([1, 2, 3, 4, 5])
            assert " g " in service.command("events", "status", "--all")


@pytest.mark.parametrize("rounds", [1, pytest.param(5, marks=pytest.mark.faults)])
async def test_after_a_failover_that_loses_the_tail_each_event_was_handled_once(
    on_sqlite: Ground, tmp_path: Path, rounds: int
) -> None:
    """What the group had acknowledged is lost with the tail: the consumer knows what it had handled."""
    handled: list[int] = []

    async def handle(entry: Entry) -> None:
        handled.append(entry.position)

    with replicated() as servers, Sentinel(servers[0]) as sentinel:
        master, replica = servers
        await until(lambda: is_following(servers[1]) and sentinel.replicas() == 1)
        service = on_sqlite.start(redis_url=sentinel.url)
        consuming = asyncio.create_task(Consumer.at(sentinel.url, ALL, "g", "n", handle, Limits(idle=2)).run())
        async with load(lambda: service.url, authorization(service), clients=2) as seen:
            for _ in range(rounds):
                await asyncio.sleep(0.5)
                await fail_over(master, replica, sentinel)
                master, replica = replica, master
        with master.client() as look:
            log = await whole(look, on_sqlite.log)
        await until(lambda: consuming.done() or len(set(handled)) == len(log))
        assert handled == list(range(1, len(log) + 1))
        assert len(log) >= len(seen.acknowledged) > 20
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
