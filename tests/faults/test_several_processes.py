"""Several processes on one PostgreSQL are one service: two that answer, one that builds the read models."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.domain.examples import BREACH
from tests.faults.agreement import agree
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import DEPLOYER, INCIDENTS, Client, authorization, client, load
from tests.servers.process import ServiceProcess

Several = tuple[Client, Client, Client]


@pytest.fixture
async def several(on_postgres: Ground) -> AsyncIterator[Several]:
    """Two API processes and the projector's own port."""
    processes = [on_postgres.start(run=run) for run in ("api", "api", "projector")]
    headers = authorization(processes[0], DEPLOYER)
    async with AsyncExitStack() as clients:
        first, second, third = [
            await clients.enter_async_context(client(process.url, headers)) for process in processes
        ]
        yield first, second, third


async def test_processes_work_as_one_service(several: Several, on_postgres: Ground) -> None:
    one, other, projector = several
    await reads_see_their_own_writes(one)
    await reads_elsewhere_see_the_position_they_ask_for(one, other)
    await definitions_hold_everywhere_at_once(one, other)
    await edits_of_one_process_are_refused_by_the_lock_of_another(one, other)
    answer = await projector.ask("GET", INCIDENTS)
    assert answer.status == 404
    for process in several:
        assert (await process.ask("GET", "/readyz")).status == 200
    status = await one.ask("GET", "/status")
    assert status.body["followers"][0]["holder"].rpartition(":")[2].isdigit()
    await agree(other, await audit(on_postgres.log))


async def reads_see_their_own_writes(one: Client) -> None:
    async def write_and_read(number: int) -> None:
        incident = await one.report(name=f"Number {number}")
        path = f"{INCIDENTS}/{incident['id']}"
        for lock in range(3):
            shown = await one.ask("GET", path)
            assert shown.status == 200
            assert shown.data["occ_lock"] == lock
            assert (await one.ask("PATCH", path, {"next_update": lock + 1})).status == 200
        assert (await one.ask("DELETE", path)).status == 200
        assert (await one.ask("GET", path)).status == 404

    await asyncio.gather(*(write_and_read(number) for number in range(20)))


async def reads_elsewhere_see_the_position_they_ask_for(one: Client, other: Client) -> None:
    for _ in range(20):
        answer = await one.ask("POST", INCIDENTS, BREACH)
        shown = await other.ask("GET", f"{INCIDENTS}/{answer.data['id']}", Ims_Min_Position=str(answer.position))
        assert shown.status == 200
        assert shown.data == answer.data
    beyond = await other.ask("GET", INCIDENTS, Ims_Min_Position=str(answer.position + 1000))
    assert (beyond.status, beyond.code) == (400, "POSITION_UNKNOWN")


async def definitions_hold_everywhere_at_once(one: Client, other: Client) -> None:
    incident = await one.report()
    path = f"{INCIDENTS}/{incident['id']}/attributes"
    for number in range(5):
        name, value = f"a{number}", {"name": f"a{number}", "value": number}
        refused = await other.ask("PUT", path, value)
        assert (refused.status, refused.code) == (400, "ATTRIBUTE_UNKNOWN")
        assert (await one.ask("POST", f"{INCIDENTS}/attributes", {"name": name, "type": "INT"})).status == 201
        assert (await other.ask("PUT", path, value)).status == 200
    for number in range(5):
        retired = await one.ask("DELETE", f"{INCIDENTS}/attributes/a{number}")
        assert retired.status == 200
        # A value that races a retirement may land; one that comes after it was heard of does not.
        await other.ask("GET", INCIDENTS, Ims_Min_Position=str(retired.position))
        async with asyncio.timeout(2):
            while (await other.ask("PUT", path, {"name": f"a{number}", "value": 100 + number})).status != 400:
                await asyncio.sleep(0.01)


async def edits_of_one_process_are_refused_by_the_lock_of_another(one: Client, other: Client) -> None:
    incident: dict[str, Any] = await one.report()
    path = f"{INCIDENTS}/{incident['id']}"
    assert (await one.ask("PATCH", path, {"name": "First"})).status == 200
    stale = await other.ask("PUT", path, {**BREACH, "occ_lock": 0})
    assert (stale.status, stale.code) == (409, "LOCK_STALE")
    rebased = await other.ask("PATCH", path, {"location": "There", "occ_lock": 0})
    assert rebased.status == 200
    assert (rebased.data["name"], rebased.data["occ_lock"]) == ("First", 2)
    assert (await other.ask("DELETE", path)).status == 200
    assert (await one.ask("PATCH", path, {"name": "Late"})).status == 404
    assert (await one.ask("POST", f"{path}/comments", {"text": "Late"})).status == 404


@pytest.mark.faults
async def test_processes_are_killed_in_turns_under_load(on_postgres: Ground) -> None:
    """Each of three takes everything on; whoever dies is started again, and the others go on meanwhile."""
    processes: list[ServiceProcess] = [on_postgres.start() for _ in range(3)]
    headers = authorization(processes[0])
    async with AsyncExitStack() as loads:
        seen = [
            await loads.enter_async_context(load(lambda one=one: one.url, headers, clients=4, seed=number))  # type: ignore[misc]
            for number, one in enumerate(processes)
        ]
        for number in range(12):
            await asyncio.sleep(1)
            processes[number % 3].kill()
            await asyncio.sleep(0.5)
            processes[number % 3].start()
    told = [one for load in seen for one in load.acknowledged]
    assert {status for load in seen for status, _ in load.refused} <= {503}
    async with client(processes[0].url, headers) as one:
        await agree(one, await audit(on_postgres.log, told))
