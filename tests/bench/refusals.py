"""`python -m tests.bench.refusals`: what refusing costs beside what serving does, each kind of refusal against a get.

All of them take turns within one run, on one PostgreSQL; the tenant that is over its limit asks a second process.
"""

import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from service.auth.tokens import LEEWAY
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
"""Of a get's rate that each refusal's must be, at least."""


def main(seconds: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        service, strict = (
            stack.enter_context(
                ServiceProcess(folder, {"database_url": postgres.create_database(f"refusals_{n}"), "rate_limit": limit})
            )
            for n, limit in enumerate(("off", "1/day"))
        )
        loads = _loads(service, strict)
        time.sleep(LIFE_SECONDS + LEEWAY + 1)  # until the token that expires has done so
        rates: dict[str, list[float]] = {name: [] for name in loads}
        for _ in range(ROUNDS):
            for name, load in loads.items():
                rates[name].append(_rate(name, load, seconds))
    print(f"Refusals a second at {CONNECTIONS} connections, medians of {ROUNDS} × {seconds} s:\n")
    print(_table({name: median(of_name) for name, of_name in rates.items()}))


def _loads(service: ServiceProcess, strict: ServiceProcess) -> Mapping[str, Load]:
    token = service.token()
    head, claims, signature = token.split(".")
    minted = service.command("token", "--tenant", "acme", "--user", "alice", "--expires", f"{LIFE_SECONDS}s")
    (mine,) = created(_load(service, REQUESTS["create"], token), 1)
    (other,) = created(_load(service, REQUESTS["create"], service.token("other")), 1)
    one = Request("GET", at(mine), 200)
    return {
        "get": _load(service, one, token),
        "401, no token": _load(service, one, "", {"Authorization": ""}),
        "401, no JWT": _load(service, one, "nonsense"),
        "401, a wrong signature": _load(service, one, f"{head}.{claims}.{'A' * len(signature)}"),
        "401, expired": _load(service, one, minted.strip()),
        "404, no such incident": _load(service, Request("GET", at(ABSENT_ID), 404), token),
        "404, another tenant's incident": _load(service, Request("GET", at(other), 404), token),
        "404, no such path": _load(service, Request("GET", "/v1/nothing", 404), token),
        "405": _load(service, Request("DELETE", f"{PATH}/codes", 405), token),
        "429": _load(strict, one, token),
    }


def _load(service: ServiceProcess, request: Request, token: str, headers: dict[str, str] | None = None) -> Load:
    asked = Request(request.method, request.target, request.status, request.body, request.headers | (headers or {}))
    return Load(int(service.url.rpartition(":")[2]), asked, token, None, 0, CONNECTIONS)


def _rate(name: str, load: Load, seconds: int) -> float:
    """Raises RuntimeError where something else was answered than the name says."""
    found = measured(load, seconds)
    wanted = 0 if name == "get" else found.requests
    if abs(found.failures - wanted) > 1:  # the first that a tenant sends is within its limit
        raise RuntimeError(f"{name}: {found.failures} of {found.requests} were refused")
    return found.requests / found.seconds


def _table(rates: Mapping[str, float]) -> str:
    rows = [
        [name, f"{rate:,.0f}", f"{(ratio := rate / rates['get']):.2f}", "yes" if ratio >= MARK else "**no**"]
        for name, rate in rates.items()
    ]
    return table(["answer", "a second", "÷ get", f"≥ {MARK:g}"], rows, left=1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
