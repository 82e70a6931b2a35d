"""Every column of every table of the service, altered from outside one at a time: verify names it, and goes on to the
end. What cannot be told stands in a table, with the reason."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from projections.read_models import VERSION
from service.audit.verify.database import verify_engine, verify_store
from service.engines import Engine, open_engine
from service.settings import Settings
from service.store.errors import Unreachable
from service.store.migrations import SchemaTooNew
from tests.audit.altering import Altering, Column

README: Final = Path(__file__).parents[2] / "service/audit/README.md"
NAMED: Final = {
    "log": r"event \d+|events? .* missing|aggregate ",
    "log_identity": "log_identity|another log",
    "audit_keys": "audit_keys|not signed with a key",
    "audit_checkpoints": "checkpoint ",
    "schema_version": "schema version|schema_version",
    "followers": "followers",
    "applied_events": "applied_events",
    "kept_generations": "kept_generations",
    "keeping_times": "keeping_times",
    "audit_tiles": "tree",
    "counts": "count of ",
}
"""By table, what a finding about it says; of read models `row of`."""

NOT_TOLD: Final = {
    ("followers", "epoch"): "which holder is the latest: it only ever rises, and nothing else says how far",
    ("followers", "holder"): "who holds the lease just now; what it is for is over within seconds",
    ("followers", "expires_at"): "until when; the next holder writes it anew",
    ("followers", "failure"): "the last word of whoever stopped, for people",
    ("kept_generations", "kept_until"): "an operator's choice: until when tables stay that nobody reads",
    ("keeping_times", "seconds"): "an operator's choice: how long tables stay that nobody reads",
}
OPENED_WITH: Final = ("log_identity", "schema_version")
"""What is read when a store is opened, and then remembered."""
ROWS_OF_LOG: Final = (2, 10, 16, 19, 21, 5, 14, 18)
"""The last three: an edit by a key, what is left of an event, what is left of one that was erased as a whole."""
ERASED_WITH_ITS_COMMAND: Final = (16, 18)
"""Nothing is left of these but columns: the id of the command, which no other column or event names, is vouched for by
nobody."""


async def test_a_store_with_a_bit_of_everything_is_sound(rich: Settings) -> None:
    summary, findings = await verify_store(rich, [], [])
    assert [fault.text for fault in findings] == []
    assert (summary.events, summary.size, summary.checkpoints) == (21, 21, 2)
    assert len(findings.notes) == 5


async def test_every_column_that_is_altered_is_named(rich: Settings) -> None:
    assert await _untold(rich, ROWS_OF_LOG[-3:]) == []


@pytest.mark.faults
@pytest.mark.timeout(600)
async def test_every_column_of_every_kind_of_event_that_is_altered_is_named(rich: Settings) -> None:
    assert await _untold(rich, ROWS_OF_LOG) == []


async def _untold(rich: Settings, of_log: Sequence[int]) -> list[str]:
    """What can be altered without a finding that names it; put back one by one."""
    untold: list[str] = []
    async with Altering.open(rich) as altering, open_engine(rich, writing=False) as engine:
        for column in await altering.columns():
            if _is_of_others(column, await _live(altering)):
                continue
            for where in _rows_of(column, rich, of_log):
                async with altering.put_back(column.table):
                    changed = await altering.sql(
                        f"UPDATE {column.table} SET {column.name} = {altering.other(column)} WHERE {where} "
                        f"AND {column.name} IS NOT NULL RETURNING 1"
                    )
                    if not changed:
                        continue
                    told = await _told(rich, None if column.table in OPENED_WITH else engine)
                if not re.search(NAMED.get(column.base, "row of "), "\n".join(told)) and not _cannot_be(column, where):
                    untold.append(f"{column.base}.{column.name} where {where}: {told}")
        assert await _told(rich) == [], "all was put back"
    return untold


def test_the_readme_says_who_vouches_for_each_column(rich_columns: list[Column]) -> None:
    told = set(re.findall(r"^\| `(\w+)\.(\w+)` \|", README.read_text(), re.MULTILINE))
    there = {(column.base, column.name) for column in rich_columns}
    missing, unknown = sorted(there - told), sorted(told - there)
    assert (missing, [one for one in unknown if one[0] != "schema_version"]) == ([], [])


@pytest.fixture
async def rich_columns(rich: Settings) -> list[Column]:
    async with Altering.open(rich) as altering:
        return await altering.columns()


async def _told(store: Settings, engine: Engine | None = None) -> list[str]:
    """What is found, or the one line that the command ends with. `engine`: the store is open already."""
    try:
        if engine is None:
            _, findings = await verify_store(store, [], [])
        else:
            engine.log.leave_out(())
            _, findings = await verify_engine(engine, [], [])
    except (SchemaTooNew, Unreachable) as error:
        return [str(error)]
    return [fault.text for fault in findings]


async def _live(altering: Altering) -> set[str]:
    rows = await altering.sql("SELECT name, generation FROM followers")
    found = {str(name): number for name, number in rows}
    return {f"_v{VERSION}_{found[f'read_models_v{VERSION}']}", f"audit_tiles_{found['audit_tree']}"}


def _is_of_others(column: Column, live: set[str]) -> bool:
    """Tables that are kept to go back to: nobody reads them."""
    return column.table != column.base and not any(column.table.endswith(suffix) for suffix in live)


def _rows_of(column: Column, store: Settings, of_log: Sequence[int]) -> list[str]:
    if column.table == "log":
        return [f"notification_id = {position}" for position in of_log]
    row = "ctid" if store.postgres else "rowid"
    return [f"{row} = (SELECT {order}({row}) FROM {column.table})" for order in ("min", "max")]


def _cannot_be(column: Column, where: str) -> bool:
    if column.table == "log":
        return column.name == "command_id" and any(where.endswith(f" {n}") for n in ERASED_WITH_ITS_COMMAND)
    return (column.base, column.name) in NOT_TOLD
