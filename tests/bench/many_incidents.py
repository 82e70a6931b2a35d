"""One tenant with a great many incidents, each reported once: written into the log in bulk, read models built from it.

Most are closed, few are critical, as it is where people work: what is asked for most is not what there is most of.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from service.engines import open_engine
from service.read_model_commands import rebuild
from service.settings import Settings
from service.store.log import Row
from service.store.mapper import entry_of
from tests.bench.followers import seconds_until_caught_up
from tests.domain.examples import NOON, reported
from tests.servers.postgres import Postgres
from tests.servers.process import ServiceProcess

TENANT = "bench"
ROWS = 5_000
"""Rows that are written at once."""
SEED = 7
STATUSES = {"CLOSED": 70, "RESOLVED": 14, "INVESTIGATING": 6, "OPEN": 8, "NEW": 2}
SEVERITIES = {"": 30, "LOW": 35, "MEDIUM": 20, "MAJOR": 10, "HIGH": 4, "CRITICAL": 1}


@contextmanager
def serving(postgres: Postgres, folder: Path, incidents: int) -> Iterator[ServiceProcess]:
    """A service with all roles that has them, its followers at the end of the log; the load has it to itself."""
    name = f"incidents-{incidents}-{next(_numbers)}"
    own = folder / name
    own.mkdir()
    settings = {"database_url": postgres.create_database(name), "rate_limit": "off"}
    asyncio.run(seed(Settings(database_url=settings["database_url"], data_dir=own / "data"), incidents))
    with ServiceProcess(own, settings) as service:
        seconds_until_caught_up(service.url)
        postgres.sql("VACUUM (ANALYZE)", name)
        postgres.sql("CHECKPOINT")
        yield service


def write_ids(file: Path, incidents: int, different: int) -> None:
    """So many ids, spread evenly over all."""
    step = max(1, incidents // different)
    file.write_text("".join(f"{_id(number)}\n" for number in range(1, incidents + 1, step)))


_numbers = count(1)


async def seed(settings: Settings, incidents: int) -> None:
    """Into an empty store. Raises NotEmpty."""
    async with open_engine(settings) as engine:
        await engine.log.load(_parts(incidents), engine.log.log_id, restored=False)
    with redirect_stdout(StringIO()):  # what a rebuild has to tell is no figure
        await rebuild(settings)


async def _parts(incidents: int) -> AsyncIterator[list[Row]]:
    rows = islice(_rows(), incidents)
    while part := list(islice(rows, ROWS)):
        yield part


def _rows() -> Iterator[Row]:
    """Without end, always the same."""
    chance = Random(SEED)
    for number in count(1):
        (status,) = chance.choices([*STATUSES], [*STATUSES.values()])
        (severity,) = chance.choices([*SEVERITIES], [*SEVERITIES.values()])
        event = reported(name=f"Number {number}", status=status, severity=severity)
        who: dict[str, Any] = {"originator_id": _id(number), "tenant_id": TENANT}
        entry = entry_of(replace(event, **who), repeatable=False)
        salt = chance.randbytes(16)
        at = NOON + timedelta(milliseconds=number)
        yield Row(number, *entry[:6], at, None, salt, hashlib.sha256(salt + entry.state).digest())


def _id(number: int) -> UUID:
    return UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)
