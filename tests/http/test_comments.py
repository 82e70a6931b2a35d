"""Comments: an aggregate of their own, with their author and their own lock."""

import asyncio
from typing import Any

from tests.http.api import ABSENT_ID, DEPLOYER, Api, at
from tests.http.engines import both_engines


@both_engines
async def test_commenting_never_moves_the_incidents_lock(api: Api) -> None:
    created = await api.report()
    comment = await api.comment(created["id"])
    path = at(created["id"], "comments", comment["id"])
    edited = (await api.put(path, {"text": "Edited.", "occ_lock": 0})).data
    assert edited == {**comment, "text": "Edited.", "occ_lock": 1, "updated_at": edited["updated_at"]}
    assert edited["updated_at"] > comment["updated_at"]
    assert (await api.get(at(created["id"], "comments"))).data == {"comments": [edited], "total": 1}
    assert (await api.delete(path)).data["occ_lock"] == 2
    assert (await api.get(at(created["id"]))).data == created


async def test_a_text_has_up_to_ten_thousand_characters(api: Api) -> None:
    path = at((await api.report())["id"], "comments")
    longest = "\U0001f600" * 10_000
    comment = (await api.post(path, {"text": longest})).data
    assert (await api.get(path)).data["comments"] == [{**comment, "text": longest}]
    own = f"{path}/{comment['id']}"
    (await api.post(path, {"text": longest + "x"})).refused(400, "TEXT_TOO_LONG", "text")
    (await api.put(own, {"text": longest + "x", "occ_lock": 0})).refused(400, "TEXT_TOO_LONG", "text")
    for text in ("", " \n", "\u3000"):
        (await api.post(path, {"text": text})).refused(400, "TEXT_EMPTY", "text")
    (await api.post(path, {"text": "a\0"})).refused(400, "TEXT_INVALID", "text")
    (await api.post(path, {})).refused(400, "MEMBER_MISSING", "text")
    answer = await api.put(own, {"text": ""})
    assert answer.faults == {("TEXT_EMPTY", "text"), ("MEMBER_MISSING", "occ_lock")}


@both_engines
async def test_only_the_author_or_a_deployer_may_change_a_comment(api: Api) -> None:
    id = (await api.report())["id"]
    comment = await api.comment(id)
    path = at(id, "comments", comment["id"])
    bob = api.by("bob")
    for answer in (
        await bob.put(path, {"text": "Mine.", "occ_lock": 0}),
        await bob.delete(path),
        await bob.delete(at(id, "comments"), {"id": comment["id"]}),
        await bob.by(roles=("operator",)).delete(f"{at(id, 'comments')}?id={comment['id']}"),
    ):
        answer.refused(403, "FORBIDDEN")
    chief = api.by("chief", roles=DEPLOYER)
    edited = (await chief.put(path, {"text": "Moderated.", "occ_lock": 0})).data
    assert (edited["updated_by"], edited["created_by"], edited["user_id"]) == ("chief", "ann", "ann")
    assert (await api.put(path, {"text": "Again.", "occ_lock": 1})).data["updated_by"] == "ann"
    assert (await chief.delete(path)).status == 200


@both_engines
async def test_a_comment_has_its_own_lock(api: Api) -> None:
    id = (await api.report())["id"]
    comment = await api.comment(id)
    path = at(id, "comments", comment["id"])
    (await api.put(path, {"text": "Edited."})).refused(400, "MEMBER_MISSING", "occ_lock")
    edited = (await api.put(path, {"text": "Edited."}, headers={"If-Match": '"0"'})).data
    error = (await api.put(path, {"text": "Late.", "occ_lock": 0})).refused(409, "LOCK_STALE", "occ_lock")
    assert error["current"] == {"occ_lock": 1, "updated_at": edited["updated_at"], "updated_by": "ann"}
    (change,) = error["changes"]
    assert change["changes"] == {"text": {"from": "Seen.", "to": "Edited."}}
    (await api.put(path, {"text": "Late."}, headers={"If-Match": '"0"'})).refused(412, "PRECONDITION_FAILED")
    (await api.delete(f"{path}?occ_lock=0")).refused(409, "LOCK_STALE", "occ_lock")
    (await api.delete(path, {"occ_lock": 0})).refused(409, "LOCK_STALE", "occ_lock")
    (await api.delete(f"{path}?occ_lock=1", {"occ_lock": 0})).refused(400, "LOCKS_DIFFER", "occ_lock")
    assert (await api.delete(f"{path}?occ_lock=1")).status == 200
    (await api.delete(path)).refused(404, "NOT_FOUND")
    (await api.put(path, {"text": "Late.", "occ_lock": 2})).refused(404, "NOT_FOUND")


@both_engines
async def test_a_comment_may_be_named_in_the_body_or_the_query(api: Api) -> None:
    id = (await api.report())["id"]
    path = at(id, "comments")
    first, second, third = [(await api.comment(id))["id"] for _ in range(3)]
    assert (await api.delete(path, {"id": first, "text": "ignored"})).data["id"] == first
    assert (await api.delete(f"{path}?id={second.upper()}&occ_lock=0")).data["id"] == second
    assert (await api.delete(f"{path}?id={third}", {"id": third.upper()})).data["id"] == third
    assert (await api.get(path)).data["total"] == 0
    (await api.delete(path, {"id": first})).refused(404, "NOT_FOUND")
    assert "?id=" in (await api.delete(path)).refused(400, "MEMBER_MISSING", "id")["message"]
    values: list[Any] = [None, 7, [], {}, [first], "", "x", first + "0", True]
    for named in values:
        (await api.delete(path, {"id": named})).refused(400, "MEMBER_MISSING", "id")
    for query in ("id=", "id=x", "id=%00", f"id={first}&id={first}", f"id={first[:-1]}%D9%A1"):
        assert (await api.delete(f"{path}?{query}")).status == 400
    (await api.delete(f"{path}?id={first}", {"id": second})).refused(400, "MEMBER_MISSING", "id")


async def test_a_comment_is_found_only_below_its_incident(api: Api) -> None:
    one, other = (await api.report())["id"], (await api.report())["id"]
    comment = await api.comment(one)
    for path in (at(other, "comments", comment["id"]), at(one, "comments", ABSENT_ID), at(one, "comments", one)):
        (await api.put(path, {"text": "Edited.", "occ_lock": 0})).refused(404, "NOT_FOUND")
        (await api.delete(path)).refused(404, "NOT_FOUND")
    (await api.get(at(comment["id"]))).refused(404, "NOT_FOUND")
    (await api.delete(at(comment["id"]))).refused(404, "NOT_FOUND")
    (await api.post(at(comment["id"], "restore"))).refused(404, "NOT_FOUND")
    (await api.get(at(ABSENT_ID, "comments"))).refused(404, "NOT_FOUND")
    (await api.post(at(ABSENT_ID, "comments"), {"text": "Seen."})).refused(404, "NOT_FOUND")


@both_engines
async def test_comments_are_listed_oldest_first_and_by_pages(api: Api) -> None:
    id = (await api.report())["id"]
    path = at(id, "comments")
    assert (await api.get(path)).data == {"comments": [], "total": 0}
    texts = [f"No. {n}" for n in range(23)]
    for text in texts:
        await api.comment(id, text)
    await api.comment((await api.report())["id"], "Elsewhere.")

    async def listed(query: str) -> list[str]:
        answer = await api.get(f"{path}{query}")
        assert answer.data["total"] == 23
        return [comment["text"] for comment in answer.data["comments"]]

    assert await listed("") == texts
    assert await listed("?page=1") == await listed("?size=10") == await listed("?cursor=") == texts[:10]
    assert await listed("?page=3") == texts[20:]
    assert await listed("?page=4") == []
    page = (await api.get(f"{path}?page=2&size=20")).body["page"]
    assert page == {"number": 2, "size": 20, "total_records": 23, "count": 3, "sort": ["created_at,asc"]}
    walked, cursor = [], ""
    while True:
        answer = await api.get(f"{path}?size=5&cursor={cursor}")
        walked += [comment["text"] for comment in answer.data["comments"]]
        if "next" not in answer.body["page"]:
            break
        cursor = answer.body["page"]["next"]
    assert walked == texts
    other = (await api.report())["id"]
    (await api.get(f"{at(other, 'comments')}?cursor={cursor}")).refused(400, "CURSOR_INVALID", "cursor")
    for query, field in (("page=0", "page"), ("size=1001", "size"), ("cursor=x", "cursor"), ("sort=text", "sort")):
        answer = await api.get(f"{path}?{query}")
        assert (answer.status, answer.error["field"]) == (400, field)


@both_engines
async def test_all_comments_are_streamed_however_many(api: Api) -> None:
    id = (await api.report())["id"]
    path = at(id, "comments")
    await asyncio.gather(*(api.comment(id, f"No. {n}") for n in range(1001)))
    answer = await api.get(path)
    assert answer.data["total"] == len(answer.data["comments"]) == 1001
    assert len({comment["id"] for comment in answer.data["comments"]}) == 1001
    times = [comment["created_at"] for comment in answer.data["comments"]]
    assert times == sorted(times)
    assert (await api.send("HEAD", path)).raw == b""
