"""Every write can be repeated with its key: the first answer comes again, and nothing happens twice."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import orjson

from tests.http.api import ABSENT_ID, PATH, Answer, Api, at, incident
from tests.http.engines import both_engines

Write = tuple[str, str, Any]


def keyed(key: str) -> dict[str, Any]:
    return {"headers": {"Idempotency-Key": key}}


def same_answer(first: Answer, again: Answer) -> bool:
    """But for when it was sent."""
    names = ("Ims-Position", "ETag", "Location")
    return (
        again.status == first.status
        and again.data == first.data
        and [again.headers.get(name) for name in names] == [first.headers.get(name) for name in names]
    )


async def head_of(api: Api) -> int:
    return int((await api.get("/status")).body["log"]["head"])


async def every_write(api: Api) -> list[Write]:
    """One of each, in an order in which all of them succeed."""
    id = (await api.report(attributes={"workflowId": "w"}))["id"]
    removed, named, edited = [(await api.comment(id))["id"] for _ in range(3)]
    return [
        ("POST", PATH, incident(name="Keyed")),
        ("PUT", at(id), incident(name="Replaced", occ_lock=0)),
        ("PATCH", at(id), {"name": "Patched", "occ_lock": 1}),
        ("POST", at(id, "attributes"), {"name": "count", "value": "5"}),
        ("PUT", at(id, "attributes"), {"name": "count", "value": 6, "occ_lock": 3}),
        ("DELETE", f"{at(id, 'attributes', 'count')}?occ_lock=4", ...),
        ("POST", at(id, "comments"), {"text": "Keyed."}),
        ("PUT", at(id, "comments", edited), {"text": "Edited.", "occ_lock": 0}),
        ("DELETE", at(id, "comments", removed), ...),
        ("DELETE", at(id, "comments"), {"id": named}),
        ("POST", f"{PATH}/attributes", {"name": "colour", "type": "STRING"}),
        ("DELETE", f"{PATH}/attributes/colour", ...),
        ("DELETE", at(id), {"occ_lock": 5}),
        ("POST", at(id, "restore"), {"occ_lock": 6}),
        ("DELETE", at(id), ...),
    ]


@both_engines
async def test_every_write_gets_its_first_answer_again_also_after_all_that_came_later(api: Api) -> None:
    api = api.deployer
    answers = []
    for n, (method, path, body) in enumerate(await every_write(api)):
        first = await api.send(method, path, body, **keyed(f"key-{n}"))
        assert same_answer(first, await api.send(method, path, body, **keyed(f"key-{n}"))), (method, path)
        answers.append((method, path, body, keyed(f"key-{n}"), first))
    head = await head_of(api)
    assert head == 4 + len(answers)
    for method, path, body, key, first in answers:
        assert same_answer(first, await api.send(method, path, body, **key)), (method, path)
    assert await head_of(api) == head


@both_engines
async def test_the_same_key_with_another_request_is_refused(api: Api) -> None:
    api = api.deployer
    for n, (method, path, body) in enumerate(await every_write(api)):
        assert (await api.send(method, path, body, **keyed(f"key-{n}"))).status in (200, 201)
        if body is ...:
            other: Any = {"ignored": 1}
        elif method == "DELETE" or path.endswith("restore"):
            other = {**body, "ignored": 1}
        else:
            other = {**body, "name": "workflowId"} if "name" in body else {**body, "text": "Other."}
        (await api.send(method, path, other, **keyed(f"key-{n}"))).refused(422, "IDEMPOTENCY_KEY_REUSED")


async def test_the_order_of_members_and_white_space_make_no_other_request(api: Api) -> None:
    body = incident()
    first = await api.post(PATH, body, **keyed("k"))
    turned = orjson.dumps(dict(reversed(body.items())), option=orjson.OPT_INDENT_2)
    assert same_answer(first, await api.post(PATH, data=turned, **keyed("k")))


async def test_a_key_is_one_users_for_one_method_and_path(api: Api) -> None:
    id = (await api.report())["id"]
    first = (await api.post(PATH, incident(), **keyed("k"))).data
    assert (await api.by("bob").post(PATH, incident(), **keyed("k"))).data["id"] != first["id"]
    assert (await api.by(tenant="other").post(PATH, incident(), **keyed("k"))).data["id"] != first["id"]
    assert (await api.patch(at(id), {"name": "Renamed"}, **keyed("k"))).data["id"] == id
    assert (await api.patch(at(first["id"]), {"name": "Renamed"}, **keyed("k"))).data["id"] == first["id"]
    assert (await api.delete(at(id), **keyed("k"))).data["id"] == id


async def test_a_precondition_is_part_of_the_request(api: Api) -> None:
    id = (await api.report())["id"]
    key = {"Idempotency-Key": "k"}
    first = await api.put(at(id), incident(), headers={**key, "If-Match": '"0"'})
    assert same_answer(first, await api.put(at(id), incident(), headers={**key, "If-Match": '"0"'}))
    (await api.put(at(id), incident(), headers={**key, "If-Match": '"1"'})).refused(422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_refused_request_is_not_remembered(api: Api) -> None:
    (await api.post(PATH, incident(name=""), **keyed("k"))).refused(400, "TEXT_EMPTY", "name")
    id = (await api.post(PATH, incident(), **keyed("k"))).data["id"]
    (await api.put(at(id), incident(occ_lock=1), **keyed("k"))).refused(409, "LOCK_STALE", "occ_lock")
    assert (await api.put(at(id), incident(occ_lock=0), **keyed("k"))).status == 200
    (await api.delete(at(ABSENT_ID), **keyed("k"))).refused(404, "NOT_FOUND")
    assert (await api.patch(at(id), {}, **keyed("k"))).data["occ_lock"] == 1
    assert (await api.patch(at(id), {"name": "Renamed"}, **keyed("k"))).data["occ_lock"] == 2


async def test_a_key_is_visible_ascii(api: Api) -> None:
    for key in ("k", "!", "~" * 255, '"quoted"', "a,b"):
        assert (await api.post(PATH, incident(), **keyed(key))).status == 201
    for key in ("", "a b", "é", "x" * 256, "a\tb"):
        (await api.post(PATH, incident(), **keyed(key))).refused(400, "HEADER_INVALID", "Idempotency-Key")
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    (await api.post(PATH, incident(), headers=twice)).refused(400, "HEADER_INVALID", "Idempotency-Key")


async def test_without_a_key_a_repeat_is_another_command(api: Api) -> None:
    assert (await api.report())["id"] != (await api.report())["id"]


@both_engines
async def test_a_request_that_is_under_way_many_times_at_once_is_carried_out_once(api: Api) -> None:
    api = api.deployer
    for n, (method, path, body) in enumerate(await every_write(api)):
        head = await head_of(api)
        answers = await asyncio.gather(*(api.send(method, path, body, **keyed(f"key-{n}")) for _ in range(8)))
        for answer in answers:
            assert same_answer(answers[0], answer), (method, path)
        assert await head_of(api) == head + 1, (method, path)


async def test_a_repeat_after_erasure_is_told_so(api: Api, tmp_path: Path) -> None:
    answer = await api.post(PATH, incident(), **keyed("k"))
    with sqlite3.connect(tmp_path / "ims.db") as database:
        database.execute("UPDATE log SET state = NULL, salt = NULL WHERE notification_id = 1")
    (await api.post(PATH, incident(), **keyed("k"))).refused(409, "COMMAND_ERASED")
    assert answer.status == 201
