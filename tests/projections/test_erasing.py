"""Read models after an erasure: the same rows as a rebuild makes, and nothing of it in tables that are kept."""

from pathlib import Path
from typing import Any

import pytest

from domain.event import fold
from domain.redaction import without
from service.erasures import redactions_of
from service.read_model_commands import rebuild
from service.settings import Settings
from service.store.history import told_of
from service.store.mapper import entry_of
from tests.domain.examples import (
    BOB,
    COMMENT_ID,
    INCIDENT_ID,
    REASON,
    added,
    attribute_removed,
    attribute_set,
    comment_edited,
    deleted,
    edited,
    reported,
    restored,
)
from tests.projections.building import Building

SECRET = "Xanthippe"
LIFE = (
    reported({"workflowId": SECRET, "count": 1}, name=SECRET, description=f"{SECRET} rang."),
    edited(1, name=(SECRET, f"{SECRET} B."), status=("NEW", "OPEN")),
    attribute_set(2, "workflowId", SECRET, f"{SECRET} 2"),
    attribute_removed(3, "workflowId", f"{SECRET} 2"),
    added(f"{SECRET} did it."),
    deleted(4),
    restored(5),
    comment_edited(1, f"{SECRET} did it.", f"{SECRET} may have."),
)
FIELDS: Any = ["attributes", "description", "name"]


async def _erase(build: Building, id: Any, fields: Any) -> None:
    """By order, as the service does it."""
    facts = [told_of(row) for row in await build.engine.log.stream(id)]
    redactions, redacted = await redactions_of(facts, fields)
    aggregate = fold(facts)
    aggregate.erase(BOB, fields, REASON, redacted, None)
    (event,) = aggregate.collect_events()
    await build.engine.log.erase(entry_of(event, repeatable=False), redactions)
    await build.feed.catch_up()


def _settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    on_postgres = "postgres" in request.node.name
    return Settings(data_dir=tmp_path, database_url=request.getfixturevalue("postgres_dsn") if on_postgres else "")


@pytest.mark.parametrize("fields", [FIELDS, ["attributes.workflowId", "description", "name"], "all"])
@pytest.mark.parametrize("step", [1, 100], ids=["one by one", "at once"])
async def test_a_rebuild_after_an_erasure_gives_equal_rows(
    build: Building, tmp_path: Path, request: pytest.FixtureRequest, fields: Any, step: int
) -> None:
    for start in range(0, len(LIFE), step):
        await build.record(*LIFE[start : start + step])
        if step == 1:
            await build.catch_up()
    await _erase(build, INCIDENT_ID, fields)
    await _erase(build, COMMENT_ID, "all")
    if fields != "all":
        await build.record(edited(7, name=(None, "Anew"), attributes__count=(None, 3)))
    await build.catch_up()
    rows = await build.dump(1)
    assert SECRET not in str(rows)
    assert SECRET.encode() not in b"".join(
        value for table in rows.values() for row in table for value in row if isinstance(value, bytes)
    )
    await rebuild(_settings(tmp_path, request))
    assert await build.dump(2) == rows
    assert bool(rows["incidents"]) == (fields != "all")


@pytest.mark.parametrize("fields", [FIELDS, "all"])
async def test_tables_that_are_kept_to_go_back_to_lose_it_too(
    build: Building, tmp_path: Path, request: pytest.FixtureRequest, fields: Any
) -> None:
    await build.record(*LIFE)
    await build.catch_up()
    await rebuild(_settings(tmp_path, request))
    assert SECRET in str(await build.dump(1))
    await _erase(build, INCIDENT_ID, fields)
    await _erase(build, COMMENT_ID, "all")
    await build.catch_up()
    kept, live = await build.dump(1), await build.dump(2)
    for rows in (kept, live):
        assert SECRET not in str(rows)
        assert SECRET.encode().hex() not in str(rows)
    assert len(kept["incidents"]) == len(live["incidents"]) == (0 if fields == "all" else 1)
    assert [row[:4] for row in kept["counts"]] == [row[:4] for row in live["counts"]]


def test_every_event_of_this_life_that_held_it_is_rewritten() -> None:
    rewritten = [without(event, FIELDS) is not event for event in LIFE]
    assert rewritten == [True, True, True, True, False, False, False, False]
