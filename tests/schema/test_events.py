"""Every event that is published fits the schema of its type, in both documents, which are made of the same models."""

import re
from typing import Any
from uuid import uuid4

import httpx
import jsonschema_rs
import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from domain.comment import Comment
from domain.event import Fact
from domain.incident import Incident
from projections.cloud_events import CloudEvents
from projections.states import TOPICS
from service.http.asyncapi import document
from service.http.event_models import EVENTS
from service.http.events import frame_of
from tests.domain.examples import ANN, CODES, ONE_OF_EACH
from tests.projections.anything import TYPES, attributes, comments, details
from tests.projections.histories import long_history
from tests.projections.test_cloud_events import LOG_ID, Past, erased, published, recorded, states_by_replay
from tests.schema.document import DOCUMENT
from tests.servers.process import ServiceProcess

ASYNCAPI = document()
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def validator(type: str, of: dict[str, Any]) -> jsonschema_rs.Validator:
    name = EVENTS[type].__name__
    schema = {"$schema": DIALECT, "$ref": f"#/components/schemas/{name}", "components": of["components"]}
    return jsonschema_rs.validator_for(schema)


VALIDATORS = {type: [validator(type, ASYNCAPI), validator(type, DOCUMENT)] for type in TOPICS}


def check(events: list[Any]) -> set[str]:
    """Fails unless each fits its type's schema, and no other type's; returns the types."""
    for event in events:
        for type, validators in VALIDATORS.items():
            for one in validators:
                if type == event["type"]:
                    one.validate(event)
                else:
                    assert not one.is_valid(event)
    return {event["type"] for event in events}


async def test_each_type_fits_its_schema() -> None:
    assert check(await published(recorded(*ONE_OF_EACH))) == set(TOPICS)


async def test_long_histories_fit() -> None:
    check(await published(recorded(*long_history(300))))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(first=details, second=details, some=attributes, others=attributes, text=comments, name=comments)
async def test_whatever_the_domain_accepts_fits_and_stands_in_one_line(
    first: Any, second: Any, some: Any, others: Any, text: str, name: str
) -> None:
    by = ANN._replace(user_id=name[:255], user_name=name[:50])
    incident = Incident.report(by, uuid4(), first, some, CODES, TYPES)
    incident.edit(by, second, others, 0, CODES, TYPES)
    comment = Comment.add(by, uuid4(), incident.id, text)
    happened: list[Any] = [*incident.collect_events(), *comment.collect_events()]
    facts = recorded(*happened)
    told = await CloudEvents(orjson, LOG_ID, Past(facts)).of(facts)
    events = [orjson.loads(event.event) for event in told]
    check(events)
    assert [event["data"]["state"] for event in events] == states_by_replay(facts)
    for event in told:
        id, type, data, end = frame_of(event).decode().splitlines()  # at every line break that Unicode has
        assert (id, type, end) == (f"id: {event.position}", f"event: {event.type}", "")
        assert orjson.loads(data.removeprefix("data: ")) == orjson.loads(event.event)


async def test_what_was_erased_fits() -> None:
    facts: list[Fact] = list(recorded(*ONE_OF_EACH))
    gone: list[Fact] = [erased(fact) for fact in facts]  # type: ignore[arg-type]
    assert check(await published(gone)) == set(TOPICS)
    mixed = [gone[0], *facts[1:6]]
    events = [orjson.loads(event.event) for event in await CloudEvents(orjson, LOG_ID, Past(mixed)).of(mixed)]
    assert check(events)
    assert [event["data"].get("state", ...) for event in events] == [..., None, None, None, None, None]


@pytest.mark.parametrize("spoilt", ["specversion", "id", "time", "traceparent", "data", "logid", "sequence"])
async def test_the_schemas_notice_what_is_wrong(spoilt: str) -> None:
    (event,) = await published(recorded(ONE_OF_EACH[0]))
    wrong = {**event, spoilt: "wrong" if spoilt != "logid" else 7}
    assert not any(one.is_valid(wrong) for one in VALIDATORS[event["type"]])
    strange = {**event, "stranger": 1}
    assert not any(one.is_valid(strange) for one in VALIDATORS[event["type"]])


def test_every_reference_leads_somewhere() -> None:
    references = re.findall(r"'\$ref': '#/([^']+)'", str(ASYNCAPI))
    assert len(references) > 2 * len(TOPICS)
    for reference in references:
        place: Any = ASYNCAPI
        for step in reference.split("/"):
            place = place[step]


def test_it_is_asyncapi_3() -> None:
    """The parts that AsyncAPI 3.0.0 requires, and no channel without messages, no message without a payload."""
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= ASYNCAPI["info"].keys()
    assert {channel["address"] for channel in ASYNCAPI["channels"].values()} == {
        "ims:events", "ims:events:{tenant}", "/v1/events/stream",
    }  # fmt: skip
    for channel in ASYNCAPI["channels"].values():
        assert channel["messages"].keys() == TOPICS.keys()
        assert set(re.findall(r"{(\w+)}", channel["address"])) == channel.get("parameters", {}).keys()
    for operation in ASYNCAPI["operations"].values():
        assert operation["action"] == "send"
    assert ASYNCAPI["components"]["messages"].keys() == TOPICS.keys()
    for schema in ASYNCAPI["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema | {"$schema": DIALECT})


def test_the_service_serves_it(service: ServiceProcess) -> None:
    answer = httpx.get(f"{service.url}/asyncapi.json")
    assert answer.json() == ASYNCAPI
    tag = answer.headers["ETag"]
    assert httpx.get(f"{service.url}/asyncapi.json", headers={"If-None-Match": tag}).status_code == 304
