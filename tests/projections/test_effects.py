"""What each event does to the read models."""

from collections import Counter
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import orjson

from domain.attribute_schema import AttributeSchema, schema_id
from domain.attribute_types import comparable
from domain.event import Act, Recorded, fold
from domain.incident import Incident
from domain.moments import utc_text
from projections.documents import comment_document, incident_document
from projections.listing import NEWEST_FIRST, Filter
from tests.domain.examples import (
    ANN,
    BOB,
    BREACH,
    COMMENT_ID,
    DEFAULTS,
    INCIDENT_ID,
    ONE_OF_EACH,
    TENANT,
    added,
    attribute_removed,
    attribute_set,
    comment_edited,
    comment_removed,
    defined,
    deleted,
    edited,
    event,
    reported,
    restored,
    retired,
)
from tests.projections.building import Building, documents

EVERYTHING = Filter()


async def incident(build: Building) -> dict[str, Any] | None:
    found = await build.models().incidents.get(build.engine.database, TENANT, str(INCIDENT_ID))
    if found is None:
        return None
    document: dict[str, Any] = orjson.loads(found[1])
    assert document["occ_lock"] == found[0]
    return document


async def total(build: Building) -> int:
    page = await build.models().incidents.current.page(build.engine.database, TENANT, EVERYTHING, NEWEST_FIRST, 10)
    assert page.total == page.count
    return page.total


async def fresh_count(build: Building) -> Counter[tuple[str, ...]]:
    rows = (await build.dump())["incidents"]
    columns = ("tenant_id", "id", "deleted", "occ_lock", "name", "status", "type", "severity")
    named = [dict(zip(columns, row, strict=False)) for row in rows]
    return Counter(
        (row["tenant_id"], row["status"], row["type"], row["severity"]) for row in named if not row["deleted"]
    )


async def kept_count(build: Building) -> dict[tuple[str, ...], int]:
    return {tuple(key): n for *key, n in (await build.dump())["counts"]}


async def test_a_reported_incident_is_there_as_its_fold_has_it(build: Building) -> None:
    facts = await build.record(reported({"count": 5}))
    await build.catch_up()
    assert await incident(build) == incident_document(fold(facts))
    assert await total(build) == 1


async def test_an_incident_is_as_a_fold_has_it_after_each_event(build: Building) -> None:
    history = (
        reported({"count": 5}),
        edited(1, name=("Another Security Breach", "Breach"), attributes__count=(5, None)),
        attribute_set(2, "workflowId", None, "w-1"),
        edited(3, resolved_date=(None, "2025-01-01T00:00:00Z"), attributes__workflowId=("w-1", "w-2")),
        attribute_removed(4, "workflowId", "w-2"),
        edited(5, severity=("", "HIGH"), attributes__count=(None, 6)),
    )
    facts: list[Recorded] = []
    for happened in history:
        facts += await build.record(happened)
        await build.catch_up()
        assert await incident(build) == incident_document(fold(facts))
        rows = (await build.dump())["attributes"]
        searchable = {name: comparable(value) for name, value in fold(facts).attributes.items()}
        assert {name: value for _, _, name, value, *_ in rows} == searchable


async def test_a_deleted_incident_is_hidden_and_comes_back_with_its_comments(build: Building) -> None:
    async def comments() -> Any:
        return await build.models().comments.page(build.engine.database, TENANT, str(INCIDENT_ID), 10)

    facts = await build.record(reported(), added())
    await build.catch_up()
    before, commented = await incident(build), await comments()
    assert before is not None
    assert commented[0] == 1

    facts += await build.record(deleted(1))
    await build.catch_up()
    assert await incident(build) is None
    assert await comments() is None
    assert await total(build) == 0
    assert await kept_count(build) == {}

    facts += await build.record(restored(2))
    await build.catch_up()
    assert await incident(build) == incident_document(fold(fact for fact in facts if fact.event.TOPIC[0] == "I"))
    assert await comments() == commented
    assert await total(build) == 1


async def test_a_comment_is_as_its_fold_has_it_and_leaves_when_it_is_removed(build: Building) -> None:
    first = await build.record(reported(), added())
    await build.catch_up()
    second = await build.record(comment_edited(1, "Looking into it.", "Found it."))
    await build.catch_up()
    assert documents((await build.dump())["comments"]) == [comment_document(fold([first[1], *second]))]
    await build.record(comment_removed(2, "Found it."))
    await build.catch_up()
    assert (await build.dump())["comments"] == []


async def test_comments_are_listed_oldest_first_and_keep_their_place_when_they_are_edited(build: Building) -> None:
    others = [replace(added(text), originator_id=uuid4()) for text in ("one", "two", "three")]
    await build.record(reported(), *others)
    await build.catch_up()
    change = replace(comment_edited(1, "one", "one, edited"), originator_id=others[0].originator_id)
    await build.record(change)
    await build.catch_up()
    page = await build.models().comments.page(build.engine.database, TENANT, str(INCIDENT_ID), 2)
    assert page is not None
    assert page[0] == 3
    assert [orjson.loads(document)["text"] for document, _ in page[1]] == ["one, edited", "two"]
    rest = await build.models().comments.page(build.engine.database, TENANT, str(INCIDENT_ID), 2, after=page[1][-1][1])
    assert rest is not None
    assert [orjson.loads(document)["text"] for document, _ in rest[1]] == ["three"]


async def test_definitions_lie_over_the_defaults(build: Building) -> None:
    async def names(*, with_retired: bool) -> dict[str, str]:
        database, models = build.engine.database, build.models()
        found = await models.definitions.of(database, TENANT, DEFAULTS, retired=with_retired)
        assert [row["name"] for row in found] == sorted(row["name"] for row in found)
        return {row["name"]: row["type"] for row in found}

    await build.record(defined(0, "people", "INT"), retired(1, "count", "NUMBER"))
    await build.catch_up()
    assert await names(with_retired=False) == {"people": "INT", "workflowId": "STRING"}
    assert await names(with_retired=True) == {"people": "INT", "workflowId": "STRING", "count": "NUMBER"}
    await build.record(retired(2, "people", "INT"), defined(3, "count", "NUMBER"), defined(4, "people", "INT"))
    await build.catch_up()
    assert await names(with_retired=False) == {"people": "INT", "workflowId": "STRING", "count": "NUMBER"}


async def test_another_tenant_sees_nothing(build: Building) -> None:
    await build.record(*ONE_OF_EACH[:4], added(), defined(0, "people", "INT"))
    await build.catch_up()
    models, database = build.models(), build.engine.database
    assert await models.incidents.get(database, "other", str(INCIDENT_ID)) is None
    assert (await models.incidents.current.page(database, "other", EVERYTHING, NEWEST_FIRST, 10)).total == 0
    assert await models.incidents.tally(database, "other") == []
    assert await models.comments.page(database, "other", str(INCIDENT_ID), 10) is None
    assert await models.definitions.of(database, "other", {}) == []


async def test_counts_always_equal_a_fresh_count(build: Building) -> None:
    def of(number: int) -> UUID:
        return UUID(int=number)

    def born(number: int, by: Act = ANN, **details: Any) -> Incident.IncidentReported:
        return replace(reported(by=by, **details), originator_id=of(number))

    other = ANN._replace(tenant_id="other")
    history = [
        born(1, status="NEW", severity="HIGH"),
        born(2, status="OPEN", type="SECURITY"),
        born(3, other),
        replace(edited(1, status=("NEW", "OPEN")), originator_id=of(1)),
        replace(deleted(1), originator_id=of(2)),
        replace(edited(2, severity=("HIGH", "")), originator_id=of(1)),
        replace(restored(2), originator_id=of(2)),
        replace(deleted(1, BOB._replace(tenant_id="other")), originator_id=of(3)),
        replace(edited(3, type=("SECURITY", "OTHERS"), status=("OPEN", "CLOSED")), originator_id=of(2)),
        replace(deleted(3), originator_id=of(1)),
    ]
    for happened in history:  # one at a time, and then (in a rebuild) all of them at once
        await build.record(happened)
        await build.catch_up()
        assert await kept_count(build) == await fresh_count(build)
    assert await kept_count(build) == {(TENANT, "CLOSED", "OTHERS", ""): 1}


async def test_what_is_shown_of_times_is_when_the_log_recorded_it(sqlite: Building) -> None:
    facts = await sqlite.record(reported(), edited(1, name=(BREACH["name"], "x")), added())
    await sqlite.catch_up()
    document = await incident(sqlite)
    assert document is not None
    assert [document["created_at"], document["updated_at"]] == [utc_text(fact.recorded_at) for fact in facts[:2]]
    assert [document["created_by"], document["updated_by"]] == ["Ann", "Bob"]


async def test_a_tenant_s_schema_is_no_incident(sqlite: Building) -> None:
    by = ANN._replace(tenant_id="other")
    await sqlite.record(
        event(AttributeSchema.AttributeDefined, schema_id("other"), 0, by, name="people", type="INT"),
        replace(added(), originator_id=COMMENT_ID),
    )
    await sqlite.catch_up()
    assert (await sqlite.dump())["incidents"] == []


async def test_every_code_that_an_incident_ever_had_is_known_however_many_events_came_at_once(build: Building) -> None:
    await build.record(
        reported(), edited(1, status=("NEW", "CLOSED")), edited(2, status=("CLOSED", "OPEN")), deleted(3),
        replace(reported(status="RESOLVED"), originator_id=uuid4()),
    )  # fmt: skip
    await build.catch_up()
    codes = await build.models().incidents.codes(build.engine.database, TENANT)
    assert codes == {"status": {"NEW", "CLOSED", "OPEN", "RESOLVED"}, "type": {"OTHERS"}, "severity": {""}}
    assert await build.models().incidents.codes(build.engine.database, "another") == {
        "status": set(), "type": set(), "severity": set(),
    }  # fmt: skip
