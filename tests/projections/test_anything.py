"""What the domain accepts, every read model on either engine stores, and gives back exactly as it was."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.attribute_types import AttributeType, coerce, moment_of
from domain.comment import Comment
from domain.errors import Fault, Invalid
from domain.event import Kept, fold
from domain.incident import Incident
from domain.moments import instant
from projections.documents import comment_document, incident_document
from projections.folding import name_key
from projections.incident_attributes import value_key
from projections.listing import NEWEST_FIRST, Filter
from projections.words import parts_of
from tests.domain.examples import ANN, BREACH, CODES
from tests.projections.anything import TYPES, attributes, comments, details
from tests.projections.building import Building

QUIETLY = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=20, deadline=None, suppress_health_check=QUIETLY)
@given(first=details, second=details, some=attributes, others=attributes, text=comments, name=comments)
async def test_whatever_is_accepted_comes_back_exactly(
    build: Building, first: Any, second: Any, some: Any, others: Any, text: str, name: str
) -> None:
    tenant = uuid4().hex
    by = ANN._replace(tenant_id=tenant, user_name=name[:50])
    incident = Incident.report(by, uuid4(), first, some, CODES, TYPES)
    incident.edit(by, second, others, 0, CODES, TYPES)
    reverted = deepcopy(incident)
    reverted.revert(by, 0, Incident.report(by, incident.id, first, some, CODES, TYPES), 1)
    comment = Comment.add(by, uuid4(), incident.id, text)
    facts = await build.record(*_new(incident), *_new(comment))
    await build.catch_up()

    expected = incident_document(fold(facts[:2]))
    models, database = build.models(), build.engine.database
    found = await models.incidents.get(database, tenant, str(incident.id))
    assert found is not None
    document = orjson.loads(found[1])
    assert document == expected
    assert {member: document[member] for member in second} == second
    assert document["attributes"] == (_coerced(others) or None)
    assert _types(document["attributes"]) == _types(_coerced(others) or None)
    page = await models.comments.page(database, tenant, str(incident.id), 10)
    assert page is not None
    assert orjson.loads(page[1][0][0]) == comment_document(fold(facts[2:]))

    # It is found by each of its values, and as a rebuild would have it.
    for wanted in _filters(document):
        listed = await models.incidents.current.page(database, tenant, wanted, NEWEST_FIRST, 10)
        assert orjson.loads(listed.documents) == expected, wanted
        assert listed.total == 1

    # And each version is kept as it was.
    back = await build.record(*_new(reverted)[2:])
    await build.catch_up()
    facts = [*facts[:2], *back]
    versions = await models.incidents.past.versions(database, tenant, str(incident.id), [0, 1, 2, 3])
    assert [orjson.loads(versions[number].document) for number in range(len(facts))] == [
        incident_document(fold(facts[: number + 1])) for number in range(len(facts))
    ]
    assert len(versions) == len(facts)
    then = models.incidents.past.as_of(facts[1].position, facts[1].recorded_at, deleted_since=False)
    for wanted in _filters(document):
        assert orjson.loads((await then.page(database, tenant, wanted, NEWEST_FIRST, 10)).documents) == expected


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "a\0b"),
        ("name", "\ud800"),
        ("description", "x" * 20_001),
        ("description", "\U0001f600" * 20_001),
        ("date", "0001-01-01T00:00:00Z"),
        ("date", "9999-12-31T23:59:59Z"),
        ("date", "1000-01-01T00:00:00+00:01"),
        ("date", "2999-12-31T23:59:59-00:01"),
        ("resolved_date", "9999-12-31T23:59:59Z"),
        ("next_update", 2**70),
        ("next_update", -1),
        ("next_update", True),
    ],
)
def test_what_cannot_be_stored_is_refused_before(member: str, value: Any) -> None:
    with pytest.raises(Invalid):
        Incident.report(ANN, uuid4(), {**BREACH, member: value}, {}, CODES, TYPES)


@given(value=st.floats() | st.integers() | st.text() | st.binary().map(repr), kind=st.sampled_from(AttributeType))
def test_a_value_that_was_coerced_is_one_that_json_keeps(value: Any, kind: AttributeType) -> None:
    stored = coerce(kind, value)
    if not isinstance(stored, Fault):
        kept = orjson.loads(orjson.dumps(stored))
        assert (kept, type(kept)) == (stored, type(stored))
        assert isinstance(coerce(kind, stored), type(stored))


def _new(aggregate: Kept) -> list[Any]:
    return list(aggregate.collect_events())


def _coerced(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: coerce(TYPES[name], value) for name, value in values.items()}


def _types(values: Mapping[str, Any] | None) -> dict[str, type]:
    return {name: type(value) for name, value in (values or {}).items()}


def _filters(document: Mapping[str, Any]) -> list[Filter]:
    return [
        Filter(any_of={"reported_by": [name_key(document["reported_by"]), "'"]}),
        Filter(any_of={"status": [document["status"]], "severity": [document["severity"]]}),
        Filter(backdated=document["backdated"]),
        Filter(ranges=[("date", instant(document["date"]), None)]),
        Filter(words=parts_of(document["name"].split()[0])),
        *(
            Filter(
                attributes=[(name, "moment", moment_of(value)) if name == "at" else (name, "value", value_key(value))]
            )
            for name, value in (document["attributes"] or {}).items()
        ),
    ]
