"""`python -m tests.bench.refusals`: what refusing costs beside what serving does, each kind of refusal against a get.

All of them take turns within one run, on one PostgreSQL; the tenant that is over its limit asks a second process.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil

from tests.bench.competitors import POSTGRES
from tests.bench.load import Load, created, measured
from tests.bench.report import table
from tests.bench.traffic import REQUESTS, Request
from tests.http.api import ABSENT_ID, PATH, at
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

CONNECTIONS = 32
ROUNDS, SECONDS = 3, 2
LIFE_SECONDS = 1
MARK = 1.0
"""Of the processor's time that a get takes, what a refusal may take at most."""
SERVED, OVER = "get", "429"


class Cost(NamedTuple):
    """`rate`: answers a second; `microseconds` of the service's processor for each."""

    rate: float
    microseconds: float


def main(seconds: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        service, strict = (
            stack.enter_context(
                ServiceProcess(
                    folder,
                    {
                        "database_url": postgres.create_database(f"refusals_{n}"),
                        "rate_limit": limit,
                        "token_leeway": "0",
                    },
                )
            )
            for n, limit in enumerate(("off", "1/day"))
        )
        loads = _loads(service, strict)
        time.sleep(LIFE_SECONDS + 1)  # until the token that expires has done so
        found: dict[str, list[Cost]] = {name: [] for name in loads}
        for _ in range(ROUNDS):
            for name, load in loads.items():
                found[name].append(_cost(name, load, strict if name == OVER else service, seconds))
    print(f"Refusals at {CONNECTIONS} connections, medians of {ROUNDS} × {seconds} s:\n")
    print(_table(found))


def _loads(service: ServiceProcess, strict: ServiceProcess) -> Mapping[str, Load]:
    token = service.token()
    head, claims, signature = token.split(".")
    minted = service.command("token", "--tenant", "acme", "--user", "alice", "--expires", f"{LIFE_SECONDS}s")
    (mine,) = created(_load(service, REQUESTS["create"], token), 1)
    (other,) = created(_load(service, REQUESTS["create"], service.token("other")), 1)
    one = Request("GET", at(mine), 200)
    return {
        SERVED: _load(service, one, token),
        "401, no token": _load(service, one, "", {"Authorization": ""}),
        "401, no JWT": _load(service, one, "nonsense"),
        "401, a wrong signature": _load(service, one, f"{head}.{claims}.{'A' * len(signature)}"),
        "401, expired": _load(service, one, minted.strip()),
        "404, no such incident": _load(service, Request("GET", at(ABSENT_ID), 404), token),
        "404, another tenant's incident": _load(service, Request("GET", at(other), 404), token),
        "404, no such path": _load(service, Request("GET", "/v1/nothing", 404), token),
        "405": _load(service, Request("DELETE", f"{PATH}/codes", 405), token),
        OVER: _load(strict, one, token),
    }


def _load(service: ServiceProcess, request: Request, token: str, headers: dict[str, str] | None = None) -> Load:
    asked = Request(request.method, request.target, request.status, request.body, request.headers | (headers or {}))
    return Load(int(service.url.rpartition(":")[2]), asked, token, None, 0, CONNECTIONS)


def _cost(name: str, load: Load, service: ServiceProcess, seconds: int) -> Cost:
    """Raises RuntimeError where something else was answered than the name says."""
    process = psutil.Process(service.pid)
    before = process.cpu_times()
    found = measured(load, seconds)
    after = process.cpu_times()
    wanted = 0 if name == SERVED else found.requests
    if abs(found.failures - wanted) > 1:  # the first that a tenant sends is within its limit
        raise RuntimeError(f"{name}: {found.failures} of {found.requests} were refused")
    used = after.user + after.system - before.user - before.system
    return Cost(found.requests / found.seconds, used / found.requests * 1e6)


def _table(found: Mapping[str, Sequence[Cost]]) -> str:
    costs = {name: Cost(*map(median, zip(*rounds, strict=True))) for name, rounds in found.items()}
    served, rows = costs[SERVED], []
    for name, cost in costs.items():
        ratio = cost.microseconds / served.microseconds
        rows.append(
            [name, f"{cost.rate:,.0f}", f"{cost.rate / served.rate:.2f}", f"{cost.microseconds:.1f}", f"{ratio:.2f}",
             "yes" if ratio <= MARK else "**no**"]
        )  # fmt: skip
    return table(["answer", "a second", "÷ get", "µs of processor", "÷ get", f"≤ {MARK:g}"], rows, left=1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
