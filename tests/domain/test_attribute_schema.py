"""A tenant's definitions of attributes, over the deployment's defaults."""

from typing import Any

import pytest

from domain.attribute_schema import AttributeSchema, schema_id
from domain.attribute_types import MAX_DEFINITIONS, MAX_LISTED, MAX_NAMES, AttributeType, listed
from domain.errors import Absent, LimitReached, Taken
from domain.event import ActEvent
from tests.domain.examples import ANN, DEFAULTS, NOON, SCHEMA_ID, TENANT, defined, retired
from tests.domain.given import Given, given, replayed

EMPTY = AttributeSchema.empty(SCHEMA_ID, NOON)


def tenant(*history: ActEvent) -> Given:
    return given(*history, start=EMPTY)


def define(name: str, kind: str, defaults: Any = DEFAULTS) -> Any:
    return lambda schema: schema.define(ANN, name, kind, defaults)


def retire(name: str, defaults: Any = DEFAULTS) -> Any:
    return lambda schema: schema.retire(ANN, name, defaults)


def definitions(*history: ActEvent, defaults: Any = DEFAULTS) -> dict[str, str]:
    return {**replayed(*history, start=EMPTY).definitions(defaults)}


def test_a_tenant_begins_with_the_defaults() -> None:
    assert definitions() == {"workflowId": "STRING", "count": "NUMBER"}


def test_every_tenant_has_a_schema_of_its_own_and_always_the_same() -> None:
    assert schema_id(TENANT) == SCHEMA_ID != schema_id("other")


@pytest.mark.parametrize("kind", AttributeType)
def test_an_attribute_of_any_type_is_defined(kind: AttributeType) -> None:
    tenant().when(define("people", str(kind))).then(defined(0, "people", str(kind)))
    assert definitions(defined(0, "people", str(kind)))["people"] is kind


def test_a_schema_is_born_of_its_first_event_whichever_that_is() -> None:
    for first in (defined(0, "people", "INT"), retired(0, "count", "NUMBER")):
        schema = replayed(first)
        assert (schema.id, schema.version, schema.tenant_id) == (SCHEMA_ID, 0, TENANT)
        assert schema == replayed(first, start=EMPTY)


def test_a_name_and_a_type_have_rules() -> None:
    tenant().when(define("1st", "TEXT")).invalid("name: ATTRIBUTE_NAME_INVALID", "type: ATTRIBUTE_TYPE_UNKNOWN")
    tenant().when(define("first\n", "INT")).invalid("name: ATTRIBUTE_NAME_INVALID")
    tenant().when(define("first", "int")).invalid("type: ATTRIBUTE_TYPE_UNKNOWN")


def test_a_name_in_use_is_taken_a_default_too() -> None:
    for kind in ("INT", "STRING"):
        assert tenant(defined(0, "people", "INT")).when(define("people", kind)).refused(Taken).field == "name"
        assert tenant().when(define("count", kind)).refused(Taken).field == "name"


def test_what_is_retired_is_no_longer_defined() -> None:
    people = defined(0, "people", "INT")
    tenant(people).when(retire("people")).then(retired(1, "people", "INT"))
    assert "people" not in definitions(people, retired(1, "people", "INT"))
    tenant(people, retired(1, "people", "INT")).when(retire("people")).refused(Absent)
    tenant().when(retire("people")).refused(Absent)


def test_a_default_can_be_retired_and_stays_so() -> None:
    tenant().when(retire("count")).then(retired(0, "count", "NUMBER"))
    assert definitions(retired(0, "count", "NUMBER")) == {"workflowId": "STRING"}
    assert definitions(retired(0, "count", "NUMBER"), defaults={"count": AttributeType.INT}) == {}


def test_a_retired_name_comes_back_only_with_its_old_type() -> None:
    history = (defined(0, "people", "INT"), retired(1, "people", "INT"))
    assert tenant(*history).when(define("people", "STRING")).refused(Taken).field == "type"
    tenant(*history).when(define("people", "INT")).then(defined(2, "people", "INT"))
    assert definitions(*history, defined(2, "people", "INT"))["people"] == "INT"
    assert tenant(retired(0, "count", "NUMBER")).when(define("count", "INT")).refused(Taken).field == "type"


def test_what_the_tenant_defined_wins_over_a_later_default() -> None:
    assert definitions(defined(0, "people", "INT"), defaults={"people": AttributeType.STRING}) == {"people": "INT"}


def test_a_tenant_has_at_most_a_hundred_defaults_included_and_the_retired_not() -> None:
    full = [defined(n, f"a{n}", "INT") for n in range(MAX_DEFINITIONS - len(DEFAULTS))]
    assert len(definitions(*full)) == MAX_DEFINITIONS == 100
    tenant(*full[:-1]).when(define("last", "INT")).then(defined(97, "last", "INT"))
    tenant(*full).when(define("more", "INT")).refused(LimitReached)
    tenant(*full, retired(98, "a0", "INT")).when(define("more", "INT")).then(defined(99, "more", "INT"))
    tenant(*full, retired(98, "a0", "INT"), defined(99, "more", "INT")).when(define("a0", "INT")).refused(LimitReached)


def test_the_names_that_a_tenant_ever_gave_are_limited_and_a_retired_one_can_come_back() -> None:
    past = [
        event
        for n in range(MAX_NAMES)
        for event in (defined(2 * n, f"a{n}", "INT"), retired(2 * n + 1, f"a{n}", "INT"))
    ]  # fmt: skip
    refusal = tenant(*past).when(define("another", "INT")).refused(LimitReached)
    assert str(MAX_NAMES) in str(refusal)
    tenant(*past).when(define("a7", "INT")).then(defined(2 * MAX_NAMES, "a7", "INT"))
    tenant(*past[:-2]).when(define("another", "INT")).then(defined(2 * MAX_NAMES - 2, "another", "INT"))


def test_a_message_lists_a_bounded_number_of_names() -> None:
    assert listed({}) == "defined attributes: none"
    text = listed({f"a{n:04}": AttributeType.INT for n in range(MAX_LISTED + 5)})
    assert text.count("a0") == MAX_LISTED
    assert text.endswith(" and 5 more")
