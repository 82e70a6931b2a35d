"""`python -m tests.bench.search [N]`: lists by words among N incidents of one tenant, on both engines: how long the
tables take to build, how large they are, and how long an answer takes with its total. One request at a time.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx

from projections.words import words_of
from service.settings import Settings
from tests.bench.competitors import POSTGRES
from tests.bench.many_incidents import TENANT, seed
from tests.bench.report import table
from tests.domain.examples import BREACH
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

INCIDENTS = 1_000_000
ROUNDS = 5
PATIENCE = "60"
"""Seconds that a list may take, in which it goes over every incident of the tenant."""
LANGUAGES = {
    "English": f"{BREACH['description']} ",
    "German": "Störung der Straßenbeleuchtung, größere Ausfälle. ",
    "Russian": "Сбой в работе сервера, связь потеряна. ",
    "Japanese": "重大な障害が発生しましたデータベースの接続が失敗しています",
    "Korean": "서버 장애가 발생했습니다. ",
    "Thai": "เกิดระบบล่มแล้ว",
}
"""Of Japanese and Thai no end of a sentence is seen: the longest runs that there can be."""


def queries(incidents: int) -> dict[str, str]:
    return {
        "one of all": f"{incidents // 2 + 1}", "a prefix, a thousandth": f"{incidents // 4000}*", "all": "phishing",
        "none": "障害", "three words, one of all": f"phishing {incidents // 2 + 1} customer",
    }  # fmt: skip


def main(incidents: int) -> None:
    _words()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        for engine, url in (("SQLite", ""), ("PostgreSQL", postgres.create_database("search"))):
            began = time.perf_counter()
            asyncio.run(seed(Settings(data_dir=folder / "data", database_url=url), incidents))
            print(f"{engine}: written and built in {time.perf_counter() - began:,.0f} s", flush=True)
            settings = {"database_url": url, "rate_limit": "off", "database_timeout": PATIENCE, "read_timeout": "30"}
            with ServiceProcess(folder, settings) as service:
                print(table(["q", "found", "ms"], list(measured(service, queries(incidents))), left=1), flush=True)


def measured(service: ServiceProcess, asked: dict[str, str]) -> Iterator[list[str]]:
    """Each query with another page size each time: no answer is in memory already."""
    headers = {"Authorization": f"Bearer {service.token(tenant=TENANT)}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=float(PATIENCE)) as client:
        client.get("/v1/incident?page=1").raise_for_status()
        for name, q in asked.items():
            taken = []
            for size in range(50, 50 + ROUNDS):
                began = time.perf_counter()
                answer = client.get("/v1/incident", params={"q": q, "page": 1, "size": size})
                taken.append(time.perf_counter() - began)
                answer.raise_for_status()
            yield [f"{name} (`{q}`)", f"{answer.json()['data']['total']:,}", f"{median(taken) * 1e3:,.0f}"]


def _words() -> None:
    """What the words of a description cost in processor time, and how much is kept of the longest."""
    rows = []
    for language, text in LANGUAGES.items():
        usual, longest = (text * 300)[:300], (text * 20_000)[:20_000]
        figures = [
            f"{_microseconds(usual, 1_000):,.0f}",
            f"{_microseconds(longest, 50):,.0f}",
            f"{len(words_of(longest)):,}",
        ]
        rows.append([language, *figures])
    print(table(["language", "300 characters, µs", "20,000, µs", "characters kept of them"], rows, left=1), flush=True)


def _microseconds(text: str, times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        words_of(text)
    return (time.process_time() - began) / times * 1e6


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else INCIDENTS)
