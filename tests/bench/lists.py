"""`python -m tests.bench.lists`: lists of one tenant with 1,000,000 incidents on PostgreSQL, beside FastAPI's first
page of 20,000; and all of 100,000 in one answer.

The requests take turns, so that a slow minute hits them all. `--incidents` and `--whole` are for a try with fewer.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.bench.competitors import POSTGRES, Competitors
from tests.bench.list_requests import BY_CURSOR, FIRST, cursors, deep, narrowed
from tests.bench.load import Load, Measurement, measured
from tests.bench.many_incidents import TENANT, serving
from tests.bench.marks import Outcome
from tests.bench.race import seeded
from tests.bench.report import marks_table, rate
from tests.bench.traffic import PAGE
from tests.bench.whole_list import Whole, whole_list
from tests.servers.postgres import Postgres

INCIDENTS, WHOLE, FASTAPI_INCIDENTS = 1_000_000, 100_000, 20_000
DEEP_PAGE = 10_000
CONNECTIONS, ROUNDS, SECONDS, WHOLE_ROUNDS = 16, 3, 3, 5
FASTAPI, OTHERS = "FastAPI, first page", "pages by cursor, each another one"
DIFFERENT = 1_000
FASTAPI_MARK, DEEP_MARK, P99_MARK, RATE_MARK, GROWTH_MARK = 20.0, 1.2, 20.0, 150.0, 32.0


def main(incidents: int, whole: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        with serving(postgres, folder, whole) as service:
            everything = [whole_list(service, service.token(tenant=TENANT)) for _ in range(WHOLE_ROUNDS)]
        fastapi = stack.enter_context(Competitors(postgres, folder).fastapi())
        seeded(fastapi, ("list",), min(incidents, FASTAPI_INCIDENTS), folder)
        service = stack.enter_context(serving(postgres, folder, incidents))
        token = service.token(tenant=TENANT)
        page = min(DEEP_PAGE, incidents // PAGE // 2)
        requests = {
            "first page": FIRST,
            f"page {page:,} by cursor": deep(service.url, token, page * PAGE - PAGE),
            "status and severity, one of 125": narrowed(status="OPEN", severity="MAJOR"),
            "status and severity, one of 5,000": narrowed(status="NEW", severity="CRITICAL"),
        }
        port = int(service.url.rpartition(":")[2])
        loads = {name: Load(port, request, token, None, 0, CONNECTIONS) for name, request in requests.items()}
        others = folder / "cursors"
        others.write_text("\n".join(cursors(service.url, token, page * PAGE // 2, min(DIFFERENT, page // 2))) + "\n")
        loads[OTHERS] = Load(port, BY_CURSOR, token, others, 0, CONNECTIONS)
        loads[FASTAPI] = Load(fastapi.port, FIRST, fastapi.token, None, 0, CONNECTIONS)
        results = _turns(loads)
    for name, found in results.items():
        p50, p99 = median(one.p50 for one in found), median(one.p99 for one in found)
        print(f"{name}: {rate(found):,.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms", flush=True)
    print(marks_table(_outcomes(results, everything)))


def _turns(loads: dict[str, Load]) -> dict[str, list[Measurement]]:
    results: dict[str, list[Measurement]] = {name: [] for name in loads}
    for turn in range(ROUNDS + 1):
        for name, load in loads.items():
            found = measured(load, SECONDS if turn else 1)
            if found.failures or not found.requests:
                raise RuntimeError(f"{name}: {found.failures} of {found.requests} requests failed")
            if turn:  # the first one warms up
                results[name].append(found)
    return results


def _outcomes(results: dict[str, list[Measurement]], everything: list[Whole]) -> list[Outcome]:
    first, second, *narrow, _, fastapi = results.values()
    outcomes = [
        _at_least("first page ÷ FastAPI's", rate(first) / rate(fastapi), FASTAPI_MARK, " ×"),
        _at_most("p50 of the deep page ÷ the first's", _p50(second) / _p50(first), DEEP_MARK, " ×"),
    ]
    for name, found in zip([*results][2:], narrow, strict=False):
        outcomes.append(_at_most(f"p99, {name}, with total", median(one.p99 for one in found), P99_MARK, " ms"))
    return [
        *outcomes,
        _at_least("all in one answer", median(one.rate for one in everything), RATE_MARK, " MB/s"),
        _at_most("memory growth meanwhile", max(one.growth for one in everything) / 1e6, GROWTH_MARK, " MB"),
    ]


def _p50(found: list[Measurement]) -> float:
    return median(one.p50 for one in found)


def _at_least(what: str, measured: float, mark: float, unit: str) -> Outcome:
    return Outcome(what, f"≥ {mark:g}{unit}", f"{measured:.2f}{unit}", measured >= mark)


def _at_most(what: str, measured: float, mark: float, unit: str) -> Outcome:
    return Outcome(what, f"≤ {mark:g}{unit}", f"{measured:.2f}{unit}", measured <= mark)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.lists", description=__doc__)
    parser.add_argument("--incidents", type=int, default=INCIDENTS)
    parser.add_argument("--whole", type=int, default=WHOLE)
    chosen = parser.parse_args()
    main(chosen.incidents, chosen.whole)
