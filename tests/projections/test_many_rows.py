"""However many rows are written at once, each is there as it was given."""

import pytest

from service.store.postgres import COPIED_ROWS
from service.store.sqlite_rows import MAX_VALUES
from tests.projections.building import Building

NUMBERS = [1, 2, 7, COPIED_ROWS, MAX_VALUES // 2]


@pytest.mark.parametrize("number", NUMBERS)
async def test_rows_are_inserted_and_changed_as_they_are_given(build: Building, number: int) -> None:
    database = build.engine.database
    await database.define([f"CREATE TABLE things (id integer PRIMARY KEY, what {database.dialect.binary}, n integer)"])
    async with database.transaction() as rows:
        await rows.insert("things", [(id, b"%d" % id, 1) for id in range(number)])
        await rows.many(
            """INSERT INTO things AS kept (id, what, n) VALUES ($1, $2, $3)
               ON CONFLICT (id) DO UPDATE SET what = excluded.what, n = kept.n + excluded.n""",
            [(id, b"again", id) for id in range(0, 2 * number, 2)],
        )
        await rows.many("DELETE FROM things WHERE id = $1 AND n = $2", [(id, id) for id in range(number, 2 * number)])
    found = {id: (bytes(what), n) for id, what, n in await database.fetch("SELECT id, what, n FROM things")}
    assert found == {id: (b"again", id + 1) if id % 2 == 0 else (b"%d" % id, 1) for id in range(number)}


async def test_every_row_is_found_with_its_columns_as_they_are(build: Building) -> None:
    database = build.engine.database
    await database.define([f"CREATE TABLE others (id integer, what {database.dialect.binary}, said text)"])
    rows = [
        (1, b"a", "\N{SNOWMAN}\n"),
        (1, b"a", "\N{SNOWMAN}\n"),
        (2, None, ""),
        (3, b"", None),
        (4, b"not wanted", ""),
    ]
    async with database.transaction() as writing:
        await writing.insert("others", rows)
    found = await database.every("id, what, said", "others WHERE id < $1", 4)
    assert sorted(map(tuple, found), key=repr) == sorted(rows[:4], key=repr)
    assert list(await database.every("id", "others WHERE id = $1", 9)) == []
