"""`python -m tests.bench.soak`: creates for ten minutes at half of the highest rate, one service process on PostgreSQL.

Nothing may grow but the tables: memory, lag, connections and file handles at the end are compared with those after the
first fifth, when caches and pools are full. And the memory after 1,000,000 creates with that after 10,000.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil
import uvloop

from tests.bench.competitors import POSTGRES
from tests.bench.followers import lag, seconds_until_caught_up
from tests.bench.load import Load, created, measured
from tests.bench.marks import Outcome
from tests.bench.paced import Times, creates
from tests.bench.report import marks_table
from tests.bench.traffic import REQUESTS
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

MINUTES = 10.0
CONNECTIONS, ROUNDS, SECONDS = 32, 3, 3
FIRST, LAST = 10_000, 1_000_000
"""Creates after which the memory is looked at."""
MEMORY_MARK = 50
SAMPLES = 200
MEGABYTE = 1e6


@dataclass(frozen=True)
class Sample:
    megabytes: float
    lag: int
    connections: int
    handles: int
    incidents: int


TOLERANCES = {"megabytes": 8.0, "lag": 100.0, "connections": 1.0, "handles": 2.0}
"""By which a median may be higher at the end and still count as not grown."""


def main(minutes: float, rate: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        settings = {"database_url": postgres.create_database("soak"), "rate_limit": "off"}
        service = stack.enter_context(ServiceProcess(folder, settings))
        port, token = int(service.url.rpartition(":")[2]), service.token()
        load = Load(port, REQUESTS["create"], token, None, 0, CONNECTIONS)
        created(load, FIRST)
        early = _sample(service, postgres)
        highest = median(measured(load, SECONDS).rate for _ in range(ROUNDS))
        seconds_until_caught_up(service.url)
        rate = rate or int(highest / 2)
        print(f"at most {highest:,.0f} creates a second; {minutes:g} minutes at {rate:,}", flush=True)
        with ThreadPoolExecutor() as threads:
            under_load = threads.submit(uvloop.run, creates(port, token, rate, minutes * 60))
            samples = _samples(under_load, minutes * 60 / SAMPLES, lambda: _sample(service, postgres))
        answered = len(under_load.result())
        print(f"answered {answered:,}, {answered / minutes / 60:,.0f} a second")
    print(marks_table([*grown(samples), memory(early, samples)]))


def _samples(load: Future[Times], seconds: float, sample: Callable[[], Sample]) -> list[Sample]:
    samples = []
    while not load.done():
        time.sleep(seconds)
        samples.append(sample())
    return samples


def _sample(service: ServiceProcess, postgres: Postgres) -> Sample:
    process = psutil.Process(service.pid)
    connections, incidents = postgres.sql(
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = 'soak') - 1, max(notification_id) FROM ims.log",
        "soak",
    ).split("|")
    resident = process.memory_info().rss / MEGABYTE
    return Sample(resident, lag(service.url), int(connections), process.num_fds(), int(incidents))


def grown(samples: list[Sample]) -> list[Outcome]:
    fifth = max(1, len(samples) // 5)
    outcomes = []
    for name, tolerance in TOLERANCES.items():
        after, end = (
            median(float(getattr(one, name)) for one in part) for part in (samples[fifth : 2 * fifth], samples[-fifth:])
        )
        reached = end - after <= tolerance
        outcomes.append(
            Outcome(f"{name}, second fifth and last", f"+{tolerance:g} at most", f"{after:.0f} → {end:.0f}", reached)
        )
    return outcomes


def memory(early: Sample, samples: list[Sample]) -> Outcome:
    """At the millionth create, or the last one before it."""
    late = next((one for one in samples if one.incidents >= LAST), samples[-1])
    what = f"MB after {early.incidents:,} creates and after {late.incidents:,}"
    grown = late.megabytes - early.megabytes
    return Outcome(
        what, f"+{MEMORY_MARK} at most", f"{early.megabytes:.0f} → {late.megabytes:.0f}", grown <= MEMORY_MARK
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--rate", type=int, default=0, help="creates a second; 0: half of what there can be")
    chosen = parser.parse_args()
    main(chosen.minutes, chosen.rate)
