"""`ims events tail`, `consume` and `republish` against the real publisher and a real Redis."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.conftest import Ground, ground, on_postgres, on_sqlite
from tests.faults.load import Client, authorization, client
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer
from tests.streams.reading import ALL, entries, whole
from tests.subscribers.commands import running, written
from tests.subscribers.published import until

__all__ = ["ground", "on_postgres", "on_sqlite"]


@asynccontextmanager
async def served(ground: Ground, url: str) -> AsyncIterator[tuple[ServiceProcess, Client]]:
    service = await asyncio.to_thread(ground.start, redis_url=url)
    async with client(service.url, authorization(service)) as one:
        yield service, one


async def test_tail_shows_all_of_history_and_then_each_change_whatever_happens_to_redis(on_sqlite: Ground) -> None:
    """As the issue says when it is done."""
    with RedisServer() as redis:
        async with served(on_sqlite, redis.url) as (service, one):
            for _ in range(5):
                await one.report()
            with running(service, "events", "tail", "--json") as tail:
                await until(lambda: tail.positions == [1, 2, 3, 4, 5])
                await one.report()
                await until(lambda: tail.positions == [1, 2, 3, 4, 5, 6])
                redis.kill()
                for _ in range(5):
                    await one.report()
                await until(lambda: "Redis" in tail.wrong)
                redis.start()
                await until(lambda: len(tail.positions) == 11, 20)
                assert tail.positions == list(range(1, 12))
                assert "Redis is back" in tail.wrong
            with redis.client() as streams:
                await whole(streams, on_sqlite.log)


async def test_tail_is_readable_and_goes_on_from_a_position(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    async with served(on_sqlite, redis_url) as (service, one):
        incident = await one.report()
        path = f"/v1/incident/{incident['id']}"
        await one.ask("PATCH", path, {"status": "OPEN"})
        with redis_server.client() as streams:
            await whole(streams, on_sqlite.log)
        with running(service, "events", "tail", "--tenant", "acme", "--after", "1") as tail:
            await until(lambda: tail.lines)
            (line,) = tail.lines
            for word in ("2", "acme", "incident.edited", incident["id"], 'status: "NEW" → "OPEN"'):
                assert word in line
        with running(service, "events", "tail", "--tenant", "nobody", "--json") as tail:
            await asyncio.sleep(1.5)
            assert tail.lines == []


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.faults)])
async def test_a_consumer_killed_at_any_moment_loses_nothing(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer, kills: int
) -> None:
    """Two members of a group, one of which is killed again and again: what it held, it or the other one handles."""
    dice = random.Random(9)
    async with served(on_sqlite, redis_url) as (service, one):
        total = kills * 30
        for _ in range(total):
            await one.report()
        handled = service.folder / "handled"
        take = 'read -r event; sleep 0.03; echo "$IMS_EVENT_ID" >> handled'
        arguments = ("events", "consume", "--group", "g", "--idle", "3", "--exec", take, "--name")
        with running(service, *arguments, "steady") as steady:
            for number in range(kills):
                with running(service, *arguments, f"victim-{number % 2}") as victim:
                    await asyncio.sleep(1.0 + dice.random())
                    victim.kill()
            await until(lambda: len(set(written(handled))) == total, 90)
            with redis_server.client() as streams:
                await until(lambda: streams.xpending(ALL, "g")["pending"] == 0)
            assert steady.end() == 0
        counted = Counter(map(int, written(handled)))
        assert counted.keys() == set(range(1, total + 1))
        # Three seconds of idleness, so that a pause of a busy machine does not look like a death.
        assert sum(counted.values()) - total <= kills, "twice only what was in hand when its member was killed"
        assert not redis_server.client().exists("ims:dead:g")


async def test_a_command_that_fails_puts_the_event_aside_with_what_it_said(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    async with served(on_sqlite, redis_url) as (service, one):
        for _ in range(5):
            await one.report()
        take = '[ "$IMS_EVENT_ID" = 3 ] && { echo "no room for $IMS_EVENT_TYPE" >&2; exit 7; }; cat >> taken'
        with running(
            service, "events", "consume", "--group", "g", "--name", "n", "--attempts", "2", "--exec", take
        ) as consume:
            with redis_server.client() as streams:
                await until(lambda: streams.exists("ims:dead:g"))
                await until(lambda: streams.xpending(ALL, "g")["pending"] == 0)
                ((_, dead),) = streams.xrange("ims:dead:g")
            assert dead["id"] == "3-0"
            assert dead["reason"] == "CommandFailed: exit code 7: no room for ims.incident.reported"
            assert consume.end() == 0
        assert (service.folder / "taken").read_text().count("specversion") == 4


async def test_consume_prints_events_where_no_command_is_given_and_stops_at_a_hole(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    async with served(on_sqlite, redis_url) as (service, one):
        for _ in range(6):
            await one.report()
        with redis_server.client() as streams:
            await whole(streams, on_sqlite.log)
            streams.xdel(f"{ALL}:acme", "4-0")
        arguments = ("events", "consume", "--group", "g", "--name", "n", "--tenant", "acme")
        with running(service, *arguments) as consume:
            await until(lambda: consume.process.poll() is not None)
            assert consume.process.returncode == 1
            assert "position 5 follows 4, but what is there before it is 3" in consume.wrong
        with running(service, *arguments, "--over-holes") as consume:
            await until(lambda: consume.positions[-2:] == [5, 6])


async def test_republish_writes_a_part_of_history_into_another_stream(
    ground: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    async with served(ground, redis_url) as (service, one):
        incident = await one.report()
        for number in range(8):
            await one.ask("PATCH", f"/v1/incident/{incident['id']}", {"name": f"Name {number}"})
        async with client(service.url, authorization(service, tenant="other")) as other:
            await other.report()
        with redis_server.client() as streams:
            await whole(streams, ground.log)
            said = service.command("events", "republish", "--from", "3", "--to", "6", "--stream", "mine")
            assert said == "4 events written into mine\n"
            original, copy = entries(streams), entries(streams, "mine")
            assert [(entry.id, entry.event, entry.digest) for entry in copy] == [
                (entry.id, entry.event, entry.digest) for entry in original[2:6]
            ]
            assert [entry.prev for entry in copy] == [0, 3, 4, 5]
            service.command("events", "republish", "--from", "7", "--stream", "mine", "--tenant", "acme")
            assert [entry.id for entry in entries(streams, "mine")] == [f"{n}-0" for n in range(3, 10)]
            for stream, problem in (
                ("mine", "ends with position 9"), (ALL, "is the publisher's"), (f"{ALL}:acme", "is the publisher's"),
            ):  # fmt: skip
                with pytest.raises(RuntimeError, match=f"{stream} {problem}"):
                    service.command("events", "republish", "--from", "1", "--stream", stream)
            assert entries(streams) == original


async def test_without_a_redis_the_commands_say_so(on_sqlite: Ground) -> None:
    service = await asyncio.to_thread(on_sqlite.start)
    for arguments in (
        ("tail",), ("consume", "--group", "g", "--name", "n"), ("republish", "--from", "1", "--stream", "s"),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="IMS_REDIS_URL is not set"):
            service.command("events", *arguments)
