"""A request with thousands of faults: the answer shows some, counts all, and says what is long once."""

from typing import Any

import orjson
import pytest

from domain.attribute_types import MAX_LISTED
from service.http.bodies import MAX_BODY
from service.http.faults import MAX_FAULTS
from tests.http.api import ABSENT_ID, PATH, Answer, Api, at, incident
from tests.http.conftest import Serve

MAX_ANSWER = 20_000
"""Bytes of an answer that shows as much as it may."""


def counted(answer: Answer, total: int) -> list[dict[str, Any]]:
    """The errors that are shown."""
    assert answer.status == 400
    body = answer.body
    assert body["errors_total"] == total
    assert body["message"] == f"The request is not valid: {total} faults, the first {MAX_FAULTS} are shown."
    assert len(body["errors"]) == MAX_FAULTS
    assert len(answer.raw) < MAX_ANSWER
    return list(body["errors"])


@pytest.fixture
async def api(serve: Serve) -> Api:
    names = ",".join(f"{'x' * 50}_{number}:STRING" for number in range(100))
    return await serve(attributes=names)


async def test_filters_by_attributes_that_nobody_defined(api: Api) -> None:
    query = "&".join(f"attributes.a{number}=1" for number in range(400))
    errors = counted(await api.get(f"{PATH}?{query}"), 400)
    assert {error["code"] for error in errors} == {"ATTRIBUTE_UNKNOWN"}
    assert [error["field"] for error in errors[:2]] == ["attributes.a0", "attributes.a1"]
    assert errors[0]["message"].count("x_") == MAX_LISTED
    assert {error["message"] for error in errors[1:]} == {"see the message for attributes.a0"}


async def test_parameters_that_nobody_knows(api: Api) -> None:
    query = "&".join(f"a{number}=1" for number in range(900))
    for path in (PATH, "/v1/events", at(ABSENT_ID), at(ABSENT_ID, "history"), f"{PATH}/attributes"):
        errors = counted(await api.get(f"{path}?{query}"), 900)
        assert {error["code"] for error in errors} == {"PARAMETER_UNKNOWN"}


async def test_a_body_of_members_that_nobody_knows(api: Api) -> None:
    members = {f"a{number}": 1 for number in range(60_000)}
    body = orjson.dumps(members | incident())
    assert len(body) < MAX_BODY
    for method, path in (("POST", PATH), ("PATCH", at(ABSENT_ID)), ("POST", at(ABSENT_ID, "comments"))):
        sent = body if method == "POST" and path == PATH else orjson.dumps(members | {"text": "x"})
        total = 60_000 + (method == "PATCH")
        errors = counted(await api.send(method, path, data=sent), total)
        assert {error["code"] for error in errors} == {"MEMBER_UNKNOWN"}
    assert await api.ids() == []
    (await api.delete(at(ABSENT_ID), members)).refused(404, "NOT_FOUND")  # where other members are ignored


async def test_values_of_attributes_that_nobody_defined(api: Api) -> None:
    errors = counted(await api.post(PATH, incident(attributes={f"a{number}": 1 for number in range(1_000)})), 1_000)
    assert len({error["message"] for error in errors}) == 2


async def test_as_many_as_are_shown_are_not_counted(api: Api) -> None:
    answer = await api.get(f"{PATH}?" + "&".join(f"a{number}=1" for number in range(MAX_FAULTS)))
    assert len(answer.body["errors"]) == MAX_FAULTS
    assert "errors_total" not in answer.body
    assert answer.body["message"] == "The request is not valid."
