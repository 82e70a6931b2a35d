"""`make bench-plots`: whether the service gets slower as a tenant's incidents become many; draws what it measured.

Services with 1,000, 100,000 and 1,000,000 incidents on one PostgreSQL take turns at each request. What reads comes
first, creates come last: until then there are exactly so many.
"""

import argparse
import json
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.competitors import POSTGRES
from tests.bench.list_requests import FIRST, deep, narrowed
from tests.bench.load import Load, Measurement, measured
from tests.bench.many_incidents import TENANT, serving, write_ids
from tests.bench.marks import Outcome
from tests.bench.plots.drawing import draw
from tests.bench.race import STRIDE
from tests.bench.report import figures, machine, marks_table, rate, table
from tests.bench.traffic import OVERWRITE, REQUESTS, Request
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS, SECONDS = 3, 3
FEW, MANY = 1_000, 100_000
"""Different incidents that are asked for and edited; and more than the service keeps in memory."""
FLAT = ("create", "get", "first page of 50")
FLAT_MARK = 0.20
RESULTS = Path(__file__).parent / "plots" / "growth.json"


@dataclass(frozen=True)
class Figure:
    name: str
    connections: int
    request: Request | None = None
    """None for the page in the middle: its cursor is of one tenant."""
    different: int = FEW


FIGURES = (
    Figure("first page of 50", 16, FIRST),
    Figure("page in the middle, by cursor", 16),
    Figure("list by status and severity", 16, narrowed(status="OPEN", severity="MAJOR")),
    Figure("get", 32, REQUESTS["get"]),
    Figure("get, of 100,000 at most", 32, REQUESTS["get"], MANY),
    Figure("edit", 32, OVERWRITE),
    Figure("create", 32, REQUESTS["create"]),
)


def main(sizes: tuple[int, ...], rounds: int, seconds: int, results: Path) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        services = {size: stack.enter_context(serving(postgres, folder, size)) for size in sizes}
        found = {figure.name: _turns(figure, services, rounds, seconds, folder) for figure in FIGURES}
        version = postgres.sql("SHOW server_version").split()[0]
    rates = {name: {size: rate(one) for size, one in of.items()} for name, of in found.items()}
    print(table(
        ["request", *(f"{size:,}" for size in sizes)],
        [[name, *(figures(of[size]) for size in sizes)] for name, of in found.items()], left=1,
    ))  # fmt: skip
    print(marks_table([_flat(name, rates[name]) for name in FLAT]))
    about = f"{datetime.now(UTC):%d %B %Y}; {machine(version, max(sizes), rounds, seconds)}"
    print(about)
    results.write_text(json.dumps({"about": about, "rates": rates}, indent=1) + "\n")


def _turns(
    figure: Figure, services: dict[int, ServiceProcess], rounds: int, seconds: int, folder: Path
) -> dict[int, list[Measurement]]:
    found: dict[int, list[Measurement]] = {size: [] for size in services}
    loads = {size: _load(figure, service, size, folder) for size, service in services.items()}
    for turn in range(rounds + 1):
        for size, (port, request, token, ids) in loads.items():
            load = Load(port, request, token, ids, turn * STRIDE, figure.connections)
            one = measured(load, seconds if turn else 1)
            if one.failures or not one.requests:
                raise RuntimeError(f"{figure.name} at {size}: {one.failures} of {one.requests} requests failed")
            if turn:  # the first one warms up
                found[size].append(one)
    return found


def _load(figure: Figure, service: ServiceProcess, size: int, folder: Path) -> tuple[int, Request, str, Path]:
    token, ids = service.token(tenant=TENANT), folder / f"ids-{size}"
    write_ids(ids, size, figure.different)
    request = figure.request or deep(service.url, token, size // 2)
    return int(service.url.rpartition(":")[2]), request, token, ids


def _flat(name: str, rates: dict[int, float]) -> Outcome:
    spread = 1 - min(rates.values()) / max(rates.values())
    return Outcome(
        f"{name}, the slowest below the quickest", f"≤ {FLAT_MARK:.0%}", f"{spread:.0%}", spread <= FLAT_MARK
    )


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split(","))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--sizes", type=_sizes, default=SIZES, help="parted by commas")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON; the plot stands beside it")
    parser.add_argument("--redraw", action="store_true", help="only draw what the last run measured")
    chosen = parser.parse_args()
    if not chosen.redraw:
        main(chosen.sizes, chosen.rounds, chosen.seconds, chosen.results)
    draw(chosen.results)
