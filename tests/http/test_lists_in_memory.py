"""Pages of lists that are answered from memory: no older than from the tables, and no other tenant's."""

from typing import Any
from urllib.parse import quote

import pytest

from service.shelf import ENTRY_BYTES, Shelf
from tests.http.api import PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines

PAGE = f"{PATH}?size=5&page=1"
ASKED = (PAGE, f"{PATH}?size=5&cursor=", f"{PATH}?size=5&page=1&status=NEW&sort=name,asc")


async def names(api: Api, path: str = PAGE, **headers: str) -> list[str]:
    answer = await api.get(path, headers=headers)
    return [one["name"] for one in answer.data["incidents"]]


async def settle(api: Api) -> None:
    """The read models have everything, and every page that was asked for is of now."""
    for path in ASKED * 2:
        await api.get(path)


async def empty_tables(api: Api) -> None:
    """From now on a page with an incident in it comes from memory."""
    await settle(api)
    await api.parts.database.execute(f"DELETE FROM {api.parts.freshness.models.incidents.table}")


@both_engines
@pytest.mark.parametrize("path", ASKED)
async def test_what_was_asked_a_moment_ago_is_not_looked_up(api: Api, path: str) -> None:
    await api.report(name="First")
    before = await api.get(path)
    await empty_tables(api)
    again = await api.get(path)
    assert (again.data, again.body["page"]) == (before.data, before.body["page"])
    assert await names(api, path + "&q=first") == []


@pytest.mark.parametrize("path", ASKED)
async def test_every_event_of_the_tenant_ends_it(api: Api, path: str) -> None:
    id = (await api.report(name="First"))["id"]
    await settle(api)
    await api.put(at(id), incident(name="Second", occ_lock=0))
    assert await names(api, path) == ["Second"]
    await settle(api)
    await api.post(at(id, "attributes"), {"name": "count", "value": 5})
    assert (await api.get(path)).data["incidents"][0]["attributes"] == {"count": 5}
    await settle(api)
    await api.delete(at(id))
    assert await names(api, path) == []


async def test_the_events_of_others_do_not_and_nobody_gets_another_tenants_page(api: Api) -> None:
    await api.report(name="First")
    other = api.by(tenant="other")
    assert await names(other) == []
    await empty_tables(api)
    await other.report(name="Of another")
    assert await names(other) == ["Of another"]
    assert await names(api) == ["First"]


async def test_two_questions_that_look_alike_when_they_are_decoded_are_two(api: Api) -> None:
    await api.report(name="First", location="a&status=NEW")
    await settle(api)
    one = await api.get(f"{PAGE}&reported_by=" + quote("x&status=NEW"))
    two = await api.get(f"{PAGE}&reported_by=x&status=NEW")
    assert one.status == two.status == 200
    (await api.get(f"{PAGE}&status=" + quote("OPEN&status=NEW"))).refused(400, "CODE_UNKNOWN", "status")
    assert (await api.get(f"{PAGE}&status=OPEN&status=NEW")).data["total"] == 1


async def test_who_may_see_the_deleted_in_the_past_gets_a_page_of_his_own(api: Api) -> None:
    created = await api.report(name="First")
    await api.delete(at(created["id"]))
    then = f"{PAGE}&as_of={quote(created['created_at'])}"
    auditor, user = api.by(roles=("auditor",)), api.by(roles=())
    for _ in range(3):
        assert await names(auditor, then) == ["First"]
        assert await names(user, then) == []


async def test_what_another_process_wrote_is_seen_where_it_is_asked_for(postgres_dsn: str, serve: Serve) -> None:
    writer, reader = [await serve(database_url=postgres_dsn, read_timeout=10) for _ in range(2)]
    id = (await writer.report(name="First"))["id"]
    for lock in range(8):
        edit = await writer.put(at(id), incident(name=f"Name {lock}", occ_lock=lock))
        seen: Any = await names(reader, **{"Ims-Min-Position": edit.headers["Ims-Position"]})
        assert seen == [f"Name {lock}"]
        await settle(reader)


async def test_while_the_tables_may_have_gone_back_no_page_is_kept(api: Api) -> None:
    await api.report(name="First")
    await settle(api)
    api.parts.doubt()
    await empty_tables(api)
    assert await names(api) == []


async def test_what_was_erased_is_in_no_page(api: Api) -> None:
    id = (await api.report(name="Secret"))["id"]
    await settle(api)
    eraser = api.by(roles=("eraser",))
    assert (await eraser.post(at(id, "erase"), {"fields": ["name"], "reason": "order", "occ_lock": 0})).status == 200
    for path in ASKED * 2:
        assert b"Secret" not in (await api.get(path)).raw


def test_a_shelf_holds_what_was_used_last() -> None:
    shelf: Shelf[int, str] = Shelf(3 * (ENTRY_BYTES + 10))
    for key in (1, 2, 3):
        shelf.put(key, "kept", 10)
    assert shelf.get(1)
    shelf.put(4, "kept", 10)
    assert [key for key in (1, 2, 3, 4) if shelf.get(key)] == [1, 3, 4]
    shelf.put(5, "large", 2 * ENTRY_BYTES + 30)
    assert [key for key in (1, 3, 4, 5) if shelf.get(key)] == [5]
    shelf.put(5, "small", 10)
    shelf.put(6, "kept", 10)
    shelf.put(7, "kept", 10)
    assert [key for key in (5, 6, 7) if shelf.get(key)] == [5, 6, 7]
    shelf.clear()
    assert not any(shelf.get(key) for key in (5, 6, 7))
