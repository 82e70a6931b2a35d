"""HAProxy as `deploy/haproxy.cfg` has it: one address for all processes, one of which dies, leaves, comes back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from aiohttp import ClientError, ClientSession

from service.settings import Settings
from tests.faults.audit import audit
from tests.faults.load import authorization
from tests.http.api import PATH, incident
from tests.http.sse import listening_at
from tests.machines.proxied import haproxy
from tests.machines.steady import steady
from tests.projections.building import soon
from tests.servers.process import ServiceProcess
from tests.servers.programs import needs

RATE = 100
PAUSE_SECONDS = 1.5
"""As long as HAProxy takes to notice who is back."""
EVENTS = 10
CREATED = 30
READ = 8
"""Requests one after the other: those that may go anywhere go to each process in turn."""
KEPT_SECONDS = 0.2
"""How long Linux keeps the end of what is sent with MSG_MORE."""

pytestmark = needs("haproxy")


async def test_a_header_of_the_largest_size_goes_through(
    start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service = start_service()
    headers = service.authorization(roles=[f"{number:032x}" for number in range(600)])
    headers["X-Own"] = "x" * (Settings.model_fields["max_header_size"].default - len("X-Own"))
    assert len(headers["Authorization"]) > 25_000
    with haproxy(tmp_path, [service]) as proxy:

        async def answers() -> bool:
            async with ClientSession() as session:
                try:
                    async with session.get(f"{proxy.url}/v1/incident", headers=headers) as answer:
                        return answer.status == 200
                except ClientError:
                    return False

        await soon(answers)


async def test_an_event_of_a_stream_is_not_kept_for_more_to_send_with_it(
    start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service = start_service()
    told = authorization(service)
    with haproxy(tmp_path, [service]) as proxy:
        await soon(proxy.ready)
        seconds = []
        async with (
            listening_at("127.0.0.1", proxy.port, told["Authorization"]) as reading,
            ClientSession(service.url, headers=told) as session,
        ):
            for _ in range(EVENTS):
                async with session.post(PATH, json=incident()) as created:
                    assert created.status == 201
                answered = monotonic()
                assert len(await reading.take(1)) == 1
                seconds.append(monotonic() - answered)
    # Every one of them would take as long: the kernel keeps what it was told that more follows after.
    assert min(seconds) < KEPT_SECONDS / 2, seconds


async def test_a_process_that_dies_or_leaves_or_comes_back_is_not_felt(
    postgres_dsn: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    processes = [start_service(database_url=postgres_dsn, rate_limit="off", drain_time="3") for _ in range(2)]
    with haproxy(tmp_path, processes) as proxy:
        await soon(proxy.ready)
        async with steady([proxy.url], authorization(processes[0]), RATE) as seen:
            for process, end in zip(processes, ("kill", "terminate"), strict=True):
                await asyncio.sleep(PAUSE_SECONDS)
                await asyncio.to_thread(getattr(process, end))
                await asyncio.sleep(PAUSE_SECONDS)
                await asyncio.to_thread(process.start)
            await asyncio.sleep(PAUSE_SECONDS)
    assert seen.acknowledged
    assert not seen.failed
    await audit(postgres_dsn, seen.acknowledged)
    assert '"path":"/v1/incident"' in proxy.logs
    assert "Bearer" not in proxy.logs


async def test_who_wrote_stays_where_it_was_written_and_others_go_anywhere(
    postgres_dsn: str, start_service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    processes = [start_service(database_url=postgres_dsn, run="api,projector", rate_limit="off") for _ in range(2)]
    writer, reader = (processes[0].authorization(user=user) for user in ("alice", "bob"))
    with haproxy(tmp_path, processes) as proxy:
        await soon(proxy.ready)
        async with ClientSession(proxy.url) as session:
            ids, last = [], ""
            for number in range(CREATED):
                async with session.post(PATH, json=incident(name=f"N{number}"), headers=writer) as created:
                    assert created.status == 201
                    ids.append((await created.json())["data"]["id"])
                    last = created.headers["Ims-Position"]
                async with session.get(f"{PATH}/{ids[-1]}", headers=writer) as got:
                    assert got.status == 200
            for path, headers in (
                ("/counts", reader),
                ("/codes", writer | {"Ims-Min-Position": last}),
                ("/attributes", writer),
            ):
                for _ in range(READ):
                    async with session.get(PATH + path, headers=headers) as answer:
                        assert answer.status == 200
            async with session.get(f"{PATH}/{ids[-1]}", headers=reader | {"Ims-Min-Position": last}) as answer:
                assert answer.status == 200, "somebody else, wherever that is"

        async def told() -> bool:
            return len(proxy.served(PATH)) == CREATED and len(proxy.served(f"{PATH}/attributes")) == READ

        await soon(told)
        (where,) = set(proxy.served(PATH))
        assert {server for id in ids[:-1] for server in proxy.served(f"{PATH}/{id}")} == {where}
        assert set(proxy.served(f"{PATH}/attributes")) == {where}
        assert len(set(proxy.served(f"{PATH}/counts"))) == len(set(proxy.served(f"{PATH}/codes"))) == 2
