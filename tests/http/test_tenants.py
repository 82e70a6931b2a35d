"""Who may do what: other tenants see nothing, readers write nothing."""

import asyncio
import inspect
import re
from typing import Any
from uuid import UUID

import pytest

from service.http.past import diff
from service.http.routes import CONSISTENCY_PATH, ROUTES, Route
from tests.http.api import ABSENT_ID, PATH, Answer, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines
from tests.http.sse import STREAM

PATIENCE = 10.0
TABLE = re.compile(r"_v\d+_\d")
"""Of read models."""
READS_OF_CONTENT = ("stream", "of_subject", "page_of_subject", "of_tenant")
CALLS = [route for route in ROUTES if route.listed and route.path != STREAM]  # its own tests ask for a stream
BODIES: dict[tuple[str, str], Any] = {
    ("POST", PATH): incident(),
    ("POST", f"{PATH}/attributes"): {"name": "colour", "type": "STRING"},
    ("PUT", at("{id}")): incident(occ_lock=0),
    ("PATCH", at("{id}")): {"name": "Taken over"},
    ("DELETE", at("{id}")): {},
    ("POST", at("{id}", "restore")): {},
    ("POST", at("{id}", "revert")): {"version": 0, "occ_lock": 0},
    ("POST", at("{id}", "attributes")): {"name": "workflowId", "value": "w"},
    ("PUT", at("{id}", "attributes")): {"name": "count", "value": 2},
    ("DELETE", at("{id}", "attributes", "{name}")): {},
    ("DELETE", f"{PATH}/attributes/{{name}}"): {},
    ("POST", at("{id}", "comments")): {"text": "Taken over."},
    ("PUT", at("{id}", "comments", "{comment_id}")): {"text": "Taken over.", "occ_lock": 0},
    ("DELETE", at("{id}", "comments", "{comment_id}")): {},
    ("POST", at("{id}", "erase")): {"fields": "all", "reason": "Taken over."},
    ("POST", at("{id}", "comments", "{comment_id}", "erase")): {"fields": "all", "reason": "Taken over."},
}


async def called(api: Api, route: Route, id: str, comment_id: str, name: str = "count") -> Answer:
    path = route.path.format(id=id, comment_id=comment_id, name=name, position=1)
    path += "?from=0&to=0" if route.handler is diff else ""
    path += "?from=1&to=1" if route.path == CONSISTENCY_PATH else ""
    if (route.method, route.path) == ("DELETE", at("{id}", "comments")):
        return await api.delete(path, {"id": comment_id})
    body = BODIES.get((route.method, route.path), ...)
    assert (body is ...) == (route.method == "GET"), route
    return await api.send(route.method, path, body)


def shown(answer: Answer) -> dict[str, Any]:
    return {name: value for name, value in answer.body.items() if name not in ("sent_at", "trace_id")}


@both_engines
@pytest.mark.parametrize("deleted", [False, True])
async def test_another_tenants_incident_is_answered_as_one_that_never_was(api: Api, deleted: bool) -> None:
    created = await api.report(attributes={"count": 1})
    comment = await api.comment(created["id"])
    if deleted:
        await api.delete(at(created["id"]))
    head = int((await api.get("/status")).body["log"]["head"])
    stranger = api.by("ann", tenant="other", roles=("tenant-admin", "system-admin", "eraser"))
    for route in CALLS:
        if "{id}" not in route.path:
            continue
        theirs = await called(stranger, route, created["id"], comment["id"])
        absent = await called(stranger, route, ABSENT_ID, ABSENT_ID)
        assert theirs.status == absent.status == 404, route
        assert shown(theirs) == shown(absent), route
        assert created["id"] not in theirs.raw.decode()
        assert {*theirs.headers} == {*absent.headers}
    assert int((await api.get("/status")).body["log"]["head"]) == head
    if not deleted:
        assert (await api.get(at(created["id"]))).data == created


@both_engines
async def test_a_tenants_lists_counts_and_definitions_are_its_own(api: Api) -> None:
    created = await api.report(name="Secret plan", attributes={"count": 1})
    await api.deployer.post(f"{PATH}/attributes", {"name": "secret", "type": "STRING"})
    other = api.by(tenant="other").deployer
    as_of = "?as_of=2999-12-31T00:00:00Z"
    for query in (
        "",
        "?page=1",
        "?cursor=",
        as_of,
        f"{as_of}&page=1",
        f"{as_of}&cursor=",
        "?q=secret",
        "?attributes.count=1",
        "?status=NEW",
        "?reported_by=Ann",
    ):
        assert (await other.get(f"{PATH}{query}")).data == {"incidents": [], "total": 0}
    assert (await other.get(f"{PATH}/counts")).data["total"] == 0
    assert "secret" not in (await other.get(f"{PATH}/attributes?retired=true")).raw.decode()
    (await other.delete(f"{PATH}/attributes/secret")).refused(404, "NOT_FOUND")
    assert (await other.post(f"{PATH}/attributes", {"name": "secret", "type": "INT"})).status == 201
    assert (await api.report(attributes={"secret": "x"}))["tenant_id"] == "acme"
    for tenant in ("ACME", "acme.", "acm", "acme-", "acme_1"):
        assert (await api.by(tenant=tenant).get()).data["total"] == 0
        (await api.by(tenant=tenant).get(at(created["id"]))).refused(404, "NOT_FOUND")


async def test_a_reader_reads_and_gets_403_on_every_write(serve: Serve) -> None:
    served = await serve(read_only_roles=("viewer", "auditor"), writer_roles=("operator",))
    api = served.by("ann", roles=("operator",))
    id = (await api.report(attributes={"count": 1}))["id"]
    comment = (await api.comment(id))["id"]
    for roles in (("viewer",), ("viewer", "auditor")):
        viewer = api.by("eve", roles=roles)
        for route in CALLS:
            answer = await called(viewer, route, id, comment)
            assert answer.status == (200 if route.method == "GET" else 403), route
            assert (await called(viewer, route, ABSENT_ID, ABSENT_ID)).status == (
                403 if route.method != "GET" else 404 if "{id}" in route.path else 200
            )
    assert (await api.get(at(id))).data["occ_lock"] == 0
    for others in (("operator",), ("viewer", "operator"), ("tenant-admin",)):
        assert (await api.by("eve", roles=others).patch(at(id), {"name": f"By {others}"})).status == 200


async def test_names_are_shown_and_the_tenant_is_the_tokens(api: Api) -> None:
    created = await api.report()
    assert (created["created_by"], created["tenant_id"]) == ("Ann Example", "acme")
    edited = (await api.by("b-17").patch(at(created["id"]), {"name": "Renamed", "tenant_id": "other"})).data
    assert (edited["created_by"], edited["updated_by"], edited["tenant_id"]) == ("Ann Example", "b-17", "acme")


async def test_every_write_of_the_route_table_is_tried_here() -> None:
    writes = {(route.method, route.path) for route in CALLS if route.method != "GET"}
    assert writes == {*BODIES, ("DELETE", at("{id}", "comments"))}


@both_engines
async def test_another_tenants_incident_costs_as_much_as_one_that_never_was(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = await api.report(attributes={"count": 1})
    comment = await api.comment(created["id"])
    for number in range(5):
        await api.patch(at(created["id"]), {"name": f"Name {number}"})
    asked = list[str]()
    watch(monkeypatch, api.parts.log, asked, ["by_command", "position_at", "tenant_of", *READS_OF_CONTENT])
    watch(monkeypatch, api.parts.database, asked, ["fetch"])
    stranger = api.by("ann", tenant="other", roles=("tenant-admin", "system-admin", "eraser"))
    await stranger.post(f"{PATH}/attributes", {"name": "colour", "type": "STRING"})  # its definitions are known then
    for route in CALLS:
        if "{id}" not in route.path:
            continue
        costs = []
        for id, comment_id in ((ABSENT_ID, ABSENT_ID), (created["id"], comment["id"])):
            asked.clear()
            assert (await called(stranger, route, id, comment_id)).status == 404
            costs.append([*asked])
        assert costs[0] == costs[1], route
        assert not any(name in READS_OF_CONTENT for name in costs[1]), route


@both_engines
async def test_whoever_writes_to_another_tenants_incident_waits_for_none_of_its_commands(api: Api) -> None:
    created = await api.report(attributes={"count": 1})
    comment = await api.comment(created["id"])
    stranger = api.by("ann", tenant="other", roles=("tenant-admin", "system-admin", "eraser"))
    lanes = [api.parts.aggregates.lane(UUID(id)) for id in (created["id"], comment["id"])]
    for lane in lanes:
        await lane.acquire()
    async with asyncio.timeout(PATIENCE):
        for route in CALLS:
            if "{id}" in route.path and route.method != "GET":
                assert (await called(stranger, route, created["id"], comment["id"])).status == 404, route
    for lane in lanes:
        lane.release()
    assert (await api.patch(at(created["id"]), {"name": "Renamed"})).status == 200


def watch(monkeypatch: pytest.MonkeyPatch, part: Any, asked: list[str], names: list[str]) -> None:
    """Note each call of these methods, a statement by its text."""

    def noted(name: str, method: Any) -> Any:
        async def call(*arguments: Any, **options: Any) -> Any:
            if name != "fetch":
                asked.append(name)
            elif TABLE.search(arguments[0]):  # of the read models, which nothing else asks for
                asked.append(arguments[0])
            return await method(*arguments, **options)

        return call

    for name in names:
        if inspect.iscoroutinefunction(getattr(part, name)):
            monkeypatch.setattr(part, name, noted(name, getattr(part, name)))
