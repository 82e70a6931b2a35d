"""Deciding may refuse, applying never does: what was accepted replays the same, whatever the rules are by then."""

from copy import deepcopy
from typing import Any
from unittest.mock import patch
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attribute_schema import AttributeSchema
from domain.attribute_types import AttributeType
from domain.codes import Codes
from domain.comment import Comment
from domain.errors import Fault, Refused
from domain.event import Act, ActEvent, Recorded, fold
from domain.incident import Incident
from domain.rules import DETAILS
from tests.domain.examples import ANN, BOB, BREACH, CODES, DEFAULTS, DEFINITIONS, FEWER_CODES, NOON, OUTAGE, SCHEMA_ID

INCIDENT, COMMENT = UUID(int=1), UUID(int=2)
NO_CODES = Codes(status=(), type=(), severity=())

texts = st.text(max_size=8)
json = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
moments = st.sampled_from(["2024-11-11T10:57:27+08:00", "1000-01-01T00:00:00Z", "2999-12-31T23:59:59.999999999Z"])
members: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("name", "description", "reported_by", "location"), texts),
    **{table: st.sampled_from(getattr(CODES, table)) for table in ("status", "type", "severity")},
    "date": moments,
    "resolved_date": moments | st.none(),
    "next_update": st.integers(-1, 2**40),
    "backdated": st.booleans(),
}
details = st.fixed_dictionaries({}, optional=members).map(lambda some: {**OUTAGE, **some})
names = st.sampled_from([*DEFINITIONS, "colour"])
values = st.one_of(json, moments, st.sampled_from(["5", "-5.0", "true"]))
attributes = st.dictionaries(names, values, max_size=3)
patches = st.fixed_dictionaries({}, optional={**members, "attributes": st.none() | attributes})
locks = st.none() | st.integers(0, 6)
people = st.sampled_from([ANN, BOB])

calls = st.one_of(
    st.tuples(st.just("edit"), details, st.none() | attributes, locks),
    st.tuples(st.just("patch"), patches, locks),
    st.tuples(st.just("set_attribute"), names, values, locks, st.booleans()),
    st.tuples(st.just("remove_attribute"), names, locks),
    st.tuples(st.just("delete"), locks),
    st.tuples(st.just("restore"), locks),
    st.tuples(st.just("revert"), st.integers(0, 6), locks),
)


def command(
    incident: Incident, by: Act, call: tuple[Any, ...], codes: Codes, definitions: Any, events: list[Any]
) -> None:
    match call:
        case ("revert", version, lock):
            past = fold(Recorded(event, n, NOON, b"") for n, event in enumerate(events[: version + 1], start=1))
            incident.revert(by, version, past, lock)
        case ("edit", all_details, some, lock):
            incident.edit(by, all_details, some, lock, codes, definitions)
        case ("patch", members, lock):
            incident.patch(by, members, lock, codes, definitions)
        case ("set_attribute", name, value, lock, new):
            incident.set_attribute(by, name, value, lock, definitions, new=new)
        case (verb, *arguments):
            getattr(incident, verb)(by, *arguments)


def replays(events: list[ActEvent], live: Any) -> None:
    """By a release whose rules refuse everything."""
    forbidden = Fault("FORBIDDEN", "nothing is allowed any more")
    with (
        patch.dict(DETAILS, {member: lambda _: forbidden for member in DETAILS}),
        patch("domain.comment.COMMENT_TEXT", lambda _: forbidden),
        patch("domain.attribute_schema.MAX_DEFINITIONS", 0),
        patch("domain.attribute_types.is_attribute_name", lambda _: False),
    ):
        again = fold(Recorded(event, n, NOON, b"") for n, event in enumerate(events, start=1))
    assert again == live


@settings(deadline=None)
@given(details, attributes, st.lists(st.tuples(people, calls, st.booleans()), max_size=8))
def test_an_incident(first: Any, values: Any, commands: list[tuple[Act, tuple[Any, ...], bool]]) -> None:
    try:
        incident = Incident.report(ANN, INCIDENT, first, values, CODES, DEFINITIONS)
    except Refused:
        incident = Incident.report(ANN, INCIDENT, BREACH, {}, CODES, DEFINITIONS)
    incident.recorded(NOON)
    events = list(incident.collect_events())
    for by, call, tightened in commands:
        before, version = deepcopy(incident), incident.version
        try:
            command(incident, by, call, *((FEWER_CODES, {}) if tightened else (CODES, DEFINITIONS)), events)
        except Refused:
            assert incident == before
        new = list(incident.collect_events())
        assert incident.version == version + len(new) <= version + 1
        assert call[0] != "edit" or new or incident == before
        incident.recorded(NOON)
        events += new
    replays(events, incident)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.lists(st.tuples(people, st.sampled_from(["edit", "remove"]), texts, locks, st.booleans()), max_size=6))
def test_a_comment(commands: list[tuple[Act, str, str, int | None, bool]]) -> None:
    comment = Comment.add(ANN, COMMENT, INCIDENT, "first")
    for by, verb, text, lock, moderator in commands:
        comment.recorded(NOON)
        before = deepcopy(comment)
        try:
            if verb == "edit":
                comment.edit(by, text, lock, moderator=moderator)
            else:
                comment.remove(by, lock, moderator=moderator)
        except Refused:
            assert comment == before
    comment.recorded(NOON)
    replays(list(comment.collect_events()), comment)  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "count", "1"]), st.sampled_from([None, *AttributeType, "TEXT"])),
        max_size=8,
    )
)
def test_a_schema(commands: list[tuple[str, str | None]]) -> None:
    schema = AttributeSchema.empty(SCHEMA_ID, NOON)
    for name, kind in commands:
        before = deepcopy(schema)
        try:
            if kind is None:
                schema.retire(ANN, name, DEFAULTS)
            else:
                schema.define(ANN, name, str(kind), DEFAULTS)
        except Refused:
            assert schema == before
        schema.recorded(NOON)
    if schema.version >= 0:
        replays(list(schema.collect_events()), schema)  # type: ignore[arg-type]
