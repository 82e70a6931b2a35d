"""`python -m tests.bench`: this service beside a bare handler, FastAPI with a table, the library in threads; Markdown.

Ends with 1 when a request had no good answer. A mark that was missed is shown, not failed: machines differ.
"""

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench import marks, report
from tests.bench.competitors import DATABASES, POSTGRES, Competitors
from tests.bench.durable_insert import insert_milliseconds
from tests.bench.followers import seconds_until_caught_up
from tests.bench.load import Measurement
from tests.bench.race import Cell, Entrant, answers, race, seeded
from tests.bench.traffic import REQUESTS
from tests.servers.postgres import Postgres

KINDS = tuple(REQUESTS)
CONNECTIONS = (1, 32, 128)
INCIDENTS, QUICK_INCIDENTS = 20_000, 2_000
# The library has no list, and a lookup by primary key does not feel how many there are: its slow creates are spared.
LIBRARY_INCIDENTS = 4_000
SETTLE_SECONDS = 2
WRITES = ("edit", "create")


def main() -> int:
    chosen = _arguments()
    began = time.perf_counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        competitors = Competitors(postgres, folder)
        service = stack.enter_context(competitors.service())
        time.sleep(SETTLE_SECONDS)
        idle, start = service.resident, service.start_seconds

        _say(f"seeding {chosen.incidents:,} incidents")
        ours = seeded(service, KINDS, chosen.incidents, folder)
        bare = stack.enter_context(competitors.bare(answers(ours)))
        fastapi = stack.enter_context(competitors.fastapi())
        library = stack.enter_context(competitors.library())
        entrants = [
            ours,
            Entrant(bare, KINDS, ours.ids),
            seeded(fastapi, tuple(kind for kind in KINDS if kind != "known"), chosen.incidents, folder),
            seeded(library, ("get", "edit", "create"), min(chosen.incidents, LIBRARY_INCIDENTS), folder),
        ]
        for entrant in entrants:
            answers(entrant)
        for database in DATABASES:
            postgres.sql("VACUUM (ANALYZE)", database)
        postgres.sql("CHECKPOINT")

        cells = [Cell(kind, connections) for kind in chosen.only for connections in chosen.connections]
        results: dict[Cell, dict[str, list[Measurement]]] = {}
        catching_up: list[float] = []
        inserts: list[float] = []

        def rest(cell: Cell, entrant: Entrant) -> None:
            if entrant is not ours:
                return
            if cell.kind in WRITES:
                url = f"http://127.0.0.1:{service.port}"
                catching_up.append(seconds_until_caught_up(url, marks.LAG_EVENTS))
            if cell == marks.ALONE:
                inserts.append(insert_milliseconds(postgres.database("fastapi")))

        for cell, measured in race(entrants, cells, chosen.rounds, chosen.seconds, rest):
            results[cell] = measured
            rates = ", ".join(f"{name} {report.rate(rounds):,.0f}/s" for name, rounds in measured.items())
            _say(f"{cell.kind} at {cell.connections}: {rates}")
        version = postgres.sql("SHOW server_version").split()[0]

    failed = report.failures(results)
    print("Requests per second (p50 / p99 in ms), and the service's rate divided by each other's:\n")
    print(report.results_table(results), end="\n\n")
    outcomes = marks.outcomes(report.rates(results), idle, start)
    if catching_up:
        outcomes.append(marks.caught_up(max(catching_up)))
    if inserts:
        outcomes.append(marks.alone(*report.p50s(results[marks.ALONE]), median(inserts)))
    print(report.marks_table(outcomes), end="\n\n")
    print(report.machine(version, chosen.incidents, chosen.rounds, chosen.seconds))
    _say(f"took {time.perf_counter() - began:.0f} s", *failed)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of 1 s at 32 connections over 2,000 incidents")
    parser.add_argument("--rounds", type=int, help="turns that each server has (3)")
    parser.add_argument("--seconds", type=int, help="length of a turn in whole seconds (2)")
    parser.add_argument("--only", type=_kinds, default=KINDS, help=f"of {','.join(KINDS)}, parted by commas")
    parser.add_argument("--connections", type=_numbers, help="parted by commas (1,32,128)")
    chosen = parser.parse_args()
    chosen.incidents = QUICK_INCIDENTS if chosen.quick else INCIDENTS
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 3)
    chosen.seconds = chosen.seconds or (1 if chosen.quick else 2)
    chosen.connections = chosen.connections or ((marks.CONNECTIONS,) if chosen.quick else CONNECTIONS)
    return chosen


def _kinds(text: str) -> tuple[str, ...]:
    """In the order of KINDS: lists come first, while there are only the seeded incidents."""
    wanted = set(text.split(","))
    if unknown := wanted - set(KINDS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return tuple(kind for kind in KINDS if kind in wanted)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
