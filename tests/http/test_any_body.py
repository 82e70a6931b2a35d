"""Whatever JSON is sent to whatever write: an answer of the contract's shape, and never a fault of the service."""

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.rules import DETAILS
from service.http.faults import MAX_FAULTS
from service.http.models import SERVER_MEMBERS
from service.http.routes import ROUTES
from service.http.statuses import CODES
from tests.http.api import DEPLOYER, PATH, Api, at, incident

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
integers = st.integers(-(2**63), 2**64 - 1) | st.integers(-2, 2)
leaves = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts
json = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6
)
MEMBERS = sorted({*DETAILS, *SERVER_MEMBERS, "attributes", "occ_lock", "text", "value", "id"})
moments = st.sampled_from(["2024-11-11T10:57:27+08:00", "1000-01-01T00:00:00Z", "2999-12-31T23:59:59.999999999Z"])
likely: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["workflowId", "count", "Name"]) | texts,
    "status": st.sampled_from(["NEW", "OPEN"]),
    "type": st.sampled_from(["OTHERS", "STRING", "INT"]),
    "date": moments,
    "resolved_date": moments,
    "value": st.sampled_from(["5", "w", 5, True]) | leaves,
    "attributes": st.dictionaries(st.sampled_from(["workflowId", "count", "x"]), leaves, max_size=3),
    "occ_lock": st.integers(0, 3),
}
bodies = st.one_of(
    json,
    st.dictionaries(st.sampled_from(MEMBERS) | texts, json, max_size=6),
    st.fixed_dictionaries({}, optional={name: likely.get(name, texts) | leaves for name in MEMBERS}),
    st.fixed_dictionaries({}, optional={name: likely.get(name, texts) | leaves for name in DETAILS}).map(
        lambda some: incident(**some)
    ),
)
queries = st.sampled_from(["", "", "", "?occ_lock=0", "?id=x", "?occ_lock=%00", "?x=1"])
headers = st.dictionaries(
    st.sampled_from(["If-Match", "Idempotency-Key"]), st.sampled_from(['"0"', "*", "k", "", '"x"', "\xff"]), max_size=2
)
WRITES = [route for route in ROUTES if route.listed and route.method != "GET"]


@pytest.mark.parametrize("deleted", [False, True])
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
async def test_any_json_to_any_write_is_answered_by_the_contract(api: Api, deleted: bool, data: st.DataObject) -> None:
    api = api.by(roles=(*DEPLOYER, "eraser"))
    id = (await api.report(attributes={"workflowId": "w"}))["id"]
    comment = (await api.comment(id))["id"]
    if deleted:
        await api.delete(at(id))
    route = data.draw(st.sampled_from(WRITES))
    body, query, sent = data.draw(bodies), data.draw(queries), data.draw(headers)
    path = route.path.format(id=id, comment_id=comment, name="nothing") + query
    answer = await api.send(route.method, path, body, headers=sent)
    if answer.status in (200, 201):
        assert set(answer.body) == {"data", "sent_at"}
        if not (
            deleted or route.role == "erase" or route.path.startswith(f"{PATH}/attributes") or "comments" in route.path
        ):
            read = await api.get(at(answer.data["id"]))
            assert (
                read.status == 404
                if route.method == "DELETE" and route.path == at("{id}")
                else read.data == answer.data
            )
        return
    assert answer.status in (400, 404, 409, 412, 422), (answer.status, answer.raw)
    shape = answer.body
    assert set(shape) - {"errors_total"} == {"message", "errors", "sent_at", "trace_id"}
    assert shape.get("errors_total", MAX_FAULTS + 1) > len(shape["errors"])
    for error in shape["errors"]:
        assert error["code"] in CODES
        assert CODES[error["code"]].startswith(str(answer.status))
        assert isinstance(error["message"], str)
        assert isinstance(error.get("field", ""), str)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(body=st.binary(max_size=200), content=st.sampled_from(["application/json", "text/plain", "text/html", ""]))
async def test_any_bytes_are_answered_by_the_contract(api: Api, body: bytes, content: str) -> None:
    answer = await api.post(PATH, data=body, headers={"Content-Type": content})
    assert answer.status in (400, 415), answer.raw
    assert set(answer.body) == {"message", "errors", "sent_at", "trace_id"}


QUERY_NAMES = [
    "page", "size", "sort", "cursor", "status", "type", "severity", "reported_by", "backdated", "date_from", "date_to",
    "created_from", "updated_to", "q", "attributes.count", "attributes.workflowId", "attributes.x", "retired",
]  # fmt: skip
values = texts | st.sampled_from(["1", "true", "name,asc", "2024-11-11T10:57:27Z", "NEW", "a*", "%", "_", "\\", "\0"])


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(query=st.lists(st.tuples(st.sampled_from(QUERY_NAMES), values), max_size=4))
async def test_any_query_is_answered_by_the_contract(api: Api, query: list[tuple[str, str]]) -> None:
    answer = await api.get(f"{PATH}?{urlencode(query)}")
    assert answer.status in (200, 400), answer.raw
    assert set(answer.body) - {"page"} in ({"data", "sent_at"}, {"message", "errors", "sent_at", "trace_id"})
