"""`python -m tests.bench.history`: the first page of the history of an incident that was changed a thousand times.

Beside it the list as of a time, half the changes ago, which has no mark. Both engines, all in one process.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
import psutil

from service.settings import Settings
from tests.bench.competitors import POSTGRES
from tests.bench.load import Load, measured
from tests.bench.long_log import TENANTS, fill
from tests.bench.traffic import Request
from tests.http.api import PATH, incident
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

EVENTS, CHANGES = 50_000, 1_000
CONNECTIONS, SECONDS = 16, 5
P99_MARK = 10.0
CATCH_UP_SECONDS = 60


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        for engine, url in (
            ("SQLite", f"sqlite:///{folder}/ims.db"),
            ("PostgreSQL", postgres.create_database("history")),
        ):
            asyncio.run(fill(Settings(database_url=url, data_dir=folder), EVENTS))
            with ServiceProcess(folder, {"database_url": url, "rate_limit": "off"}) as service:
                _measure(engine, service, folder)


def _measure(engine: str, service: ServiceProcess, folder: Path) -> None:
    token = service.token(tenant=TENANTS[0])
    id, half_way = asyncio.run(_changed(service, token))
    ids = folder / "ids"
    ids.write_text(f"{id}\n")
    process = psutil.Process(service.pid)
    for name, target, mark in (
        ("history, first page", f"{PATH}/{id}/history?page=1", f" (mark: {P99_MARK:g} ms)"),
        ("history, first page of 100", f"{PATH}/{id}/history?page=1&size=100", ""),
        ("list as of a time", f"{PATH}?page=1&as_of={half_way}", ""),
    ):
        load = Load(int(service.url.rpartition(":")[2]), Request("GET", target, 200), token, ids, 0, CONNECTIONS)
        measured(load, 1)  # warms up
        before = process.cpu_times()
        seen = measured(load, SECONDS)
        after = process.cpu_times()
        busy = (after.user + after.system - before.user - before.system) / seen.requests
        print(
            f"{engine}: {name} at {CONNECTIONS} connections: {seen.rate:,.0f}/s, p50 {seen.p50:.1f} ms, "
            f"p99 {seen.p99:.1f} ms{mark}, {busy * 1e6:.0f} µs of processor time each, {seen.failures} failures",
            flush=True,
        )


async def _changed(service: ServiceProcess, token: str) -> tuple[str, str]:
    """The id of an incident with that many changes, and when it had half of them."""
    headers, half_way = {"Authorization": f"Bearer {token}"}, ""
    async with aiohttp.ClientSession(service.url, headers=headers) as session:
        async with session.post(PATH, json=incident()) as answer:
            id, position = (await answer.json())["data"]["id"], answer.headers["Ims-Position"]
        for number in range(1, CHANGES):
            async with session.patch(f"{PATH}/{id}", json={"next_update": number}) as answer:
                if number == CHANGES // 2:
                    half_way = (await answer.json())["data"]["updated_at"]
                position = answer.headers["Ims-Position"]
        async with asyncio.timeout(CATCH_UP_SECONDS):
            while True:
                async with session.get(f"{PATH}/counts", headers={"Ims-Min-Position": position}) as answer:
                    if answer.status == 200:
                        return id, half_way


if __name__ == "__main__":
    main()
