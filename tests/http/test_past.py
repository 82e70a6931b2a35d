"""What was: an incident in a version or at a time, lists as they stood, who may see the past of what is deleted."""

import asyncio
from typing import Any

import pytest

from tests.http.api import ABSENT_ID, PATH, Api, at
from tests.http.conftest import Serve
from tests.http.engines import both_engines

AUDITOR = ("auditor",)
LONG_AGO, FAR_AHEAD = "2001-01-01T00:00:00Z", "2999-12-31T23:59:59Z"


def when(incident: dict[str, Any]) -> str:
    """The time that this version was recorded, as the client of another zone might write it."""
    return str(incident["updated_at"].replace("Z", "000%2B00:00"))


async def edited(api: Api, **members: Any) -> list[Any]:
    """An incident in three versions, the newest last."""
    first = await api.report(name="One", attributes={"count": 1}, **members)
    second = (await api.patch(at(first["id"]), {"name": "Two", "attributes": {"count": 2}})).data
    third = (await api.patch(at(first["id"]), {"status": "CLOSED", "attributes": {"count": None}})).data
    return [first, second, third]


@both_engines
async def test_each_version_is_shown_as_it_was_answered_then(api: Api) -> None:
    versions = await edited(api)
    path = at(versions[0]["id"])
    for number, version in enumerate(versions):
        for query in (f"?version={number}", f"?as_of={when(version)}"):
            answer = await api.get(path + query)
            assert answer.data == version
            assert answer.headers["ETag"] == f'"{number}"'
            assert (await api.get(path + query, headers={"If-None-Match": f'"{number}"'})).status == 304
            assert (await api.send("HEAD", path + query)).status == 200
    for query in (f"?as_of={FAR_AHEAD}", "?", "?&", ""):
        assert (await api.get(path + query)).data == versions[-1]


@both_engines
async def test_a_time_is_inclusive_to_the_digit_and_a_little_earlier_is_the_version_before(api: Api) -> None:
    first, second, _ = await edited(api)
    earlier = str(int(second["updated_at"][20:26]) - 1).zfill(6)
    just_before = f"{second['updated_at'][:20]}{earlier}999Z"
    assert (await api.get(f"{at(first['id'])}?as_of={just_before}")).data == first
    assert await api.names(f"?as_of={just_before}") == ["One"]
    assert await api.names(f"?as_of={second['updated_at'][:26]}001Z") == ["Two"]


async def test_a_version_that_never_was_and_a_time_before_the_birth_are_not_found(api: Api) -> None:
    path = at((await edited(api))[0]["id"])
    for query in ("?version=3", "?version=2147483647", f"?as_of={LONG_AGO}"):
        (await api.get(path + query)).refused(404, "NOT_FOUND")
    (await api.get(f"{at(ABSENT_ID)}?version=0")).refused(404, "NOT_FOUND")


async def test_what_is_no_version_or_no_time_is_refused(api: Api) -> None:
    path = at((await edited(api))[0]["id"])
    for query, field in (
        ("?version=-1", "version"),
        ("?version=2147483648", "version"),
        ("?version=x", "version"),
        ("?as_of=", "as_of"),
        ("?as_of=2024-02-30T00:00:00Z", "as_of"),
        (f"?version=0&as_of={LONG_AGO}", "as_of"),
    ):
        (await api.get(path + query)).refused(400, "PARAMETER_INVALID", field)
    (await api.get(f"{path}?page=1")).refused(400, "PARAMETER_UNKNOWN", "page")
    (await api.get(f"{PATH}?as_of=yesterday")).refused(400, "PARAMETER_INVALID", "as_of")


@both_engines
async def test_the_list_stands_as_it_stood_with_filters_pages_and_totals(api: Api) -> None:
    first, second, third = await edited(api)
    other = await api.report(name="Other", status="OPEN")
    for version, name, status, count in (
        (first, "One", "NEW", "1"), (second, "Two", "NEW", "2"), (third, "Two", "CLOSED", None),
    ):  # fmt: skip
        then = f"?as_of={when(version)}"
        assert (await api.get(f"{PATH}{then}")).data == {"incidents": [version], "total": 1}
        for more in ("&page=1", "&cursor=", f"&status={status}", f"&q={name}", "&sort=updated_at,asc&size=5"):
            assert (await api.get(f"{PATH}{then}{more}")).data == {"incidents": [version], "total": 1}, more
        for number in ("1", "2"):
            assert len(await api.ids(f"{then}&attributes.count={number}")) == (number == count)
        assert await api.ids(f"{then}&status=OPEN&page=1") == []
    assert (await api.get(f"{PATH}?as_of={FAR_AHEAD}")).data["incidents"] == [other, third]
    assert (await api.get(f"{PATH}?as_of={LONG_AGO}&page=1")).data == {"incidents": [], "total": 0}


@both_engines
async def test_a_cursor_into_the_past_goes_on_with_the_same_past(api: Api) -> None:
    before = [await api.report(name=f"Number {number}", next_update=number % 3) for number in range(7)]
    seen: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        # The last time that there is: for each request it would be another position.
        answer = (await api.get(f"{PATH}?as_of={FAR_AHEAD}&size=2&sort=next_update,asc&cursor={cursor}")).body
        seen += answer["data"]["incidents"]
        assert answer["data"]["total"] == 7
        cursor = answer["page"].get("next")
        await api.patch(at(before[0]["id"]), {"next_update": len(seen)})
        await api.report(name="Later")
    assert seen == sorted(before, key=lambda one: (one["next_update"], one["id"]))


async def test_a_cursor_is_of_one_time(api: Api) -> None:
    for _ in range(3):
        first = await api.report()
    cursor = (await api.get(f"{PATH}?as_of={FAR_AHEAD}&size=1&cursor=")).body["page"]["next"]
    for other in ("", f"&as_of={when(first)}"):
        (await api.get(f"{PATH}?size=1{other}&cursor={cursor}")).refused(400, "CURSOR_INVALID", "cursor")
    now = (await api.get(f"{PATH}?size=1&cursor=")).body["page"]["next"]
    (await api.get(f"{PATH}?as_of={FAR_AHEAD}&size=1&cursor={now}")).refused(400, "CURSOR_INVALID", "cursor")


@both_engines
async def test_the_past_of_what_is_deleted_is_for_auditors_and_deployers(serve: Serve) -> None:
    api = (await serve(read_only_roles=("auditor",), writer_roles=("editor",))).by(roles=("editor",))
    _, _, last = await edited(api)
    path, then = at(last["id"]), f"?as_of={when(last)}"
    gone = (await api.delete(path)).data
    for query in ("?version=0", then, "/history", "/diff?from=0&to=1"):
        (await api.get(path + query)).refused(404, "NOT_FOUND")
        (await api.by("viewer", roles=("viewer",)).get(path + query)).refused(404, "NOT_FOUND")
    assert await api.ids(then) == await api.ids(f"{then}&cursor=") == []
    for roles in (AUDITOR, ("tenant-admin",)):
        auditor = api.by("eve", roles=roles)
        assert (await auditor.get(path + then)).data == last
        assert (await auditor.get(f"{path}?version=3")).data == gone
        assert len((await auditor.get(f"{path}/history")).data["history"]) == 4
        assert (await auditor.get(f"{path}/diff?from=2&to=3")).data["changes"] == {
            "deleted": {"from": False, "to": True}
        }
        assert (await auditor.get(f"{PATH}{then}&page=1")).data == {"incidents": [last], "total": 1}
        # It was not there then.
        (await auditor.get(f"{path}?as_of={when(gone)}")).refused(404, "NOT_FOUND")
        assert await auditor.ids(f"?as_of={when(gone)}") == []
        (await auditor.by(tenant="other", roles=roles).get(f"{path}?version=0")).refused(404, "NOT_FOUND")
    await api.post(f"{path}/restore")
    assert (await api.get(path + then)).data == last
    assert await api.ids(then) == [last["id"]]
    (await api.get(f"{path}?as_of={when(gone)}")).refused(404, "NOT_FOUND")


async def test_a_list_of_the_past_is_streamed_by_chunks(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.pages.CHUNK", 3)
    names = [f"Number {number}" for number in range(8)]
    incidents = [await api.report(name=name) for name in names]
    for one in incidents[::2]:
        await api.patch(at(one["id"]), {"name": "Renamed"})
    answer = (await api.get(f"{PATH}?as_of={when(incidents[-1])}")).data
    assert ([one["name"] for one in answer["incidents"]], answer["total"]) == (names[::-1], 8)


@both_engines
async def test_the_past_waits_until_the_read_model_has_what_the_log_had(serve: Serve) -> None:
    api = await serve(run=("api",), read_timeout=0.1)
    first = await api.by(tenant="other").report()
    assert await api.ids() == []
    for path in (PATH, at(first["id"])):
        (await api.get(f"{path}?as_of={FAR_AHEAD}")).refused(503, "READ_MODEL_BEHIND")
    assert await api.ids(f"?as_of={LONG_AGO}") == []


@both_engines
async def test_what_was_is_the_same_however_much_is_written_meanwhile(api: Api) -> None:
    incidents = [await api.report(name=f"Number {number}") for number in range(6)]
    then = f"?as_of={when(incidents[-1])}"

    async def write(one: dict[str, Any]) -> None:
        for number in range(5):
            await api.patch(at(one["id"]), {"name": f"Change {number}", "next_update": number})
            await api.report()
        await api.delete(at(one["id"]))
        await api.post(f"{at(one['id'])}/restore")

    async def look() -> None:
        auditor = api.by("eve", roles=AUDITOR)
        for _ in range(8):
            assert (await auditor.get(f"{PATH}{then}&sort=name,asc")).data == {"incidents": incidents, "total": 6}
            assert (await auditor.get(at(incidents[0]["id"]) + then)).data == incidents[0]

    await asyncio.gather(*map(write, incidents[:3]), look(), look())


@both_engines
async def test_a_diff_says_what_differs_from_the_one_to_the_other(api: Api) -> None:
    path = at((await edited(api))[0]["id"])
    for first, last, changes in (
        (0, 1, {"name": ("One", "Two"), "attributes.count": (1, 2)}),
        (0, 2, {"name": ("One", "Two"), "status": ("NEW", "CLOSED"), "attributes.count": (1, None)}),
        (2, 0, {"name": ("Two", "One"), "status": ("CLOSED", "NEW"), "attributes.count": (None, 1)}),
        (1, 1, {}),
    ):
        shown = {member: {"from": old, "to": new} for member, (old, new) in changes.items()}
        assert (await api.get(f"{path}/diff?from={first}&to={last}")).data == {
            "from": first, "to": last, "changes": shown,
        }  # fmt: skip
    for query in ("?from=0&to=3", "?from=3&to=0"):
        (await api.get(f"{path}/diff{query}")).refused(404, "NOT_FOUND")
    assert (await api.get(f"{path}/diff?from=x")).faults == {
        ("PARAMETER_INVALID", "from"), ("PARAMETER_INVALID", "to"),
    }  # fmt: skip
