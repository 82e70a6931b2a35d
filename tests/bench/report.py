"""The figures as Markdown, to be pasted into a README."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import psutil

from tests.bench.load import Measurement, generator
from tests.bench.marks import Outcome
from tests.bench.race import Cell
from tests.bench.traffic import PAGE

LABELS = {"list": f"list of {PAGE}", "known": "get, If-None-Match"}
Results = Mapping[Cell, Mapping[str, Sequence[Measurement]]]

TITLES = {
    "service": "this service",
    "bare": "bare handler",
    "fastapi": "FastAPI + table",
    "library": "library in threads",
}


def rate(rounds: Sequence[Measurement]) -> float:
    """The median of the rounds, in good answers a second."""
    return median(round_.rate for round_ in rounds)


def rates(results: Results) -> dict[tuple[str, int], dict[str, float]]:
    """By kind and connections, then by server."""
    return {
        (cell.kind, cell.connections): {name: rate(rounds) for name, rounds in by_server.items()}
        for cell, by_server in results.items()
    }


def p50s(by_server: Mapping[str, Sequence[Measurement]]) -> tuple[float, float]:
    """Of the service and of the bare handler, in milliseconds."""
    service, bare = (median(one.p50 for one in by_server[name]) for name in ("service", "bare"))
    return service, bare


def results_table(results: Results) -> str:
    others = [name for name in TITLES if name != "service"]
    head = ["request", "connections", *TITLES.values(), *(f"÷ {name}" for name in others)]
    rows = []
    for cell, by_server in results.items():
        measured = [figures(by_server[name]) if name in by_server else "–" for name in TITLES]
        ratios = [_ratio(by_server["service"], by_server[name]) if name in by_server else "–" for name in others]
        rows.append([LABELS.get(cell.kind, cell.kind), str(cell.connections), *measured, *ratios])
    return table(head, rows, left=1)


def marks_table(outcomes: Sequence[Outcome]) -> str:
    rows = [[one.what, one.wanted, one.measured, "yes" if one.reached else "**no**"] for one in outcomes]
    return table(["mark", "wanted", "measured", "reached"], rows, left=1)


def machine(postgres_version: str, incidents: int, rounds: int, seconds: int) -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, PostgreSQL {postgres_version} with fsync on, "
        f"load from {_generator_version()} on the same machine; {incidents:,} incidents, "
        f"medians of {rounds} × {seconds} s"
    )


def failures(results: Results) -> list[str]:
    """A line for each cell and server that had requests without a good answer."""
    return [
        f"{name}, {cell.kind} at {cell.connections}: {failed} of {sum(one.requests for one in rounds)} requests failed"
        for cell, by_server in results.items()
        for name, rounds in by_server.items()
        if (failed := sum(one.failures for one in rounds)) or not sum(one.requests for one in rounds)
    ]


def figures(rounds: Sequence[Measurement]) -> str:
    p50, p99 = median(one.p50 for one in rounds), median(one.p99 for one in rounds)
    return f"{rate(rounds):,.0f} ({p50:.1f} / {p99:.1f})"


def _ratio(service: Sequence[Measurement], other: Sequence[Measurement]) -> str:
    return f"{rate(service) / rate(other):.2f}" if rate(other) else "–"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    aligned = [":--"] * left + ["--:"] * (len(head) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, aligned, *rows))


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _generator_version() -> str:
    if generator() != "wrk":
        return "the asyncio loader"
    shown = subprocess.run(["wrk", "--version"], check=False, capture_output=True, text=True).stdout  # exits with 1
    version = re.search(r"\d+(\.\d+)+", shown)
    return f"wrk {version[0]}" if version else "wrk"
