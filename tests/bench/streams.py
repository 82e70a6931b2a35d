"""`python -m tests.bench.streams`: publishing to Redis Streams. Catching up, latency, and what it costs the API.

What it costs is measured in one process of the service, with Redis at work and Redis at rest in turns: two processes
differ by more than that, though they run the same code.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import UUID

import psutil

from domain.event import ActEvent
from service.engines import open_engine
from service.settings import Settings
from service.store.mapper import entry_of
from tests.bench.competitors import POSTGRES
from tests.bench.followers import seconds_until_caught_up
from tests.bench.load import Load, measured
from tests.bench.paced import latencies
from tests.bench.traffic import REQUESTS
from tests.projections.histories import long_history
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess
from tests.servers.redis import RedisServer

HISTORY = 60_000
"""Events that a publisher catches up with."""
GROUP = 200
RATE, LATENCY_SECONDS = 1_000, 8
CONNECTIONS, STARTS, PAIRS, TURN_SECONDS = 32, 3, 4, 2
"""`STARTS`: of the service, each with so many pairs of turns, one without and one with publishing."""
SETTLE_SECONDS = 0.3
"""After a turn, until what follows the log has come to its end."""
REST_SECONDS = 60
"""Longer than a turn. So long may Redis be kept from writing, and so long does the publisher wait for its answer."""
STREAM = "ims:events"
REDIS: dict[str, str | int] = {"appendonly": "yes", "appendfsync": "everysec"}
CATCH_UP_MARK, P50_MARK, P99_MARK, COST_MARK = 30_000, 5.0, 25.0, 0.10


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        rate = _catching_up(postgres, folder)
        _say(f"catching up, one stream: {rate:,.0f} events/s (mark: {CATCH_UP_MARK:,})")
        with RedisServer(**REDIS) as redis, _service(postgres, folder, "latency", redis) as service:
            port, token = _port(service), service.token()
            latencies(port, token, redis.port, STREAM, RATE, 2)
            answered, taken = latencies(port, token, redis.port, STREAM, RATE, LATENCY_SECONDS)
        p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
        _say(f"from the answer to XREAD at {answered:,.0f} creates/s: p50 {p50:.1f} ms, p99 {p99:.1f} ms "
             f"(marks: {P50_MARK:g} and {P99_MARK:g})")  # fmt: skip
        pairs = _cost(postgres, folder)
        without, publishing = (_median(costs) for costs in zip(*pairs, strict=True))
        ratio = _median([Cost(second.rate / first.rate, second.taken / first.taken) for first, second in pairs])
        _say(f"creates at {CONNECTIONS} connections: {without.rate:,.0f}/s, {publishing.rate:,.0f}/s while publishing, "
             f"{1 - ratio.rate:.0%} fewer (mark: under {COST_MARK:.0%})")  # fmt: skip
        _say(f"the service's processor time for each: {without.taken * 1e6:.0f} µs, {publishing.taken * 1e6:.0f} µs "
             f"while publishing, {ratio.taken - 1:+.0%}")  # fmt: skip


def _catching_up(postgres: Postgres, folder: Path) -> float:
    url = postgres.create_database("history")
    asyncio.run(_record(url, folder, list(long_history(HISTORY))))
    with RedisServer(**REDIS) as redis:
        settings = {"database_url": url, "redis_url": redis.url, "run": "publisher", "streams": "all"}
        with redis.client() as look, ServiceProcess(folder, settings):
            while not (first := int(look.xlen(STREAM))):
                time.sleep(0.001)
            began = time.perf_counter()
            while (reached := int(look.xlen(STREAM))) < HISTORY:
                time.sleep(0.005)
            return (reached - first) / (time.perf_counter() - began)


async def _record(url: str, folder: Path, events: list[ActEvent]) -> None:
    """In groups, no two events of one aggregate in any."""
    async with open_engine(Settings(database_url=url, data_dir=folder)) as engine:
        group: dict[UUID, ActEvent] = {}
        for event in [*events, None]:
            if event is None or len(group) == GROUP or event.originator_id in group:
                await engine.log.append([entry_of(one, repeatable=False) for one in group.values()])
                group = {}
            if event is not None:
                group[event.originator_id] = event


class Cost(NamedTuple):
    """Creates a second, and the processor time that the service takes for each, in seconds."""

    rate: float
    taken: float


def _cost(postgres: Postgres, folder: Path) -> list[tuple[Cost, Cost]]:
    """Pairs: without and with publishing, one after the other in the same process."""
    pairs = []
    for start in range(STARTS):
        with (
            RedisServer(**REDIS) as redis,
            redis.client() as client,
            _service(postgres, folder, f"cost{start}", redis) as service,
        ):
            for pair in range(PAIRS + 1):
                costs: dict[bool, Cost] = {}
                for publishing in (False, True) if pair % 2 else (True, False):
                    if not publishing:
                        client.execute_command("CLIENT", "PAUSE", REST_SECONDS * 1000, "WRITE")
                    costs[publishing] = _turn(service, 2 * pair + publishing)
                    client.execute_command("CLIENT", "UNPAUSE")
                    seconds_until_caught_up(service.url)
                if pair:  # the first one warms up
                    pairs.append((costs[False], costs[True]))
    return pairs


def _turn(service: ServiceProcess, number: int) -> Cost:
    load = Load(_port(service), REQUESTS["create"], service.token(), None, number * 1_000_003, CONNECTIONS)
    before = _processor_time(service)
    measurement = measured(load, TURN_SECONDS)
    time.sleep(SETTLE_SECONDS)
    return Cost(measurement.rate, (_processor_time(service) - before) / measurement.requests)


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(*map(statistics.median, zip(*costs, strict=True)))


def _processor_time(service: ServiceProcess) -> float:
    times = psutil.Process(service.pid).cpu_times()
    return float(times.user + times.system)


@contextmanager
def _service(postgres: Postgres, folder: Path, name: str, redis: RedisServer) -> Iterator[ServiceProcess]:
    settings = {"database_url": postgres.create_database(name), "rate_limit": "off"}
    settings |= {"redis_url": redis.url, "redis_timeout": str(REST_SECONDS)}
    own = folder / name
    own.mkdir()
    with ServiceProcess(own, settings) as service:
        yield service


def _port(service: ServiceProcess) -> int:
    return int(service.url.rpartition(":")[2])


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
