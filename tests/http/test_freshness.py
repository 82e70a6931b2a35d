"""Reading what was written: at once, from a position on, or not at all, but never stale."""

import asyncio

import pytest

from service.http import health
from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.projections.building import soon


@both_engines
async def test_a_get_sees_every_write_that_was_acknowledged_before_it(api: Api) -> None:
    created = await api.report()
    path = at(created["id"])
    for lock in range(30):
        edited = (await api.put(path, incident(name=f"Name {lock}", occ_lock=lock))).data
        got, listed, counted = await asyncio.gather(api.get(path), api.get(f"{PATH}?page=1"), api.get(f"{PATH}/counts"))
        assert got.data == edited
        assert listed.data["incidents"] == [edited]
        assert counted.data["total"] == 1
    comment = await api.comment(created["id"])
    assert (await api.get(f"{path}/comments")).data["comments"] == [comment]
    await api.put(f"{path}/attributes", {"name": "count", "value": 7})
    assert (await api.get(f"{path}/attributes")).data == {"count": 7}
    await api.deployer.post(f"{PATH}/attributes", {"name": "colour", "type": "STRING"})
    assert {"name": "colour", "type": "STRING"} in (await api.get(f"{PATH}/attributes")).data
    await api.delete(path)
    assert (await api.get(path)).status == 404


@both_engines
async def test_positions_are_dense_and_in_the_order_of_the_writes(api: Api) -> None:
    positions = [int((await api.post(PATH, incident())).headers["Ims-Position"]) for _ in range(5)]
    assert positions == [1, 2, 3, 4, 5]
    for position in (0, 1, 5):
        answer = await api.get(headers={"Ims-Min-Position": str(position)})
        assert answer.data["total"] == 5


async def test_a_position_beyond_the_logs_head_is_refused(api: Api) -> None:
    await api.report()
    for path in (PATH, at(ABSENT_ID), f"{PATH}/counts", f"{PATH}/attributes", f"{PATH}?page=1", f"{PATH}?cursor="):
        for position in ("2", "999999999999999999"):
            answer = await api.get(path, headers={"Ims-Min-Position": position})
            answer.refused(400, "POSITION_UNKNOWN", "Ims-Min-Position")


async def test_a_position_of_another_form_is_refused(api: Api) -> None:
    for text in ("", "-1", "1.0", "x", "1, 2", "٣", "1" * 19, "+1", "0x1"):
        (await api.get(headers={"Ims-Min-Position": text})).refused(400, "HEADER_INVALID", "Ims-Min-Position")


@both_engines
async def test_a_read_that_would_be_stale_is_refused_for_now(serve: Serve) -> None:
    api = await serve(run=("api",), read_timeout=0.1)
    created = await api.report()
    paths = [
        PATH,
        at(created["id"], "comments"),
        f"{PATH}/counts",
        f"{PATH}/attributes",
        f"{PATH}?cursor=",
    ]
    for path in paths:
        answer = await api.get(path)
        answer.refused(503, "READ_MODEL_BEHIND")
        assert int(answer.headers["Retry-After"]) >= 1
    assert (await api.get(at(created["id"]))).data == created  # what this process wrote itself it need not look up
    assert (await api.by(tenant="other").get()).data == {"incidents": [], "total": 0}
    answer = await api.by(tenant="other").get(headers={"Ims-Min-Position": "1"})
    answer.refused(503, "READ_MODEL_BEHIND")
    assert (await api.get(f"{PATH}/codes")).status == 200
    assert (await api.put(at(created["id"]), incident(occ_lock=0))).data["occ_lock"] == 1


async def test_a_read_waits_for_the_follower_of_another_process(postgres_dsn: str, serve: Serve) -> None:
    api = await serve(database_url=postgres_dsn, run=("api",), read_timeout=20)
    created = await api.report()
    other = await serve(database_url=postgres_dsn, run=("api",), read_timeout=20)
    waiting = [
        asyncio.create_task(api.get(f"{PATH}?page=1")),
        asyncio.create_task(other.get(f"{PATH}?page=1", headers={"Ims-Min-Position": "1"})),
    ]
    getting = asyncio.create_task(other.by("bob").get(at(created["id"]), headers={"Ims-Min-Position": "1"}))
    await asyncio.sleep(0.2)
    assert not any(task.done() for task in (*waiting, getting))
    await serve(database_url=postgres_dsn, run=("projector",))
    assert [(await task).data["incidents"] for task in waiting] == [[created], [created]]
    assert (await getting).data == created


async def test_a_position_carries_a_write_to_another_process(postgres_dsn: str, serve: Serve) -> None:
    writer, reader = [await serve(database_url=postgres_dsn, read_timeout=5) for _ in range(2)]
    for n in range(20):
        answer = await writer.post(PATH, incident(name=f"N{n}"))
        position = answer.headers["Ims-Position"]
        seen = await reader.get(at(answer.data["id"]), headers={"Ims-Min-Position": position})
        assert seen.data == answer.data


async def test_a_process_is_not_ready_before_its_read_models_are(postgres_dsn: str, serve: Serve) -> None:
    first = await serve(database_url=postgres_dsn, run=("api",))
    assert (await first.get("/readyz")).status == 200, "nothing is in the log"
    await first.report()
    api = await serve(database_url=postgres_dsn, run=("api",))
    ready = await api.get("/readyz")
    assert (ready.status, ready.body["reason"]) == (503, "the read models are not up to date yet")
    assert (await first.get("/readyz")).status == 200, "it was, and writes need none"
    await serve(database_url=postgres_dsn, run=("projector",))

    async def is_ready() -> bool:
        return (await api.get("/readyz")).status == 200

    await soon(is_ready)
    assert (await api.get(PATH)).data["total"] == 1


async def test_nor_does_it_wait_for_ever(postgres_dsn: str, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    first = await serve(database_url=postgres_dsn, run=("api",))
    await first.report()
    api = await serve(database_url=postgres_dsn, run=("api",))
    assert (await api.get("/readyz")).status == 503
    monkeypatch.setattr(health, "FIRST_READ_SECONDS", 0.0)
    assert (await api.get("/readyz")).status == 200
