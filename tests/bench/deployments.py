"""`python -m tests.bench.deployments`: the same service in other ways to run it, beside one process on PostgreSQL.

Creates on SQLite, creates by two processes on one PostgreSQL, how long a client waits for what it has just written, and
all kinds of requests at the same time. The servers take turns; what counts is the ratios within one run.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from tests.bench.competitors import POSTGRES
from tests.bench.load import Load, Measurement, created, measured
from tests.bench.race import STRIDE
from tests.bench.traffic import OVERWRITE, REQUESTS, Request
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

ROUNDS, TURN_SECONDS = 3, 3
CONNECTIONS = 32
PAIRS = 2_000
"""Of a create and a get of what it created, all connections together."""
MIXED = {"get": 45, "list": 10, "edit": 6, "create": 3}
"""Connections of each kind, all 64 at the same time."""
MIXED_INCIDENTS = 2_000
SQLITE_MARK, TWO_MARK, READ_MARK, MIXED_MARK = 0.5, 1.0, 2.0, 10.0


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        one = stack.enter_context(_service(folder, "one", postgres.create_database("one")))
        shared = postgres.create_database("two")
        two = [stack.enter_context(_service(folder, "two", shared)) for _ in range(2)]
        file = stack.enter_context(_service(folder, "file", f"sqlite:///{folder}/file/ims.db"))

        rates = _rates({"one": [one], "two": two, "sqlite": [file]})
        _say(f"creates at {2 * CONNECTIONS} connections: one process {rates['one']:,.0f}/s, two on one PostgreSQL "
             f"{rates['two']:,.0f}/s, {rates['two'] / rates['one']:.2f} × (mark: {TWO_MARK:g})")  # fmt: skip
        _say(f"creates on SQLite: {rates['sqlite']:,.0f}/s, {rates['sqlite'] / rates['one']:.2f} × PostgreSQL "
             f"(mark: {SQLITE_MARK:g})")  # fmt: skip
        again, after = asyncio.run(_reading(one))
        _say(f"a get at {CONNECTIONS} connections: p50 {again:.2f} ms, right after its create {after:.2f} ms, "
             f"{after / again:.2f} × (mark: {READ_MARK:g})")  # fmt: skip
        for kind, found in _mixed(one, folder).items():
            _say(f"all at once, {kind} at {MIXED[kind]} connections: {found.rate:,.0f}/s, p50 {found.p50:.1f} ms, "
                 f"p99 {found.p99:.1f} ms, {found.p99 / found.p50:.1f} × (mark: {MIXED_MARK:g})")  # fmt: skip


def _rates(deployments: dict[str, list[ServiceProcess]]) -> dict[str, float]:
    """The same number of connections for each, spread over its processes; the first round warms up."""
    rates: dict[str, list[float]] = {name: [] for name in deployments}
    with ThreadPoolExecutor() as threads:
        for turn in range(ROUNDS + 1):
            for name, services in deployments.items():
                loads = [_load(service, None, turn, 2 * CONNECTIONS // len(services)) for service in services]
                found = list(threads.map(measured, loads, [TURN_SECONDS] * len(loads)))
                if failures := sum(one.failures for one in found):
                    raise RuntimeError(f"{name}: {failures} requests failed")
                if turn:
                    rates[name].append(sum(one.rate for one in found))
                time.sleep(0.5)
    return {name: statistics.median(found) for name, found in rates.items()}


def _mixed(service: ServiceProcess, folder: Path) -> dict[str, Measurement]:
    ids = folder / "mixed"
    ids.write_text("\n".join(created(_load(service, None, 0, CONNECTIONS), MIXED_INCIDENTS)) + "\n")
    loads = [_load(service, ids, turn, MIXED[kind], kind) for turn, kind in enumerate(MIXED)]
    with ThreadPoolExecutor() as threads:
        return dict(zip(MIXED, threads.map(measured, loads, [2 * TURN_SECONDS] * len(loads)), strict=True))


def _load(service: ServiceProcess, ids: Path | None, turn: int, connections: int, kind: str = "create") -> Load:
    port = int(service.url.rpartition(":")[2])
    return Load(port, OVERWRITE if kind == "edit" else REQUESTS[kind], service.token(), ids, turn * STRIDE, connections)


async def _reading(service: ServiceProcess) -> tuple[float, float]:
    """Medians in milliseconds: of a get, and of the one that comes first after the create."""
    create = REQUESTS["create"]
    headers = {"Authorization": f"Bearer {service.token()}"}
    again: list[float] = []
    after: list[float] = []
    async with aiohttp.ClientSession(service.url, headers=headers) as session:

        async def client() -> None:
            for _ in range(PAIRS // CONNECTIONS):
                path = await _created(session, create)
                after.append(await _taken(session, path))
                again.append(await _taken(session, path))

        await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return statistics.median(again), statistics.median(after)


async def _created(session: aiohttp.ClientSession, create: Request) -> str:
    async with session.post(create.target, data=create.body, headers=create.headers) as answer:
        assert answer.status == create.status
        return answer.headers["Location"]


async def _taken(session: aiohttp.ClientSession, path: str) -> float:
    began = time.perf_counter()
    async with session.get(path) as answer:
        await answer.read()
        assert answer.status == 200
    return (time.perf_counter() - began) * 1e3


@contextmanager
def _service(folder: Path, name: str, url: str) -> Iterator[ServiceProcess]:
    own = folder / name
    own.mkdir(exist_ok=True)
    with ServiceProcess(own, {"database_url": url, "rate_limit": "off"}) as service:
        yield service


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
