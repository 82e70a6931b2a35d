"""`python -m tests.bench.rebuild [N]`: the read models built anew from N events, one report to ten edits, on both
engines; and what the API still creates meanwhile, on PostgreSQL.

By the clock and in processor time: on a machine that does much else only the second says something.
"""

import asyncio
import resource
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from service.settings import Settings
from tests.bench.competitors import POSTGRES
from tests.bench.load import Load, measured
from tests.bench.long_log import fill
from tests.bench.traffic import REQUESTS
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

EVENTS = 1_000_000
CONNECTIONS, TURNS, TURN_SECONDS = 32, 3, 3
LOOK_SECONDS = 0.1
"""How often it is looked how much memory is used."""
RATE_MARK, MEMORY_MARK, CREATES_MARK = 40_000, 300, 0.70


def main(events: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        for engine, url in (("SQLite", ""), ("PostgreSQL", postgres.create_database("rebuild"))):
            service = ServiceProcess(folder, {"database_url": url, "rate_limit": "off"})
            asyncio.run(fill(Settings(data_dir=folder / "data", database_url=url), events))
            _say(f"{engine}, {events:,} events: {_timed(service, events)}")
            if url:
                with service:
                    _say(_creates(service))


def _timed(service: ServiceProcess, events: int) -> str:
    began, before, memory = time.perf_counter(), _processor_time(), 0
    command = _start(service)
    while command.poll() is None:
        memory = max(memory, _memory(command.pid))
        with suppress(subprocess.TimeoutExpired):
            command.wait(LOOK_SECONDS)
    if command.returncode:
        raise RuntimeError("the rebuild failed")
    seconds, processor = time.perf_counter() - began, _processor_time() - before
    return (
        f"{events / seconds:,.0f} events a second (mark: {RATE_MARK:,}), "
        f"{events / processor:,.0f} a second of its own processor time, "
        f"{memory >> 20} MB (mark: under {MEMORY_MARK})"
    )


def _processor_time() -> float:
    """Of every process that was started from here and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _memory(pid: int) -> int:
    """Of the command and what it has started, in bytes; what they share counts for each."""
    with suppress(psutil.NoSuchProcess):
        command = psutil.Process(pid)
        return sum(one.memory_info().rss for one in (command, *command.children(recursive=True)))
    return 0


def _creates(service: ServiceProcess) -> str:
    """What is created before a rebuild and during it."""
    port, token = int(service.url.rpartition(":")[2]), service.token()

    def rate(turn: int) -> float:
        load = Load(port, REQUESTS["create"], token, None, turn * 1_000_003, CONNECTIONS)
        return measured(load, TURN_SECONDS).rate

    rate(0)
    before = statistics.median(rate(turn) for turn in range(1, TURNS + 1))
    command = _start(service)
    during: list[float] = []
    while command.poll() is None:
        during.append(rate(TURNS + 1 + len(during)))
    meanwhile = statistics.median(during[:-1] or during)  # the last turn may have outlived the rebuild
    return (
        f"creates at {CONNECTIONS} connections: {before:,.0f}/s, {meanwhile:,.0f}/s during a rebuild: "
        f"{meanwhile / before:.0%} (mark: {CREATES_MARK:.0%})"
    )


def _start(service: ServiceProcess) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "service", "projections", "rebuild"], env=service.environment, cwd=service.folder,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
