"""Attributes: what a tenant's deployers define, and the values that incidents have."""

from typing import Any

import orjson

from tests.http.api import ABSENT_ID, PATH, Api, at, incident
from tests.http.conftest import Serve
from tests.http.engines import both_engines

DEFINITIONS = f"{PATH}/attributes"
FIRST = [{"name": "count", "type": "NUMBER"}, {"name": "workflowId", "type": "STRING"}]
TYPES = ("STRING", "INT", "BOOLEAN", "NUMBER", "DATETIME")
ALL_TYPES = {"text": "STRING", "whole": "INT", "flag": "BOOLEAN", "number": "NUMBER", "moment": "DATETIME"}


def defined(**types: str) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in sorted(types.items())]


@both_engines
async def test_a_tenant_begins_with_the_deployments_definitions_and_adds_its_own(api: Api) -> None:
    deployer, other = api.deployer, api.by(tenant="other")
    assert (await api.get(DEFINITIONS)).data == FIRST
    for n, kind in enumerate(TYPES):
        answer = await deployer.post(DEFINITIONS, {"name": f"own_{n}", "type": kind})
        assert (answer.status, answer.data) == (201, {"name": f"own_{n}", "type": kind})
        assert answer.headers["Location"] == f"{DEFINITIONS}/own_{n}"
        assert "Ims-Position" in answer.headers
    own = [{"name": f"own_{n}", "type": kind} for n, kind in enumerate(TYPES)]
    assert (await api.get(DEFINITIONS)).data == [FIRST[0], *own, FIRST[1]]
    assert (await other.get(DEFINITIONS)).data == FIRST
    assert (await api.report(attributes={"own_0": "x"}))["attributes"] == {"own_0": "x"}
    (await other.post(PATH, incident(attributes={"own_0": "x"}))).refused(400, "ATTRIBUTE_UNKNOWN", "attributes.own_0")


async def test_only_a_deployer_may_define_and_retire(serve: Serve) -> None:
    api = await serve(read_only_roles=("auditor", "tenant-admin"))
    body = {"name": "colour", "type": "STRING"}
    for roles in ((), ("operator",), ("auditor",), ("tenant-admin",)):
        (await api.by(roles=roles).post(DEFINITIONS, body)).refused(403, "FORBIDDEN")
        (await api.by(roles=roles).delete(f"{DEFINITIONS}/count")).refused(403, "FORBIDDEN")
    assert (await api.by(roles=("auditor", "system-admin")).post(DEFINITIONS, body)).status == 201
    await api.stop()
    api = await serve(deployer_roles=("chief",))
    assert (await api.by(roles=("chief",)).delete(f"{DEFINITIONS}/colour")).status == 200
    (await api.by(roles=("system-admin",)).post(DEFINITIONS, body)).refused(403, "FORBIDDEN")


async def test_a_definition_is_told_every_fault(api: Api) -> None:
    deployer = api.deployer
    for name in ("", "1a", "_a", "a-b", "a b", "é", "x" * 65, "a.b", "a\n"):
        answer = await deployer.post(DEFINITIONS, {"name": name, "type": "TEXT"})
        assert answer.faults == {("ATTRIBUTE_NAME_INVALID", "name"), ("ATTRIBUTE_TYPE_UNKNOWN", "type")}, name
    answer = await deployer.post(DEFINITIONS, {"name": 1, "type": None, "size": 1})
    assert answer.faults == {("TYPE_INVALID", "name"), ("TYPE_INVALID", "type"), ("MEMBER_UNKNOWN", "size")}
    assert (await deployer.post(DEFINITIONS, {"type": "string"})).faults == {
        ("MEMBER_MISSING", "name"),
        ("ATTRIBUTE_TYPE_UNKNOWN", "type"),
    }
    assert (await deployer.post(DEFINITIONS, {"name": "x" * 64, "type": "STRING"})).status == 201


@both_engines
async def test_a_name_is_defined_once_and_comes_back_only_with_its_old_type(api: Api) -> None:
    deployer = api.deployer
    for name in ("count", "colour"):
        if name == "colour":
            assert (await deployer.post(DEFINITIONS, {"name": name, "type": "INT"})).status == 201
        for kind in TYPES:
            (await deployer.post(DEFINITIONS, {"name": name, "type": kind})).refused(409, "EXISTS_ALREADY", "name")
        old = "NUMBER" if name == "count" else "INT"
        assert (await deployer.delete(f"{DEFINITIONS}/{name}")).data == {"name": name, "type": old}
        (await deployer.delete(f"{DEFINITIONS}/{name}")).refused(404, "NOT_FOUND")
        assert name not in [known["name"] for known in (await api.get(DEFINITIONS)).data]
        assert {"name": name, "type": old} in (await api.get(f"{DEFINITIONS}?retired=true")).data
        assert (await api.get(f"{DEFINITIONS}?retired=false")).data == (await api.get(DEFINITIONS)).data
        (await deployer.post(DEFINITIONS, {"name": name, "type": "STRING"})).refused(409, "EXISTS_ALREADY", "type")
        assert (await deployer.post(DEFINITIONS, {"name": name, "type": old})).status == 201
        assert {"name": name, "type": old} in (await api.get(DEFINITIONS)).data
    (await api.get(f"{DEFINITIONS}?retired=1")).refused(400, "PARAMETER_INVALID", "retired")
    (await deployer.delete(f"{DEFINITIONS}/nothing")).refused(404, "NOT_FOUND")


async def test_a_tenant_has_a_hundred_attributes_at_most(api: Api) -> None:
    deployer = api.deployer
    for n in range(98):
        assert (await deployer.post(DEFINITIONS, {"name": f"a{n}", "type": "INT"})).status == 201
    (await deployer.post(DEFINITIONS, {"name": "more", "type": "INT"})).refused(409, "ATTRIBUTE_LIMIT")
    await deployer.delete(f"{DEFINITIONS}/a0")
    assert (await deployer.post(DEFINITIONS, {"name": "more", "type": "INT"})).status == 201
    everything = {f"a{n}": n for n in range(1, 98)} | {"more": 1, "count": 2, "workflowId": "w"}
    assert (await api.report(attributes=everything))["attributes"] == everything


@both_engines
async def test_retired_values_stay_but_new_ones_are_refused(api: Api) -> None:
    path = at((await api.report(attributes={"count": 1, "workflowId": "w"}))["id"])
    await api.deployer.delete(f"{DEFINITIONS}/count")
    assert (await api.get(path)).data["attributes"] == {"count": 1, "workflowId": "w"}
    for answer in (
        await api.put(f"{path}/attributes", {"name": "count", "value": 2}),
        await api.patch(path, {"attributes": {"count": 2}}),
        await api.put(path, incident(occ_lock=0, attributes={"count": 2})),
        await api.post(PATH, incident(attributes={"count": 1})),
    ):
        assert (answer.status, answer.code) == (400, "ATTRIBUTE_UNKNOWN")
    assert (await api.put(path, incident(occ_lock=0, attributes={"count": 1}))).data["attributes"] == {"count": 1}
    assert (await api.patch(path, {"name": "Renamed"})).data["attributes"] == {"count": 1}
    assert (await api.get(f"{PATH}?attributes.count=1")).data["total"] == 1
    assert (await api.delete(f"{path}/attributes/count")).data["attributes"] is None


async def test_values_take_the_text_form_of_numbers_and_booleans_and_are_stored_typed(serve: Serve) -> None:
    api = await serve(attributes=ALL_TYPES)
    path = at((await api.report())["id"], "attributes")
    for name, value, stored in (
        ("number", "5", "5"), ("number", 5, "5"), ("number", "-5.0", "-5.0"), ("number", 0.1, "0.1"),
        ("number", "1E2", "100.0"), ("number", "0", "0"), ("whole", "7", "7"), ("whole", 2**53 - 1, "9007199254740991"),
        ("whole", "-9007199254740991", "-9007199254740991"), ("flag", "true", "true"), ("flag", False, "false"),
        ("text", "5", '"5"'), ("text", "", '""'), ("text", "true", '"true"'),
        ("text", "\U0001f600" * 1000, '"' + "\U0001f600" * 1000 + '"'),
        ("moment", "2024-11-11T10:00:00.5+08:00", '"2024-11-11T10:00:00.5+08:00"'),
    ):  # fmt: skip
        answer = await api.put(path, {"name": name, "value": value})
        assert orjson.dumps(answer.data["attributes"][name]).decode() == stored, (name, value)
        assert (await api.get(path)).data[name] == answer.data["attributes"][name]


async def test_values_of_another_type_are_refused(serve: Serve) -> None:
    api = await serve(attributes=ALL_TYPES)
    path = at((await api.report())["id"])
    refused: dict[str, list[Any]] = {
        "number": [
            "",
            " 5",
            "5 ",
            "NaN",
            "Infinity",
            "1e400",
            "0x5",
            "05",
            "+5",
            ".5",
            "5.",
            "1_0",
            True,
            "٥",
            "9" * 401,
        ],
        "whole": [2**53, -(2**53), "9007199254740992", 1.5, "1.5", "1e3", "5.0", True, "", "²"],
        "flag": ["True", "TRUE", "1", 1, 0, "", "yes"],
        "text": [5, True, 1.5, "x" * 1001, "a\0b"],
        "moment": ["2024-11-11", 5, "", "2024-02-30T00:00:00Z", True],
    }
    for name, values in refused.items():
        for value in values:
            for answer, field in (
                (await api.put(f"{path}/attributes", {"name": name, "value": value}), "value"),
                (await api.post(PATH, incident(attributes={name: value})), f"attributes.{name}"),
            ):
                assert answer.status == 400, (name, value)
                assert answer.error["field"] == field, (name, value)
    for value in (None, [], {}, [5]):
        (await api.put(f"{path}/attributes", {"name": "number", "value": value})).refused(400, "TYPE_INVALID", "value")
        (await api.post(PATH, incident(attributes={"number": value}))).refused(400, "TYPE_INVALID", "attributes.number")
    assert (await api.post(PATH, incident(attributes=[1]))).refused(400, "TYPE_INVALID", "attributes")
    assert (await api.get(path)).data["occ_lock"] == 0


@both_engines
async def test_post_sets_a_value_once_and_put_any_time_and_delete_takes_it_away(api: Api) -> None:
    path = at((await api.report())["id"])
    assert (await api.get(f"{path}/attributes")).data == {}
    added = await api.post(f"{path}/attributes", {"name": "count", "value": 1})
    assert (added.status, added.data["occ_lock"], added.data["attributes"]) == (200, 1, {"count": 1})
    error = (await api.post(f"{path}/attributes", {"name": "count", "value": 1})).refused(409, "EXISTS_ALREADY", "name")
    assert error["message"]
    assert (await api.put(f"{path}/attributes", {"name": "workflowId", "value": "w"})).data["occ_lock"] == 2
    assert (await api.put(f"{path}/attributes", {"name": "count", "value": 2, "occ_lock": 2})).data["occ_lock"] == 3
    stale = {"name": "count", "value": 3, "occ_lock": 2}
    (await api.put(f"{path}/attributes", stale)).refused(409, "LOCK_STALE", "occ_lock")
    again = await api.put(f"{path}/attributes", {"name": "count", "value": "2"})
    assert (again.data["occ_lock"], "Ims-Position" in again.headers) == (3, False)
    assert (await api.get(f"{path}/attributes")).data == {"count": 2, "workflowId": "w"}
    (await api.delete(f"{path}/attributes/count?occ_lock=2")).refused(409, "LOCK_STALE", "occ_lock")
    removed = (await api.delete(f"{path}/attributes/count")).data
    assert (removed["occ_lock"], removed["attributes"]) == (4, {"workflowId": "w"})
    (await api.delete(f"{path}/attributes/count")).refused(404, "NOT_FOUND")
    (await api.delete(f"{path}/attributes/nothing")).refused(404, "NOT_FOUND")
    assert (await api.delete(f"{path}/attributes/workflowId", {"occ_lock": 4})).data["attributes"] is None


async def test_an_attribute_that_is_not_defined_is_refused_with_those_that_are(api: Api) -> None:
    path = at((await api.report())["id"], "attributes")
    for name in ("size", "", "Count", "count ", "\U0001f600", "x" * 10_000, "__class__"):
        error = (await api.put(path, {"name": name, "value": 1})).refused(400, "ATTRIBUTE_UNKNOWN", "name")
        assert "count, workflowId" in error["message"]
    for body in ({}, {"name": "count"}, {"value": 1}, {"name": 1, "value": 1}):
        assert (await api.put(path, body)).status == 400


async def test_a_definition_that_another_process_made_is_known_at_once(postgres_dsn: str, serve: Serve) -> None:
    first, second = [await serve(database_url=postgres_dsn) for _ in range(2)]
    await second.report(attributes={"count": 1})
    await first.deployer.post(DEFINITIONS, {"name": "colour", "type": "STRING"})
    assert (await second.report(attributes={"colour": "red"}))["attributes"] == {"colour": "red"}


async def test_there_are_no_attributes_of_an_incident_that_is_absent(api: Api) -> None:
    for answer in (
        await api.get(at(ABSENT_ID, "attributes")),
        await api.post(at(ABSENT_ID, "attributes"), {"name": "count", "value": 1}),
        await api.put(at(ABSENT_ID, "attributes"), {"name": "count", "value": 1}),
        await api.delete(at(ABSENT_ID, "attributes", "count")),
    ):
        answer.refused(404, "NOT_FOUND")
