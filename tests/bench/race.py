"""Who is measured with what, in which order: the servers take turns, so that a slow minute hits them all."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.answers import Answer, WrongAnswer, answer
from tests.bench.competitors import Server
from tests.bench.load import Load, Measurement, created, measured
from tests.bench.locks import with_locks
from tests.bench.traffic import PAGE, REQUESTS

SEEDING_CONNECTIONS = 32
STRIDE = 1_000_003  # between the starts of two loads: more than one load sends, and it spreads them over the incidents


@dataclass(frozen=True)
class Cell:
    """What is compared: one kind of request at one number of connections."""

    kind: str
    connections: int


@dataclass(frozen=True)
class Entrant:
    """A server that takes part, the kinds of request it knows, and the file with the ids of its incidents."""

    server: Server
    kinds: tuple[str, ...]
    ids: Path


def seeded(server: Server, kinds: tuple[str, ...], incidents: int, folder: Path) -> Entrant:
    """Create the incidents through the server's own API."""
    file = folder / f"{server.name}.ids"
    load = Load(server.port, REQUESTS["create"], server.token, None, 0, SEEDING_CONNECTIONS)
    file.write_text("\n".join(created(load, incidents)) + "\n")
    return Entrant(server, kinds, file)


def answers(entrant: Entrant) -> dict[str, Answer]:
    """One answer of each kind; raises WrongAnswer."""
    id_ = entrant.ids.read_text().split()[0]
    port, token = entrant.server.port, entrant.server.token
    lock = json.loads(answer(port, REQUESTS["get"], token, id_, 1).body)["data"]["occ_lock"]
    given = {kind: answer(port, REQUESTS[kind], token, id_, 1, lock) for kind in entrant.kinds}
    if "list" in given and len(json.loads(given["list"].body)["data"]["incidents"]) != PAGE:
        raise WrongAnswer(f"{entrant.server.name}: the list has not {PAGE} incidents")
    return given


def race(
    entrants: list[Entrant], cells: list[Cell], rounds: int, seconds: int, rest: Callable[[Cell, Entrant], None]
) -> Iterator[tuple[Cell, dict[str, list[Measurement]]]]:
    """Measure cell by cell; yields each with its measurements by server's name, one a round.

    `rest` is called at the end of each turn, and returns when the next one may begin.
    """
    start = 0
    for cell in cells:
        taking_part = [entrant for entrant in entrants if cell.kind in entrant.kinds]
        results: dict[str, list[Measurement]] = {entrant.server.name: [] for entrant in taking_part}
        for _ in range(rounds):
            start += STRIDE
            for entrant in taking_part:
                server = entrant.server
                request = REQUESTS[cell.kind]
                ids = with_locks(server, entrant.ids) if "{lock}" in request.body else entrant.ids
                load = Load(server.port, request, server.token, ids, start, cell.connections)
                results[server.name].append(measured(load, seconds))
                rest(cell, entrant)
        yield cell, results
