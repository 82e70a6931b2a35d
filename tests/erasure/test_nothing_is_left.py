"""Whatever is erased, by whichever way it came in: its text is nowhere any more."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.domain.examples import BREACH
from tests.erasure.searching import found, in_files, nowhere
from tests.faults.agreement import patiently
from tests.faults.conftest import Ground
from tests.faults.load import CUT_OFF, DEPLOYER, INCIDENTS, Client, authorization, client
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer
from tests.streams.reading import ALL, entries

ERASER = "eraser"
SECRET = "Xq7Zvanthippe"
FIELDS = ["name", "description", "reported_by", "location", "attributes"]
TEXTS = ("name", "description", "reported_by", "location")


def erasure(fields: Any = "all") -> dict[str, Any]:
    return {"fields": fields, "reason": "Article 17"}


async def lived(one: Client, chance: random.Random, secret: str) -> tuple[str, list[str]]:
    """An incident with the text in all that it and its comments say, some of it written over; their ids."""
    said = {member: f"{secret} {chance.random()}" for member in TEXTS}
    key = f"{secret}{chance.random()}"
    answer = await one.ask("POST", INCIDENTS, {**BREACH, **said, "attributes": {"workflowId": secret}}, key=key)
    assert answer.status == 201
    path = f"{INCIDENTS}/{answer.data['id']}"
    comments = []
    for number in range(chance.randrange(3, 9)):
        what = chance.choice(("patch", "attribute", "comment", "status", "large", "delete and restore"))
        if what == "patch":
            sent = {member: f"{secret} {number}" for member in TEXTS if chance.random() < 0.5}
            await one.ask("PATCH", path, sent, key=f"{key}{number}")
        elif what == "attribute":
            await one.ask("PUT", f"{path}/attributes", {"name": "workflowId", "value": f"{secret} {number}"})
        elif what == "comment":
            said_id = (await one.ask("POST", f"{path}/comments", {"text": f"{secret} {number}"})).data["id"]
            await one.ask("PUT", f"{path}/comments/{said_id}", {"text": f"{number} {secret}", "occ_lock": 0})
            comments.append(said_id)
        elif what == "status":
            await one.ask("PATCH", path, {"status": chance.choice(("OPEN", "CLOSED"))})
        elif what == "large":
            await one.ask("PATCH", path, {"description": f"{secret} " * 900})
        else:
            await one.ask("DELETE", path)
            await one.ask("POST", f"{path}/restore")
    return answer.data["id"], comments


async def erased(one: Client, id: str, comments: list[str], fields: Any) -> None:
    for comment in comments:
        answer = await one.ask("POST", f"{INCIDENTS}/{id}/comments/{comment}/erase", erasure(), key=comment)
        assert answer.status == 200, answer
    answer = await one.ask("POST", f"{INCIDENTS}/{id}/erase", erasure(fields), key=id)
    assert answer.status == 200, answer


@pytest.mark.parametrize("incidents", [12, pytest.param(150, marks=pytest.mark.faults)])
async def test_random_lives_leave_nothing(ground: Ground, incidents: int) -> None:
    service = ground.start()
    chance = random.Random(incidents)
    secrets = [f"{SECRET}{number:04d}x" for number in range(incidents)]
    async with client(service.url, authorization(service, DEPLOYER, ERASER)) as one:
        lives = [await lived(one, chance, secret) for secret in secrets]
        if isinstance(ground.log, str):
            await _sampled(ground.log)
        assert await found(ground.log, secrets[0])
        for number in chance.sample(range(incidents), incidents):
            await erased(one, *lives[number], fields="all" if number % 2 else FIELDS)
        for secret in secrets:
            await nowhere(ground.log, secret)
        exported = service.folder / "export.ndjson"
        shown = [await one.ask("GET", path) for path in (INCIDENTS, f"{INCIDENTS}?as_of=2999-01-01T00:00:00Z")]
        feed = await one.ask("GET", "/v1/events?limit=1000")
        assert SECRET not in str([answer.body for answer in (*shown, feed)])
        assert shown[0].data["total"] == incidents - incidents // 2
    service.terminate()
    service.command("audit", "export", str(exported))
    assert SECRET not in exported.read_text()
    if isinstance(ground.log, Path):
        assert in_files(ground.log.parent, SECRET) == []
    verified = service.command("audit", "verify")
    assert "erased by order" in verified


async def _sampled(dsn: str) -> None:
    server = await asyncpg.connect(dsn)
    await server.execute("ANALYZE")
    await server.close()


async def test_files_of_postgresql_hold_nothing_after_the_documented_commands(
    own_postgres: Postgres, tmp_path: Path
) -> None:
    dsn = own_postgres.create_database("erased")
    with ServiceProcess(tmp_path, {"database_url": dsn, "rate_limit": "off"}) as service:
        async with client(service.url, authorization(service, DEPLOYER, ERASER)) as one:
            chance = random.Random(5)
            lives = [await lived(one, chance, SECRET) for _ in range(6)]
            for number, life in enumerate(lives):
                await erased(one, *life, fields="all" if number % 2 else FIELDS)
            await nowhere(dsn, SECRET)
        service.terminate()
    base = own_postgres._data / "base"
    own_postgres.sql("CHECKPOINT", "erased")
    assert in_files(base, SECRET), "the dead rows of before"
    own_postgres.sql("VACUUM FULL", "erased")
    own_postgres.sql("CHECKPOINT", "erased")
    assert in_files(base, SECRET) == []


@pytest.fixture
async def two(on_postgres: Ground) -> AsyncIterator[tuple[Client, Client]]:
    """Two processes of one service, each with caches of its own."""
    processes = [on_postgres.start() for _ in range(2)]
    headers = authorization(processes[0], DEPLOYER, ERASER)
    async with AsyncExitStack() as clients:
        first, second = [await clients.enter_async_context(client(process.url, headers)) for process in processes]
        yield first, second


async def test_another_process_forgets_what_it_holds(two: tuple[Client, Client], on_postgres: Ground) -> None:
    one, other = two
    incident = await one.report(name=SECRET, description=SECRET)
    path = f"{INCIDENTS}/{incident['id']}"
    for number in range(3):  # cached as an aggregate, as a document, as states of events
        assert (await other.ask("PATCH", path, {"next_update": number + 1})).status == 200
        assert SECRET in str((await other.ask("GET", path)).body)
        assert SECRET in str((await other.ask("GET", f"/v1/events?after={number}&limit=1")).body)
    answer = await one.ask("POST", f"{path}/erase", erasure(["name", "description"]))
    assert answer.status == 200
    async with asyncio.timeout(10):
        while SECRET in str((await other.ask("GET", path)).body):
            await asyncio.sleep(0.05)
    feed = "/v1/events"
    # The event after the last one that was asked for: its state would be folded onto the one that is kept.
    for asked in (f"{feed}?after=3&limit=1", path, f"{path}?version=1", f"{path}/history", feed, f"{feed}?after=1"):
        assert SECRET not in str((await other.ask("GET", asked)).body), asked
    changed = await other.ask("PATCH", path, {"status": "OPEN"})
    assert (changed.data["name"], changed.data["occ_lock"]) == (None, 5)
    assert SECRET not in str((await other.ask("PUT", path, {**BREACH, "occ_lock": 0})).body)
    await nowhere(on_postgres.log, SECRET)


async def test_edits_that_race_an_erasure_bring_nothing_back(two: tuple[Client, Client], on_postgres: Ground) -> None:
    one, other = two
    incident = await one.report(name=SECRET, description=SECRET)
    path = f"{INCIDENTS}/{incident['id']}"
    answers = await asyncio.gather(
        *((one, other)[n % 2].ask("PATCH", path, {"next_update": n + 1}, key=f"{n}") for n in range(25)),
        one.ask("POST", f"{path}/erase", erasure(["name", "description"]), key="erase"),
        *((one, other)[n % 2].ask("PATCH", path, {"location": f"{n}"}, key=f"later-{n}") for n in range(25)),
    )
    assert [answer.status for answer in answers] == 51 * [200]
    assert sorted(answer.data["occ_lock"] for answer in answers) == list(range(1, 52)), "no version is lost or twice"
    await nowhere(on_postgres.log, SECRET)
    shown = (await other.ask("GET", path, Ims_Min_Position=answers[0].headers["Ims-Position"])).data
    assert (shown["name"], shown["description"]) == (None, None)


@pytest.mark.parametrize("times", [3, pytest.param(25, marks=pytest.mark.faults)])
async def test_killed_while_it_erases_it_has_erased_or_can_be_asked_again(ground: Ground, times: int) -> None:
    service = ground.start()
    chance = random.Random(times)
    headers = authorization(service, DEPLOYER, ERASER)
    for number in range(times):
        secret = f"{SECRET}{number:04d}x"
        async with client(service.url, headers) as one:
            id, comments = await lived(one, chance, secret)
            erasing = asyncio.create_task(erased(one, id, comments, FIELDS))
            await asyncio.sleep(chance.random() * 0.05)
            service.kill()
            with suppress(*CUT_OFF):
                await erasing
        service.start()
        async with client(service.url, headers) as one:
            await erased(one, id, comments, FIELDS)
            assert (await patiently(one, f"{INCIDENTS}/{id}")).data["name"] is None
        await nowhere(ground.log, secret)


async def test_the_streams_go_on_and_say_what_to_delete(
    on_sqlite: Ground, redis_url: str, redis_server: RedisServer
) -> None:
    service = on_sqlite.start(redis_url=redis_url)
    async with client(service.url, authorization(service, DEPLOYER, ERASER)) as one:
        incident = await one.report(name=SECRET)
        await erased(one, incident["id"], [], "all")
        await one.report(name="Next")
    with redis_server.client() as streams:
        async with asyncio.timeout(20):
            while len(entries(streams)) < 3:
                await asyncio.sleep(0.05)
        told = entries(streams)[1]
        assert (told.type, told.event["data"]["positions"]) == ("ims.incident.erased", [1])
        for stream in (ALL, f"{ALL}:acme"):
            streams.xdel(stream, *(f"{position}-0" for position in told.event["data"]["positions"]))
        assert SECRET not in str([entry.event for entry in entries(streams)])
        service.terminate()
        service.start()
        async with client(service.url, authorization(service)) as one:
            await one.report(name="After a start")
        async with asyncio.timeout(20):
            while len(entries(streams)) < 3:
                await asyncio.sleep(0.05)
