"""The marks that the service must reach, and whether it did."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.race import Cell

CONNECTIONS = 32
ALONE = Cell("create", 1)
ALONE_FACTOR = 1.3
LAG_EVENTS, LAG_SECONDS = 100, 2.0
IDLE_MEGABYTES = 120
START_SECONDS = 1.0


@dataclass(frozen=True)
class Mark:
    """At 32 connections the service's requests per second must be at least `factor` × the other's."""

    kind: str
    other: str
    factor: float


@dataclass(frozen=True)
class Outcome:
    what: str
    wanted: str
    measured: str
    reached: bool


# The first marks, and those that are to be reached in the end.
MARKS = (
    Mark("create", "bare", 0.30),
    Mark("create", "bare", 0.40),
    Mark("create", "fastapi", 2.5),
    Mark("create", "fastapi", 3.5),
    Mark("create", "library", 10),
    Mark("create", "library", 12),
    Mark("edit", "bare", 0.35),
    Mark("edit", "fastapi", 3),
    Mark("get", "bare", 0.2),
    Mark("get", "bare", 0.75),
    Mark("get", "fastapi", 1.5),
    Mark("get", "fastapi", 6),
    Mark("known", "bare", 0.85),
    Mark("list", "fastapi", 10),
)


def outcomes(rates: Mapping[tuple[str, int], Mapping[str, float]], idle: int, start: float) -> list[Outcome]:
    """`rates` by kind and connections, then by server; `idle` in bytes, `start` in seconds."""
    found = []
    for mark in MARKS:
        cell = rates.get((mark.kind, CONNECTIONS), {})
        if cell.get(mark.other):
            ratio = cell["service"] / cell[mark.other]
            what = f"{mark.kind}, service ÷ {mark.other}, {CONNECTIONS} connections"
            found.append(Outcome(what, f"≥ {mark.factor:g}", f"{ratio:.2f}", ratio >= mark.factor))
    megabytes = idle / 1e6
    found.append(Outcome("idle memory", f"< {IDLE_MEGABYTES} MB", f"{megabytes:.0f} MB", megabytes < IDLE_MEGABYTES))
    found.append(Outcome("start", f"< {START_SECONDS:g} s", f"{start:.2f} s", start < START_SECONDS))
    return found


def caught_up(seconds: float) -> Outcome:
    """After the turn that took the longest."""
    what = f"a lag under {LAG_EVENTS} events after creates and edits"
    return Outcome(what, f"≤ {LAG_SECONDS:g} s", f"{seconds:.2f} s", seconds <= LAG_SECONDS)


def alone(create: float, bare: float, insert: float) -> Outcome:
    """Medians in milliseconds: of a create, of a bare request, and of a durable INSERT."""
    ratio = create / (insert + bare)
    what = f"create alone, {create:.2f} ms ÷ (INSERT {insert:.2f} ms + bare {bare:.2f} ms)"
    return Outcome(what, f"≤ {ALONE_FACTOR:g}", f"{ratio:.2f}", ratio <= ALONE_FACTOR)
