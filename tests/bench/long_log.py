"""A long log, written straight into an empty store: each incident is reported once and edited ten times.

Many incidents live at once, as they do where people work: the events of `ALIVE` of them take turns.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count, islice
from random import Random
from uuid import UUID

from domain.event import ActEvent
from service.engines import open_engine
from service.settings import Settings
from service.store.log import Row
from service.store.mapper import entry_of
from tests.domain.examples import NOON, attribute_set, edited, reported

ALIVE = 500
"""Incidents that have events to come."""
EDITS = 10
ROWS = 5_000
"""Rows that are written at once."""
SEED = 7
TENANTS = ("acme", "globex", "initech", "umbrella")


async def fill(settings: Settings, length: int) -> None:
    """Raises NotEmpty."""
    async with open_engine(settings) as engine:
        await engine.log.load(_parts(length), engine.log.log_id, restored=False)


async def _parts(length: int) -> AsyncIterator[list[Row]]:
    rows = islice(_rows(), length)
    while part := list(islice(rows, ROWS)):
        yield part


def events() -> Iterator[ActEvent]:
    """Without end, always the same."""
    chance, numbers = Random(SEED), count(1)
    alive = [_life(next(numbers)) for _ in range(ALIVE)]
    while True:
        place = chance.randrange(ALIVE)
        event = next(alive[place], None)
        if event is None:
            alive[place] = _life(next(numbers))
            event = next(alive[place])
        yield event


def _rows() -> Iterator[Row]:
    chance = Random(SEED)
    for position, event in enumerate(events(), 1):
        entry = entry_of(event, repeatable=False)
        salt = chance.randbytes(16)
        at = NOON + timedelta(milliseconds=position)
        yield Row(position, *entry[:6], at, None, salt, hashlib.sha256(salt + entry.state).digest())


def _life(number: int) -> Iterator[ActEvent]:
    who = {
        "originator_id": UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128),
        "tenant_id": TENANTS[number % 4],
    }
    yield replace(reported(name=f"Number {number}"), **who)  # type: ignore[arg-type]
    status, text = "NEW", "Unauthorized access to sensitive customer data through a phishing email."
    for version in range(1, EDITS + 1):
        if version % 5 == 0:
            said = f"Version {version} of what is known about number {number}: nothing that helps anybody yet."
            event: ActEvent = edited(version, description=(text, said))
            text = said
        elif version % 5 == 3:
            event = attribute_set(version, "count", version - 5 if version > 5 else None, version)
        else:
            moved = ("OPEN", "INVESTIGATING", "RESOLVED")[version % 3]
            event = edited(version, status=(status, moved))
            status = moved
        yield replace(event, **who)  # type: ignore[arg-type]
