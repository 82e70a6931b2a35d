"""kill -9 of the service: what was acknowledged is there, once; what was not can be repeated."""

import asyncio
from typing import Any

import pytest

from tests.domain.examples import BREACH
from tests.faults.agreement import agree, patiently
from tests.faults.audit import audit
from tests.faults.conftest import Ground
from tests.faults.load import (
    CUT_OFF,
    DEPLOYER,
    INCIDENTS,
    Acknowledged,
    Answer,
    Client,
    authorization,
    client,
    load,
)


async def crashes_under_load(ground: Ground, times: int, seconds: float) -> None:
    service = ground.start()
    headers = authorization(service)
    async with load(lambda: service.url, headers) as seen:
        for _ in range(times):
            await asyncio.sleep(seconds)
            service.kill()
            service.start()
        await asyncio.sleep(seconds)
    assert seen.cut_off > 0
    assert len(seen.acknowledged) > 10 * times
    assert {status for status, _ in seen.refused} <= {503}
    async with client(service.url, headers) as one:
        shown = await agree(one, await audit(ground.log, seen.acknowledged))
    newest: dict[str, int] = {}
    for told in seen.acknowledged:
        newest[told.id] = max(told.occ_lock, newest.get(told.id, 0))
    for incident in shown:  # an edit that nobody was told of may have been recorded, but only a client's last one
        assert incident["occ_lock"] == newest.get(incident["id"], 0) or incident["id"] in (
            seen.unknown | ({incident["id"]} - newest.keys())
        )


async def test_a_killed_service_keeps_what_it_acknowledged(ground: Ground) -> None:
    await crashes_under_load(ground, times=2, seconds=0.7)


@pytest.mark.faults
async def test_a_service_that_is_killed_again_and_again_keeps_what_it_acknowledged(ground: Ground) -> None:
    await crashes_under_load(ground, times=25, seconds=0.6)


async def test_a_write_repeated_after_a_crash_gets_the_first_answer(ground: Ground) -> None:
    """The service is killed when the event is in the log and before anybody reads the answer."""
    service = ground.start()
    headers = authorization(service, DEPLOYER)
    async with client(service.url, headers) as one:
        incident, doomed = await one.report(), await one.report()
        path = f"{INCIDENTS}/{incident['id']}"
        requests: list[tuple[str, str, Any]] = [
            ("PUT", path, {**BREACH, "name": "Edited", "occ_lock": 0}),
            ("PUT", f"{path}/attributes", {"name": "count", "value": 7}),
            ("PATCH", path, {"location": "Here"}),
            ("POST", f"{path}/comments", {"text": "Said once"}),
            ("DELETE", f"{INCIDENTS}/{doomed['id']}", None),
            ("POST", INCIDENTS, {**BREACH, "name": "Reported once"}),
            ("POST", f"{INCIDENTS}/attributes", {"name": "people", "type": "INT"}),
        ]
        first: list[Answer | None] = []
        for number, (method, where, body) in enumerate(requests[:-1]):
            first.append(await one.ask(method, where, body, key=f"key-{number}"))
        pending = asyncio.create_task(_swallowed(one, *requests[-1], key=f"key-{len(requests) - 1}"))
        await _recorded(ground, 2 + len(requests))
        service.kill()
        first.append(await pending)
    service.start()
    async with client(service.url, headers) as one:
        # Later changes do not matter: a repeat gets the answer of its time.
        assert (await one.ask("PATCH", path, {"location": "There"})).status == 200
        told = []
        for number, (method, where, body) in enumerate(requests):
            again = await one.ask(method, where, body, key=f"key-{number}")
            before = first[number]
            assert again.status == (201 if method == "POST" else 200)
            if before is not None:
                assert (again.data, again.status) == (before.data, before.status)
                for header in ("Ims-Position", "ETag", "Location"):
                    assert again.headers.get(header) == before.headers.get(header)
            if "occ_lock" in again.data:
                told.append(Acknowledged(again.position, again.data["id"], again.data["occ_lock"]))
            other = await one.ask(method, where, {**(body or {}), "occ_lock": 1}, key=f"key-{number}")
            assert other.status in (400, 422)
        log = await audit(ground.log, told)
        assert len(log) == 2 + len(requests) + 1
        await agree(one, log)
        assert (await patiently(one, f"{INCIDENTS}/{doomed['id']}")).status == 404


async def _swallowed(one: Client, method: str, path: str, body: Any, key: str) -> Answer | None:
    try:
        return await one.ask(method, path, body, key=key)
    except CUT_OFF:
        return None


async def _recorded(ground: Ground, length: int) -> None:
    async with asyncio.timeout(5):
        while len(await audit(ground.log)) < length:
            await asyncio.sleep(0)
