"""A rebuild compares what it built with the live tables, row by row, both at one position, and tells what differs."""

from pathlib import Path

import pytest

from projections.comparison import MAX_SHOWN, Difference, differences
from projections.read_models import FOLLOWER
from service.read_model_commands import rebuild
from service.rebuilding import rebuilding
from service.settings import Settings
from tests.domain.examples import INCIDENT_ID, ONE_OF_EACH, TENANT, attribute_set, edited, reported
from tests.projections.building import Building
from tests.projections.histories import long_history


async def _found(build: Building) -> tuple[int, list[Difference]]:
    """As a rebuild finds them, without the switch."""
    async with rebuilding(build.settings, build.engine) as one:
        await one.begin(anew=True)
        await one.load("events", one.where_the_live_ones_are)
        await one.index()
        found = await one.compare()
    assert found is not None
    return found


@pytest.fixture
async def lived(build: Building) -> Building:
    await build.record(*ONE_OF_EACH, attribute_set(8, "count", None, 7), edited(9, status=("NEW", "OPEN")))
    await build.catch_up()
    return build


async def test_tables_that_say_the_same_have_no_differences(lived: Building) -> None:
    assert await _found(lived) == (0, [])


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE {incidents} SET severity = 'HIGH', words = ' x '", ("incidents", ("severity", "words"), "")),
        ("DELETE FROM {incidents}", ("incidents", (), "built")),
        ("UPDATE {attributes} SET value = '8'", ("incident_attributes", ("value",), "")),
        ("UPDATE {past} SET document = '{{}}' WHERE occ_lock = 3", ("past_incidents", ("document",), "")),
        ("UPDATE {counts} SET n = 5 WHERE n = 1", ("counts", ("n",), "")),
        ("UPDATE {counts} SET n = 0 WHERE n = 1", ("counts", (), "built")),
        ("INSERT INTO {comments} VALUES ('t', 'i', 'c', 1, '{{}}')", ("comments", (), "live")),
        ("UPDATE {definitions} SET type = 'NUMBER'", ("attribute_definitions", ("type",), "")),
    ],
)
async def test_a_live_row_that_was_tampered_with_is_named(
    lived: Building, statement: str, expected: tuple[str, tuple[str, ...], str]
) -> None:
    models = lived.models()
    names = {
        "incidents": models.incidents.table,
        "attributes": models.incidents.attributes.table,
        "past": models.incidents.past.table,
        "counts": models.incidents.counts,
        "comments": models.comments.table,
        "definitions": models.definitions.table,
    }
    await lived.engine.database.execute(statement.format(**names))
    total, (difference, *others) = await _found(lived)
    assert (total, others) == (1, [])
    assert difference.table.rpartition("_v")[0] == expected[0]
    assert (difference.columns, difference.only) == expected[1:]


async def test_each_key_is_told_up_to_a_number_and_all_are_counted(sqlite: Building) -> None:
    await sqlite.record(*long_history(700))
    await sqlite.catch_up()
    await sqlite.engine.database.execute(f"UPDATE {sqlite.models().incidents.table} SET name = 'x'")
    total, shown = await _found(sqlite)
    assert total > len(shown) == MAX_SHOWN
    assert all(one.columns == ("name",) for one in shown)


async def test_the_differences_are_printed_and_the_switch_is_made(
    lived: Building, tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    dsn = request.getfixturevalue("postgres_dsn") if "postgres" in request.node.name else ""
    await lived.engine.database.execute(f"UPDATE {lived.models().incidents.table} SET name = 'x'")
    await rebuild(Settings(data_dir=tmp_path, database_url=dsn))
    told = capsys.readouterr()
    assert "1 rows differ" in told.out
    assert f"{TENANT} {INCIDENT_ID} │ name" in told.out
    state = await lived.leases.state(FOLLOWER)
    assert state is not None
    assert state.generation == 2


async def test_what_the_live_tables_have_not_reached_is_no_difference(build: Building) -> None:
    await build.record(reported())
    await build.catch_up()
    await build.record(edited(1, status=("NEW", "OPEN")), edited(2, status=("OPEN", "CLOSED")))
    assert await _found(build) == (0, [])


async def test_comparing_changes_nothing(build: Building) -> None:
    await build.record(*ONE_OF_EACH[:5])
    await build.catch_up()
    async with rebuilding(build.settings, build.engine) as one:
        await one.begin(anew=True)
        await one.load("events", one.where_the_live_ones_are)
        await build.record(*ONE_OF_EACH[5:])
        await build.catch_up()
        before = await build.dump(2)
        found = await one.compare()
    assert found == (0, [])
    assert await build.dump(2) == before != await build.dump(1)
    async with build.engine.database.trial() as rows:
        live = build.models().compared()
        assert (await differences(build.engine.database, rows, live, live)).total == 0
