"""Reporting, replacing, deleting and restoring an incident."""

from typing import Any

import pytest

from domain.errors import Absent, NotDeleted, Stale, Unmatched
from domain.incident import Incident
from domain.rules import DETAILS
from tests.domain.examples import (
    ANN,
    BOB,
    BREACH,
    CODES,
    DEFINITIONS,
    FEWER_CODES,
    INCIDENT_ID,
    OUTAGE,
    REQUIRED,
    deleted,
    edited,
    reported,
    restored,
)  # fmt: skip
from tests.domain.given import given


def report(details: dict[str, Any], attributes: dict[str, Any] | None = None) -> Any:
    return lambda _: Incident.report(ANN, INCIDENT_ID, details, attributes or {}, CODES, DEFINITIONS)


def edit(details: dict[str, Any], occ_lock: int | None, attributes: dict[str, Any] | None = None, **more: Any) -> Any:
    codes, definitions = more.pop("codes", CODES), more.pop("definitions", DEFINITIONS)
    return lambda i: i.edit(BOB, details, attributes, occ_lock, codes, definitions, **more)


def test_what_is_optional_may_be_left_out_or_null() -> None:
    given().when(report(REQUIRED)).then(reported())
    nothing = dict.fromkeys(("location", "severity", "next_update", "resolved_date", "backdated"))
    given().when(report(REQUIRED | nothing)).then(reported())
    given(reported(location="Room 1")).when(edit(REQUIRED | nothing, 0)).then(edited(1, location=("Room 1", "")))


def test_everything_that_is_sent_is_kept_as_it_was_sent() -> None:
    details = OUTAGE | {"name": " \tǺ 🚒 ", "date": "2024-11-22T15:30:00.123456789-00:30", "backdated": True}
    given().when(report(details, {"count": 5})).then(reported({"count": 5}, **details))


@pytest.mark.parametrize("member", REQUIRED)
def test_what_is_required_must_be_there(member: str) -> None:
    for details in ({**REQUIRED, member: None}, {key: value for key, value in REQUIRED.items() if key != member}):
        given().when(report(details)).invalid(f"{member}: TYPE_INVALID")


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("name", "", "TEXT_EMPTY"),
        ("name", " \t\u2003\n", "TEXT_EMPTY"),
        ("name", "x" * 201, "TEXT_TOO_LONG"),
        ("name", "🚒" * 201, "TEXT_TOO_LONG"),
        ("name", 5, "TYPE_INVALID"),
        ("name", "a\0b", "TEXT_INVALID"),
        ("description", "x" * 20_001, "TEXT_TOO_LONG"),
        ("description", "a\ud800b", "TEXT_INVALID"),
        ("reported_by", "\udfff", "TEXT_INVALID"),
        ("reported_by", "x" * 201, "TEXT_TOO_LONG"),
        ("location", "x" * 501, "TEXT_TOO_LONG"),
        ("location", "\0", "TEXT_INVALID"),
        ("status", "GONE", "CODE_UNKNOWN"),
        ("status", "", "CODE_UNKNOWN"),
        ("status", "new", "CODE_UNKNOWN"),
        ("status", True, "TYPE_INVALID"),
        ("type", ["OTHERS"], "TYPE_INVALID"),
        ("type", "x" * 65, "TEXT_TOO_LONG"),
        ("severity", "HUGE", "CODE_UNKNOWN"),
        ("date", "2024-11-11", "TIME_INVALID"),
        ("date", 1731293847, "TYPE_INVALID"),
        ("resolved_date", "", "TIME_INVALID"),
        ("resolved_date", False, "TYPE_INVALID"),
        ("next_update", -1, "NUMBER_OUT_OF_RANGE"),
        ("next_update", 253_402_300_800, "NUMBER_OUT_OF_RANGE"),
        ("next_update", 2**70, "NUMBER_OUT_OF_RANGE"),
        ("next_update", True, "TYPE_INVALID"),
        ("next_update", 5.5, "TYPE_INVALID"),
        ("next_update", -1.0, "NUMBER_OUT_OF_RANGE"),
        ("next_update", 1e300, "NUMBER_OUT_OF_RANGE"),
        ("next_update", float("inf"), "TYPE_INVALID"),
        ("name", "\u200b", "TEXT_EMPTY"),
        ("description", " \u2800\ufeff", "TEXT_EMPTY"),
        ("reported_by", "\u202e", "TEXT_EMPTY"),
        ("date", "2016-12-31T23:59:60Z", "TIME_INVALID"),
        ("backdated", 0, "TYPE_INVALID"),
        ("backdated", "true", "TYPE_INVALID"),
    ],
)
def test_each_member_has_its_rule(member: str, value: Any, code: str) -> None:
    given().when(report({**BREACH, member: value})).invalid(f"{member}: {code}")
    given(reported()).when(edit({**BREACH, member: value}, 0)).invalid(f"{member}: {code}")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", "🚒" * 200),
        ("description", "x" * 20_000),
        ("location", "\u200b" * 500),
        ("location", "   "),
        ("next_update", 253_402_300_799),
        ("resolved_date", "1000-01-01T00:00:00Z"),
        ("severity", "CRITICAL"),
        ("backdated", True),
    ],
)
def test_limits_belong_to_what_is_allowed(member: str, value: Any) -> None:
    given().when(report({**BREACH, member: value})).then(reported(**{member: value}))


def patch(members: dict[str, Any]) -> Any:
    return lambda incident: incident.patch(BOB, members, None, CODES, DEFINITIONS)


@pytest.mark.parametrize(
    ("member", "sent", "stored"),
    [
        ("date", "2024-11-11t10:57:27+0800", "2024-11-11T10:57:27+08:00"),
        ("resolved_date", "2024-11-11T10:57:27z", "2024-11-11T10:57:27Z"),
        ("next_update", 2.0, 2),
        ("next_update", 1e3, 1000),
    ],
)
def test_a_value_in_another_form_is_stored_in_the_one_form(member: str, sent: Any, stored: Any) -> None:
    given().when(report({**BREACH, member: sent})).then(reported(**{member: stored}))
    change: Any = {member: (BREACH[member], stored)} if BREACH[member] != stored else {}
    given(reported()).when(edit({**BREACH, member: sent}, 0)).then(edited(1, **change))
    given(reported(**{member: stored})).when(patch({member: sent})).nothing_happens()
    event: Any
    (event,) = Incident.report(ANN, INCIDENT_ID, {**BREACH, member: sent}, {}, CODES, {}).collect_events()
    assert type(event.details[member]) is type(stored)


@pytest.mark.parametrize("member", ["name", "description", "reported_by"])
def test_a_text_that_was_recorded_when_no_character_had_to_be_seen_is_not_judged_again(member: str) -> None:
    blank: Any = {member: "\u200b"}
    old = reported(**blank)
    given(old).when(edit({**BREACH, member: "\u200b", "status": "OPEN"}, 0)).then(edited(1, status=("NEW", "OPEN")))
    given(old).when(patch({member: "\u200b", "status": "OPEN"})).then(edited(1, status=("NEW", "OPEN")))
    given(old).when(edit({**BREACH, member: "\u200c"}, 0)).invalid(f"{member}: TEXT_EMPTY")


def test_every_fault_is_told_not_only_the_first() -> None:
    wrong = dict.fromkeys(DETAILS, object())
    given().when(report(wrong, {"count": "many", "colour": "red"})).invalid(
        *(f"{member}: TYPE_INVALID" for member in DETAILS),
        "attributes.count: TYPE_INVALID",
        "attributes.colour: ATTRIBUTE_UNKNOWN",
    )


def test_an_unknown_code_is_told_the_allowed_ones() -> None:
    with pytest.raises(Exception, match="severity: CODE_UNKNOWN") as refusal:
        Incident.report(ANN, INCIDENT_ID, BREACH | {"severity": "x"}, {}, CODES, {})
    assert refusal.value.faults[0].message == (  # type: ignore[attr-defined]
        "must be one of (empty), LOW, MEDIUM, MAJOR, HIGH, CRITICAL"
    )


def test_an_edit_is_one_event_with_the_old_and_the_new_values() -> None:
    given(reported()).when(edit(BREACH | {"status": "OPEN", "name": "Breach"}, 0)).then(
        edited(1, status=("NEW", "OPEN"), name=("Another Security Breach", "Breach"))
    )


def test_an_edit_without_effect_is_an_event_all_the_same() -> None:
    given(reported()).when(edit(BREACH, 0)).then(edited(1))


def test_an_edit_leaves_the_attributes_alone_unless_they_are_given() -> None:
    before = reported({"count": 5, "workflowId": "w"})
    given(before).when(edit(BREACH, 0)).then(edited(1))
    given(before).when(edit(BREACH, 0, {})).then(
        edited(1, attributes__count=(5, None), attributes__workflowId=("w", None))
    )
    given(before).when(edit(BREACH, 0, {"count": "6", "public": True})).then(
        edited(1, attributes__count=(5, 6), attributes__public=(None, True), attributes__workflowId=("w", None))
    )


@pytest.mark.parametrize("lock", [0, 2, 2**31 - 1])
def test_a_stale_edit_is_refused_with_what_is_there_now(lock: int) -> None:
    stale = given(reported(), edited(1, status=("NEW", "OPEN"))).when(edit(BREACH, lock)).refused(Stale)
    assert (stale.expected, stale.current, stale.updated_by) == (lock, 1, "Bob")
    assert stale.updated_at == "2025-01-22T12:00:02.251946Z"


def test_a_precondition_is_looked_at_before_the_lock() -> None:
    given(reported()).when(edit(BREACH, 7, match=frozenset({1, 2}))).refused(Unmatched)
    given(reported()).when(edit(BREACH, 7, match=frozenset({0, 2}))).refused(Stale)
    given(reported()).when(edit(BREACH, None, match=frozenset({0}))).then(edited(1))


def test_a_stale_lock_is_told_before_the_faults() -> None:
    given(reported()).when(edit(BREACH | {"name": ""}, 3)).refused(Stale)


def test_a_retired_code_does_not_block_an_edit_of_something_else() -> None:
    before = reported({"colour": "red"}, severity="LOW")
    kept = BREACH | {"severity": "LOW", "location": "Here"}
    given(before).when(edit(kept, 0, {"colour": "red"}, codes=FEWER_CODES, definitions={})).then(
        edited(1, location=("", "Here"))
    )
    given(before).when(
        edit(kept | {"status": "CLOSED"}, 0, {"colour": "blue"}, codes=FEWER_CODES, definitions={})
    ).invalid("status: CODE_UNKNOWN", "attributes.colour: ATTRIBUTE_UNKNOWN")


def test_a_deleted_incident_is_gone_for_every_command_but_restore() -> None:
    gone = given(reported({"count": 5}), deleted(1))
    gone.when(edit(BREACH, 1)).refused(Absent)
    gone.when(edit(BREACH, 0)).refused(Absent)
    gone.when(lambda i: i.patch(BOB, {"name": "x"}, None, CODES, DEFINITIONS)).refused(Absent)
    gone.when(lambda i: i.set_attribute(BOB, "count", 6, None, DEFINITIONS)).refused(Absent)
    gone.when(lambda i: i.remove_attribute(BOB, "count", None)).refused(Absent)
    gone.when(lambda i: i.delete(BOB, None)).refused(Absent)
    gone.when(lambda i: i.restore(BOB, None)).then(restored(2))


def test_delete_and_restore_take_a_lock_or_none() -> None:
    given(reported()).when(lambda i: i.delete(BOB, None)).then(deleted(1))
    given(reported()).when(lambda i: i.delete(BOB, 0)).then(deleted(1))
    given(reported()).when(lambda i: i.delete(BOB, 1)).refused(Stale)
    given(reported()).when(lambda i: i.delete(BOB, None, frozenset({1}))).refused(Unmatched)
    given(reported(), deleted(1)).when(lambda i: i.restore(BOB, 0)).refused(Stale)
    given(reported(), deleted(1)).when(lambda i: i.restore(BOB, 1)).then(restored(2))
    given(reported(), deleted(1), restored(2)).when(edit(BREACH, 2)).then(edited(3))


def test_only_what_is_deleted_can_be_restored() -> None:
    given(reported()).when(lambda i: i.restore(BOB, 5)).refused(NotDeleted)
    given(reported(), deleted(1), restored(2)).when(lambda i: i.restore(BOB, None)).refused(NotDeleted)


def test_an_event_is_not_changed_by_what_comes_after_it() -> None:
    details, attributes = dict(BREACH), {"count": 5}
    incident = Incident.report(ANN, INCIDENT_ID, details, attributes, CODES, DEFINITIONS)
    (birth,) = incident.collect_events()
    incident.edit(BOB, OUTAGE, {}, 0, CODES, DEFINITIONS)
    assert birth == reported({"count": 5})
    assert (details, attributes) == (BREACH, {"count": 5})
