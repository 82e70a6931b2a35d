"""The tables of `deploy/SCALING.md`: what one PostgreSQL carries, measured; what follows from it, computed.

`python -m tests.bench.scaling` takes a few minutes; with a number it measures a log of so many events.
"""

import asyncio
import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence

from tests.bench.sizes import GROUPS, WRITERS, Weight, rates, weights
from tests.servers.postgres import Postgres

EVENTS = 100_000
DAILY = (100_000, 1_000_000, 10_000_000, 40_000_000)
"""Events a day; the last is five hundred a second, day and night."""
PEAK = 10
"""The busiest minute over the day's mean: people work in the daytime, and incidents come in swarms."""
DAY_SECONDS, YEAR_DAYS, MONTH_DAYS = 86_400, 365, 30
TENANTS = 1_000
CLUSTERS = (2, 4, 8, 16)
SKEW = 1.0
"""Of Zipf's law: the second largest tenant has half of the largest one's events, the third a third."""
SERVER_OPTIONS: dict[str, str | int] = {"shared_buffers": "512MB", "max_wal_size": "4GB"}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def of_weights(found: Sequence[Weight]) -> str:
    return table(
        ("relation", "index of", "bytes an event"),
        [(one.relation, one.index_of or "–", f"{one.bytes:,}") for one in found],
    )


def of_rates(found: Mapping[tuple[int, int], float]) -> str:
    head = ["events in a group", *(f"{writers} appending" for writers in WRITERS)]
    return table(head, [(group, *(f"{found[group, writers]:,.0f}" for writers in WRITERS)) for group in GROUPS])


def of_growth(found: Sequence[Weight]) -> str:
    """Disk for what is kept, and the indexes that a month's appends touch: those must fit into memory."""
    log = sum(
        one.bytes for one in found if "log" in (one.relation.removeprefix("ims."), one.index_of.removeprefix("ims."))
    )
    kept = sum(one.bytes for one in found if not one.relation.startswith("WAL"))
    indexes = sum(one.bytes for one in found if one.index_of.endswith("log"))
    rows = [
        (
            f"{daily:,}", f"{daily / DAY_SECONDS:,.0f}", f"{PEAK * daily / DAY_SECONDS:,.0f}",
            f"{daily * YEAR_DAYS * log / 1e9:,.0f} GB", f"{daily * YEAR_DAYS * kept / 1e9:,.0f} GB",
            f"{daily * MONTH_DAYS * indexes / 1e9:,.1f} GB",
        )
        for daily in DAILY
    ]  # fmt: skip
    head = (
        "events a day",
        "a second, mean",
        "a second, peak",
        "log, a year",
        "with all that is built",
        "a month's indexes",
    )
    return table(head, rows)


def of_clusters() -> str:
    """The fullest cluster over the mean, by how tenants are placed; how many move when one cluster is added."""
    loads = {f"tenant-{number}": 1 / number**SKEW for number in range(1, TENANTS + 1)}
    rows = []
    for clusters in CLUSTERS:
        hashed = {tenant: nearest(tenant, clusters) for tenant in loads}
        one_more = {tenant: nearest(tenant, clusters + 1) for tenant in loads}
        moved = sum(hashed[tenant] != one_more[tenant] for tenant in loads)
        rows.append(
            (clusters, f"{fullest(hashed, loads):.2f}", f"{fullest(placed(loads, clusters), loads):.2f}",
             f"{moved / TENANTS:.0%}", f"{max(loads.values()) / sum(loads.values()) * clusters:.2f}")
        )  # fmt: skip
    head = ("clusters", "by hash", "by hand, largest first", "moved by hash for one more", "the largest tenant alone")
    return table(head, rows)


def nearest(tenant: str, clusters: int) -> int:
    """Rendezvous hashing: adding a cluster moves only what goes there."""
    return max(range(clusters), key=lambda cluster: hashlib.sha256(f"{tenant}\0{cluster}".encode()).digest())


def placed(loads: Mapping[str, float], clusters: int) -> dict[str, int]:
    """Each tenant, largest first, where there is least; what an operator with a list does."""
    sums, places = [0.0] * clusters, dict[str, int]()
    for tenant, load in sorted(loads.items(), key=lambda item: -item[1]):
        places[tenant] = sums.index(min(sums))
        sums[places[tenant]] += load
    return places


def fullest(places: Mapping[str, int], loads: Mapping[str, float]) -> float:
    clusters = max(places.values()) + 1
    sums = [sum(loads[tenant] for tenant, place in places.items() if place == cluster) for cluster in range(clusters)]
    return max(sums) / (sum(sums) / clusters)


async def main(length: int) -> None:
    with Postgres(**SERVER_OPTIONS) as server:
        found = await weights(server, length // 2)
        print(of_weights(found))
        print(of_growth(found))
        print(of_rates(await rates(server)))
    print(of_clusters())


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))
