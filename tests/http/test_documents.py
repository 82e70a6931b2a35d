"""Incidents that are answered from memory: no older than from the tables, and no other tenant's."""

import asyncio
import tracemalloc
from typing import Any
from uuid import UUID

import orjson

from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines

IN_THE_TABLE = {"of": "the table", "attributes": None}


async def settled(api: Api) -> None:
    """The read models have everything."""
    await api.get(f"{PATH}?page=1")


async def mark_table(api: Api, id: str) -> None:
    """From now on it shows which answers come from there."""
    await settled(api)
    table = api.parts.freshness.models.incidents.table
    sql = f"UPDATE {table} SET document = $1 WHERE id = $2"
    assert await api.parts.database.execute(sql, orjson.dumps(IN_THE_TABLE), id) == 1


async def got(api: Api, id: str) -> Any:
    return (await api.get(at(id))).data


@both_engines
async def test_what_was_read_or_written_lately_is_not_looked_up(api: Api) -> None:
    created = await api.report()
    id = created["id"]
    await mark_table(api, id)
    assert await got(api, id) == await got(api, id.upper()) == created
    api.parts.documents.forget(UUID(id))
    assert await got(api, id) == IN_THE_TABLE
    edited = (await api.put(at(id), incident(name="New", occ_lock=0))).data
    await mark_table(api, id)
    assert await got(api, id) == edited
    added = (await api.post(at(id, "attributes"), {"name": "count", "value": 5})).data
    await mark_table(api, id)
    assert await got(api, id) == added
    assert (await api.get(at(id, "attributes"))).data == {"count": 5}


async def test_what_was_written_is_kept_in_no_more_room_than_it_fills(api: Api) -> None:
    documents, head = api.parts.documents, api.parts.feed.head.value
    written, letters = 1_000, 1_000
    tracemalloc.start()
    try:
        for number in range(written):
            documents.wrote("acme", UUID(int=number), 1, orjson.dumps({"description": "x" * letters}), head)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 2 * written * letters


async def test_what_is_kept_is_no_other_tenants_and_ends_with_a_delete(api: Api) -> None:
    id = (await api.report())["id"]
    other = api.by(tenant="other")
    assert (await other.get(at(id))).status == 404
    await api.delete(at(id))
    assert (await api.get(at(id))).status == 404
    restored = (await api.post(at(id, "restore"))).data
    assert await got(api, id) == restored
    assert (await other.get(at(id))).status == 404


@both_engines
async def test_what_was_looked_for_in_vain_is_not_looked_up_again_until_something_is_heard_of_it(api: Api) -> None:
    id, other = (await api.report())["id"], api.by(tenant="other")
    await api.delete(at(id))
    await settled(api)
    await settled(other)
    for reader, path in ((api, at(id)), (other, at(id)), (api, at(ABSENT_ID))):
        (await reader.get(path)).refused(404, "NOT_FOUND")
        misses = api.parts.documents.misses
        (await reader.get(path)).refused(404, "NOT_FOUND")
        assert api.parts.documents.misses == misses
    restored = (await api.post(at(id, "restore"))).data
    api.parts.documents.forget(UUID(id))
    assert await got(api, id) == restored
    (await other.get(at(id))).refused(404, "NOT_FOUND")


async def test_what_the_tables_may_lack_is_not_remembered_as_absent(api: Api) -> None:
    """The one that looks is asked while it has heard of an event that its tables do not have yet."""
    id = UUID((await api.report())["id"])
    await settled(api)
    await api.parts.database.execute(f"DELETE FROM {api.parts.freshness.models.incidents.table}")
    api.parts.documents.forget(id)
    head = api.parts.feed.head
    head.set(head.value + 1)
    for _ in range(2):
        misses = api.parts.documents.misses
        (await api.get(at(str(id)))).refused(404, "NOT_FOUND")
        assert api.parts.documents.misses == misses + 1


async def test_what_another_process_changes_is_not_kept(postgres_dsn: str, serve: Serve) -> None:
    writer, reader = [await serve(database_url=postgres_dsn, read_timeout=10) for _ in range(2)]
    created = await writer.report()
    path = at(created["id"])
    await reader.get(path, headers={"Ims-Min-Position": "1"})
    for lock in range(10):
        edit = await writer.put(path, incident(name=f"Name {lock}", occ_lock=lock))
        position = edit.headers["Ims-Position"]
        if lock % 2:
            seen = await reader.get(path, headers={"Ims-Min-Position": position})
        else:
            assert await reader.parts.feed.head.reach(int(position), 10)
            assert await reader.parts.freshness.position.reach(int(position), 10)
            seen = await reader.get(path)
        assert seen.data == edit.data


async def test_what_comes_late_is_not_kept(api: Api) -> None:
    """A read or a write that began before the newest event, and ends after it."""
    id = UUID((await api.report())["id"])
    edited = (await api.put(at(str(id)), incident(name="New", occ_lock=0))).data
    api.parts.documents.forget(id)
    api.parts.documents.wrote(api.tenant, id, 0, b'{"old":true}', 1)
    assert await got(api, str(id)) == edited
    api.parts.documents.forget(id)
    await settled(api)
    await api.report()  # by now it is not remembered any more that the first one changed
    api.parts.documents.wrote(api.tenant, id, 0, b'{"old":true}', 1)
    assert await got(api, str(id)) == edited


async def test_while_the_tables_may_have_gone_back_nothing_from_them_is_kept(api: Api) -> None:
    id = (await api.report())["id"]
    await settled(api)
    api.parts.documents.forget(UUID(id))
    api.parts.doubt()
    await got(api, id)
    await mark_table(api, id)
    assert await got(api, id) == IN_THE_TABLE
    await api.report()
    await settled(api)
    await got(api, id)
    await api.parts.database.execute(f"DELETE FROM {api.parts.freshness.models.incidents.table}")
    assert await got(api, id) == IN_THE_TABLE


async def test_many_at_once_never_see_an_older_one_than_before(api: Api) -> None:
    path = at((await api.report())["id"])
    done = asyncio.Event()

    async def look() -> None:
        newest = 0
        while not done.is_set():
            seen = (await api.get(path)).data["occ_lock"]
            assert seen >= newest
            newest = seen

    looking = [asyncio.create_task(look()) for _ in range(4)]
    for lock in range(60):
        assert (await api.put(path, incident(name=f"Name {lock}", occ_lock=lock))).status == 200
        if lock % 3 == 0:
            api.parts.documents.forget(UUID(path.rpartition("/")[2]))
    done.set()
    await asyncio.gather(*looking)
