"""An incident's attributes: what is taken for a value of each type, and how one is set and removed."""

from typing import Any

import pytest

from domain.attribute_types import AttributeType, coerce, comparable, is_attribute_name, moment_of
from domain.errors import Absent, Fault, Stale, Taken, Unmatched
from tests.domain.examples import BOB, DEFINITIONS, attribute_removed, attribute_set, reported
from tests.domain.given import given

MAX = 2**53 - 1


def put(name: str, value: Any, occ_lock: int | None = None, definitions: Any = DEFINITIONS, **more: Any) -> Any:
    return lambda i: i.set_attribute(BOB, name, value, occ_lock, definitions, **more)


@pytest.mark.parametrize(
    ("kind", "sent", "stored"),
    [
        ("STRING", "", ""),
        ("STRING", "5", "5"),
        ("STRING", "🚒" * 1000, "🚒" * 1000),
        ("STRING", "  ", "  "),
        ("INT", 5, 5),
        ("INT", "5", 5),
        ("INT", "-0", 0),
        ("INT", 5.0, 5),
        ("INT", -0.0, 0),
        ("INT", float(MAX), MAX),
        ("INT", MAX, MAX),
        ("INT", str(-MAX), -MAX),
        ("NUMBER", 5, 5),
        ("NUMBER", "5", 5),
        ("NUMBER", 5.0, 5.0),
        ("NUMBER", "-5.0", -5.0),
        ("NUMBER", "1e3", 1000.0),
        ("NUMBER", "-1.5E-2", -0.015),
        ("NUMBER", 2**53, 2.0**53),
        ("NUMBER", 2**70, 2.0**70),
        ("NUMBER", "1" + "0" * 300, 1e300),
        ("NUMBER", 1.7976931348623157e308, 1.7976931348623157e308),
        ("BOOLEAN", True, True),
        ("BOOLEAN", "true", True),
        ("BOOLEAN", "false", False),
        ("DATETIME", "2024-11-11T10:57:27.5+08:00", "2024-11-11T10:57:27.5+08:00"),
        ("DATETIME", "2024-11-11t10:57:27.5+0800", "2024-11-11T10:57:27.5+08:00"),
    ],
)
def test_a_value_is_stored_typed(kind: str, sent: Any, stored: Any) -> None:
    value = coerce(AttributeType(kind), sent)
    assert value == stored
    assert type(value) is type(stored)


NOT_OF_THE_TYPE: dict[str, list[Any]] = {
    "STRING": [None, 5, 5.0, True, [], {}, "x" * 1001, "a\0", "\ud800"],
    "INT": [
        None, True, 5.5, "5.0", "", " 5", "5 ", "5\n", "05", "+5", "0x5", "5e0", "٥", [], {},
        MAX + 1, -MAX - 1, str(MAX + 1), 2**70, "1" * 401,
    ],
    "NUMBER": [
        None, False, "", "NaN", "nan", "Infinity", "-inf", "1_000", ".5", "5.", "--5", "5 ",
        float("nan"), float("inf"), "1e400", 10**400, "1" * 401, [5],
    ],
    "BOOLEAN": [None, 0, 1, "True", "yes", "", " true", 1.0, [True]],
    "DATETIME": [None, 0, "", "2024-02-30T00:00:00Z", "2024-11-11", "now", True],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "sent"), [(kind, value) for kind, wrong in NOT_OF_THE_TYPE.items() for value in wrong]
)
def test_what_is_not_of_the_type_is_refused(kind: str, sent: Any) -> None:
    assert isinstance(coerce(AttributeType(kind), sent), Fault)


def test_values_compare_as_what_they_are() -> None:
    assert len({comparable(value) for value in (5, 5.0, 5e0)}) == 1
    assert comparable(0.0) == comparable(-0.0) == comparable(0)
    assert comparable(True) == "true" != comparable(1)
    assert comparable("5") == "5"
    assert moment_of("2024-11-11T10:57:27+08:00") == moment_of("2024-11-11T02:57:27.000Z")
    assert moment_of("soon") == moment_of(5) == ""


def test_names() -> None:
    assert all(map(is_attribute_name, ("a", "workflowId", "A_1", "x" * 64)))
    assert not any(map(is_attribute_name, ("", "1a", "_a", "a-b", "a b", "a\n", "é", "x" * 65, "a.b")))


def test_an_attribute_is_set_typed_with_its_old_value() -> None:
    given(reported()).when(put("count", "5")).then(attribute_set(1, "count", None, 5))
    given(reported({"count": 5})).when(put("count", 6, 0)).then(attribute_set(1, "count", 5, 6))


def test_the_same_value_again_is_no_event() -> None:
    given(reported({"count": 5})).when(put("count", 5)).nothing_happens()
    given(reported({"count": 5})).when(put("count", "5")).nothing_happens()
    given(reported({"public": True})).when(put("public", "true")).nothing_happens()


def test_true_is_not_one() -> None:
    given(reported({"flexible": 1})).when(put("flexible", True, definitions={"flexible": "BOOLEAN"})).then(
        attribute_set(1, "flexible", 1, True)
    )


def test_a_value_that_is_to_be_new_must_not_be_set() -> None:
    given(reported()).when(put("count", 5, new=True)).then(attribute_set(1, "count", None, 5))
    for value in (5, 6):
        assert given(reported({"count": 5})).when(put("count", value, new=True)).refused(Taken).field == "name"


def test_a_value_must_be_of_a_defined_attribute_and_of_its_type() -> None:
    given(reported()).when(put("count", None)).invalid("value: TYPE_INVALID")
    given(reported()).when(put("count", "five")).invalid("value: TYPE_INVALID")
    given(reported()).when(put("colour", "red")).invalid("name: ATTRIBUTE_UNKNOWN")


def test_an_unknown_name_is_told_the_defined_ones() -> None:
    with pytest.raises(Exception, match="ATTRIBUTE_UNKNOWN") as refusal:
        put("colour", "red")(reported().mutate(None))
    assert refusal.value.faults[0].message == (  # type: ignore[attr-defined]
        "defined attributes: count, people, public, seen, workflowId"
    )


def test_a_retired_attribute_keeps_its_value_and_takes_no_other() -> None:
    given(reported({"colour": "red"})).when(put("colour", "red")).nothing_happens()
    given(reported({"colour": "red"})).when(put("colour", "blue")).invalid("name: ATTRIBUTE_UNKNOWN")
    given(reported({"colour": "red"})).when(lambda i: i.remove_attribute(BOB, "colour", 0)).then(
        attribute_removed(1, "colour", "red")
    )


def test_locks_hold_for_attributes_too() -> None:
    given(reported()).when(put("count", 5, 1)).refused(Stale)
    given(reported()).when(put("count", 5, match=frozenset({1}))).refused(Unmatched)
    given(reported({"count": 5})).when(lambda i: i.remove_attribute(BOB, "count", 1)).refused(Stale)
    given(reported({"count": 5})).when(lambda i: i.remove_attribute(BOB, "count", None, frozenset())).refused(Unmatched)


def test_only_what_is_set_can_be_removed() -> None:
    given(reported()).when(lambda i: i.remove_attribute(BOB, "count", None)).refused(Absent)
    given(reported({"count": 5}), attribute_removed(1, "count", 5)).when(
        lambda i: i.remove_attribute(BOB, "count", None)
    ).refused(Absent)
