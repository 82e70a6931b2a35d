"""What a list costs PostgreSQL grows with its length, and no quicker."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import orjson
import pytest

from domain.event import ActEvent
from projections import pages, past_pages
from projections.listing import NEWEST_FIRST, Filter, Sort
from service.store.mapper import entry_of
from tests.domain.examples import TENANT, deleted, edited, reported
from tests.projections.building import Building, building
from tests.servers.roles import connected

CHUNK = 20
INCIDENTS, AT_ONCE = 1_000, 500
EVERY_DELETED = 5
FEW = 10
"""Rows and entries of indexes that may be looked at for one incident: its versions, several times."""
OLDEST_FIRST = (Sort("created_at", "asc"),)
_LOOKED_AT = """SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname LIKE '%incidents_v%')
                     + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname LIKE '%incidents_v%')"""


async def record(built: Building, events: Sequence[ActEvent]) -> None:
    for start in range(0, len(events), AT_ONCE):
        await built.engine.log.append([entry_of(one, repeatable=False) for one in events[start : start + AT_ONCE]])


def of_each(event: ActEvent, step: int = 1) -> list[ActEvent]:
    return [replace(event, originator_id=UUID(int=number)) for number in range(0, INCIDENTS, step)]


async def looked_at(dsn: str) -> int:
    """A connection tells of what it looked at when it ends."""
    async with connected(dsn) as outside:
        return int(await outside.fetchval(_LOOKED_AT))


@pytest.mark.parametrize("sort", [NEWEST_FIRST, OLDEST_FIRST], ids=["newest first", "oldest first"])
@pytest.mark.parametrize("deleted_since", [True, False], ids=["deleted ones too", "without deleted ones"])
async def test_a_whole_list_of_long_ago_looks_at_each_version_a_few_times(
    tmp_path: Path, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, deleted_since: bool, sort: tuple[Sort, ...]
) -> None:
    for module in (pages, past_pages):
        monkeypatch.setattr(module, "CHUNK", CHUNK)
    async with building(tmp_path, postgres_dsn) as built:
        await record(built, of_each(reported()))
        await record(built, of_each(edited(1, name=("Another Security Breach", "First"))))
        await record(built, of_each(edited(2, name=("First", "Second"))))
        await record(built, of_each(deleted(3), EVERY_DELETED))
        await built.catch_up()
        then = (await built.engine.log.read(INCIDENTS - 1, 1))[0]
    before = await looked_at(postgres_dsn)
    async with building(tmp_path, postgres_dsn) as built:
        past = built.models().incidents.past.as_of(then.position, then.recorded_at, deleted_since=deleted_since)
        chunks = [chunk async for chunk in past.every(built.engine.database, TENANT, Filter(), sort)]
    found = [orjson.loads(document) for chunk in chunks for document in chunk]
    assert {one["name"] for one in found} == {"Another Security Breach"}
    wanted = [number for number in range(INCIDENTS) if deleted_since or number % EVERY_DELETED]
    assert [UUID(one["id"]).int for one in found] == (wanted if sort is OLDEST_FIRST else wanted[::-1])
    assert await looked_at(postgres_dsn) - before < FEW * INCIDENTS
