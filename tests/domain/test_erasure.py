"""What the law says must go: which fields, by which command, and what is left of the events that held it."""

from typing import Any

import pytest

from domain.comment import Comment
from domain.erased import Erased
from domain.errors import Absent, Invalid, Stale, Unmatched
from domain.event import Fact, Recorded, fold
from domain.incident import Incident
from domain.redaction import without
from tests.domain.examples import (
    ANN,
    BOB,
    BREACH,
    CODES,
    DEFINITIONS,
    NOON,
    REASON,
    REQUIRED,
    TENANT,
    added,
    attribute_removed,
    attribute_set,
    comment_edited,
    comment_erased,
    comment_removed,
    deleted,
    edited,
    erased,
    reported,
    restored,
)
from tests.domain.given import given, replayed

NOTHING = {"from": None, "to": None}


def erase(fields: Any, reason: Any = REASON, occ_lock: int | None = None, **more: Any) -> Any:
    return lambda kept: kept.erase(BOB, fields, reason, {}, occ_lock, **more)


def gone(fact: Recorded) -> Erased:
    event = fact.event
    return Erased(
        fact.position, fact.recorded_at, b"", TENANT, event.TOPIC, event.originator_id, event.originator_version,
        event.subject_id,
    )  # fmt: skip


def test_fields_are_erased_one_by_one() -> None:
    given(reported({"count": 5})).when(erase(["description", "attributes.count"])).then(
        erased(1, ["attributes.count", "description"])
    )
    incident = replayed(reported({"count": 5}), erased(1, ["description", "attributes.count"]))
    assert incident.details == {**BREACH, "description": None}
    assert incident.attributes == {}
    assert not incident.deleted


def test_all_attributes_go_with_one_word() -> None:
    incident = replayed(reported({"count": 5, "people": 2}), erased(1, ["attributes"]))
    assert (incident.attributes, incident.details) == ({}, BREACH)


@pytest.mark.parametrize("fields", ["all", ["description"]])
def test_what_is_deleted_is_erased_all_the_same(fields: Any) -> None:
    given(reported(), deleted(1)).when(erase(fields)).then(erased(2, fields))
    given(added(), comment_removed(1, "Looking into it.")).when(erase("all")).then(comment_erased(2))


def test_an_erased_field_can_be_filled_again() -> None:
    history = given(reported(), erased(1, ["name"]))
    history.when(lambda i: i.patch(BOB, {"name": "Anew"}, 1, CODES, {})).then(edited(2, name=(None, "Anew")))


def test_an_edit_may_leave_what_was_erased_as_it_is() -> None:
    history = given(reported(), erased(1, ["description"]))
    sent = {**REQUIRED, "description": None, "status": "OPEN"}
    history.when(lambda i: i.edit(BOB, sent, None, 1, CODES, {})).then(edited(2, status=("NEW", "OPEN")))


def test_a_stale_patch_of_what_was_erased_since_is_refused() -> None:
    history = given(reported({"count": 5}), erased(1, ["name", "attributes"]))
    history.when(lambda i: i.patch(BOB, {"name": "x"}, 0, CODES, {})).refused(Stale)
    history.when(lambda i: i.patch(BOB, {"attributes": {"count": 6}}, 0, CODES, DEFINITIONS)).refused(Stale)
    history.when(lambda i: i.patch(BOB, {"status": "OPEN"}, 0, CODES, {})).then(edited(2, status=("NEW", "OPEN")))


def test_after_everything_was_erased_nothing_can_be_done() -> None:
    incident = given(reported({"count": 5}), erased(1))
    for command in (
        lambda i: i.edit(BOB, REQUIRED, None, 1, CODES, {}),
        lambda i: i.patch(BOB, {}, 1, CODES, {}),
        lambda i: i.set_attribute(BOB, "count", 6, None, DEFINITIONS),
        lambda i: i.remove_attribute(BOB, "count", None),
        lambda i: i.delete(BOB, None),
        lambda i: i.restore(BOB, None),
        erase("all"),
        erase(["name"]),
    ):
        incident.when(command).refused(Absent)
    comment = given(added(), comment_erased(1))
    for command in (
        lambda c: c.edit(ANN, "x", 1, moderator=True),
        lambda c: c.remove(ANN, 1, moderator=True),
        erase(["text"]),
    ):
        comment.when(command).refused(Absent)


def test_locks_hold_for_an_erasure_too() -> None:
    for history in (given(reported()), given(added())):
        history.when(erase("all", occ_lock=1)).refused(Stale)
        history.when(erase("all", match=frozenset({1}))).refused(Unmatched)


@pytest.mark.parametrize(
    ("fields", "reason", "faults"),
    [
        ([], REASON, ["fields: FIELD_NOT_ERASABLE"]),
        (["all"], REASON, ["fields: FIELD_NOT_ERASABLE"]),
        (["status"], REASON, ["fields: FIELD_NOT_ERASABLE"]),
        (["description", "attributes."], REASON, ["fields: FIELD_NOT_ERASABLE"]),
        (["attributes.co unt"], REASON, ["fields: FIELD_NOT_ERASABLE"]),
        (["text"], REASON, ["fields: FIELD_NOT_ERASABLE"]),
        (["name"] * 1_001, REASON, ["fields: FIELD_NOT_ERASABLE"]),
        ("description", REASON, ["fields: TYPE_INVALID"]),
        (None, " ", ["fields: TYPE_INVALID", "reason: TEXT_EMPTY"]),
        ("all", "x" * 1_001, ["reason: TEXT_TOO_LONG"]),
        ("all", None, ["reason: TYPE_INVALID"]),
    ],
)
def test_what_is_asked_has_rules(fields: Any, reason: Any, faults: list[str]) -> None:
    given(reported()).when(erase(fields, reason)).invalid(*faults)
    if fields != ["text"]:
        given(added()).when(erase(fields, reason)).invalid(*faults)


def test_what_is_not_erasable_is_told_what_is() -> None:
    (fault,) = given(reported()).when(erase(["severity"])).refused(Invalid).faults
    assert fault.message.endswith("name, description, reported_by, location, attributes, attributes.<name>")


def test_an_incident_loads_though_its_events_are_gone() -> None:
    events = reported({"count": 5}), edited(1, name=("a", "b")), deleted(2), erased(3)
    facts: list[Fact] = [Recorded(event, n, NOON, b"") for n, event in enumerate(events, 1)]
    whole = fold(facts)
    for kept in (None, fold(facts[:1]), fold(facts[:3])):
        left = fold([*map(gone, facts[:3]), facts[3]], kept)  # type: ignore[arg-type]
        assert isinstance(left, Incident)
        assert (left.version, left.deleted, left.erased, left.tenant_id) == (3, True, True, TENANT)
        assert (left.details, left.attributes, left.created_by) == ({}, {}, "")
        assert vars(left).keys() <= vars(whole).keys()


def test_erased_in_two_steps_it_loads_as_well() -> None:
    events = reported(), erased(1, ["name"]), erased(2)
    facts = [Recorded(event, n, NOON, b"") for n, event in enumerate(events, 1)]
    left = fold([gone(facts[0]), *facts[1:]])
    assert (left.version, left.erased) == (2, True)


def test_a_comment_loads_though_its_events_are_gone() -> None:
    facts = [Recorded(event, n, NOON, b"") for n, event in enumerate((added(), comment_erased(1)), 1)]
    left = fold([gone(facts[0]), facts[1]])
    assert isinstance(left, Comment)
    assert (left.version, left.removed, left.text, left.author_id) == (1, True, "", "")
    assert left.incident_id == facts[1].event.subject_id


@pytest.mark.parametrize(
    ("event", "fields", "left"),
    [
        (reported({"count": 5}), ["description"], {"details": {**BREACH, "description": None}}),
        (reported({"count": 5}), ["attributes.count"], {"attributes": {}}),
        (reported({"count": 5}), ["attributes"], {"attributes": {}}),
        (edited(1, name=("a", "b"), status=("NEW", "OPEN")), ["name"],
         {"edits": {"name": NOTHING, "status": {"from": "NEW", "to": "OPEN"}}}),
        (edited(1, attributes__count=(5, None)), ["attributes.count"], {"edits": {"attributes.count": NOTHING}}),
        (attribute_set(1, "count", 5, 6), ["attributes"], {"old_value": None, "value": None}),
        (attribute_removed(1, "count", 5), ["attributes.count"], {"old_value": None}),
    ],
)  # fmt: skip
def test_an_event_is_rewritten_without_the_content(event: Any, fields: list[str], left: dict[str, Any]) -> None:
    rewritten = without(event, fields)
    assert vars(rewritten) == vars(event) | left | {"erased": fields}
    assert vars(event).get("erased") is None, "the event that others hold is left alone"
    assert without(rewritten, fields) is rewritten


@pytest.mark.parametrize("event", [reported(), edited(1, status=("NEW", "OPEN")), deleted(1), restored(2)])
def test_an_event_that_held_nothing_of_it_stays_as_it_is(event: Any) -> None:
    assert without(event, ["attributes"]) is event


def test_nobody_can_try_what_the_request_may_have_said() -> None:
    keyed = deleted(1)
    vars(keyed)["request_digest"] = "d1"
    left = without(keyed, ["description"])
    assert (left.request_digest, left.erased) == ("", ["description"])


def test_an_erasure_says_what_it_did_whatever_is_erased_later() -> None:
    event = erased(1, ["name"])
    vars(event)["request_digest"] = "d1"
    assert without(event, ["name", "description"]) is event


def test_rewritten_events_replay_to_what_the_erasure_left() -> None:
    events = (
        reported({"count": 5}),
        edited(1, name=("a", "b")),
        attribute_set(2, "count", 5, 6),
        erased(3, ["name", "attributes"]),
    )
    now = replayed(*events)
    again = replayed(*(without(event, ["name", "attributes"]) for event in events))
    assert (again.details, again.attributes, again.deleted) == (now.details, now.attributes, now.deleted)


def test_comment_history_is_gone_as_one() -> None:
    given(added(), comment_edited(1, "Looking into it.", "x")).when(erase(["text"])).then(
        comment_erased(2, fields=["text"])
    )
