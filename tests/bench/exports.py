"""`python -m tests.bench.exports [EVENTS]`: from SQLite into a file, into PostgreSQL, and back.

Each step is a process of its own. What counts is its processor time, which a busy machine does not lengthen much, and
the most memory that it took; of PostgreSQL the server's part is not in it.
"""

import asyncio
import os
import sys
import time
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from service.settings import Settings
from tests.audit import stores
from tests.bench.competitors import POSTGRES
from tests.projections.histories import long_history
from tests.servers.postgres import Postgres

EVENTS = 1_000_000
IMS = [sys.executable, "-m", "service", "audit"]


def main(events: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="ims-bench-")))
        postgres = stack.enter_context(Postgres(**POSTGRES))
        here, there = stores.sqlite(folder / "here"), stores.sqlite(folder / "there")
        other = stores.postgres(postgres.create_database("exports"), folder)
        # Elsewhere: what a process has at most counts from what its parent had when it began.
        filling = get_context("spawn").Process(target=_fill, args=(here, events))
        filling.start()
        filling.join()
        first, second, packed = (str(folder / name) for name in ("first", "second", "packed.gz"))
        for what, store, *arguments in (
            ("SQLite into a file", here, "export", first),
            ("the same, compressed", here, "export", packed),
            ("a file into PostgreSQL", other, "import", first),
            ("PostgreSQL into a file", other, "export", second),
            ("a file into SQLite", there, "import", second),
        ):
            print(f"{what}: {_cost(store, arguments, events)}", flush=True)
        size, small = (Path(name).stat().st_size / events for name in (first, packed))
        print(f"{size:,.0f} bytes an event, {small:,.0f} compressed")


def _fill(store: Settings, events: int) -> None:
    asyncio.run(stores.fill(store, long_history(events)))


def _cost(store: Settings, arguments: list[str], events: int) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("IMS_")}
    environment |= {"IMS_DATA_DIR": str(store.data_dir), "IMS_DATABASE_URL": store.database_url}
    began = time.perf_counter()
    process = os.posix_spawn(sys.executable, [*IMS, *arguments], environment)
    _, status, usage = os.wait4(process, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    seconds, processor = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    return (
        f"{events / processor:,.0f} events a second of processor time, {events / seconds:,.0f} a second, "
        f"{usage.ru_maxrss // 1024} MB"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
