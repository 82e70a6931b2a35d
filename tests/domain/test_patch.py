"""A merge patch (RFC 7396), and when a stale one is taken all the same."""

from typing import Any

import pytest

from domain.errors import Stale, Unmatched
from tests.domain.examples import (
    BOB,
    CODES,
    DEFINITIONS,
    FEWER_CODES,
    attribute_removed,
    attribute_set,
    deleted,
    edited,
    reported,
    restored,
)  # fmt: skip
from tests.domain.given import given


def patch(members: dict[str, Any], occ_lock: int | None = None, **more: Any) -> Any:
    codes, definitions = more.pop("codes", CODES), more.pop("definitions", DEFINITIONS)
    return lambda i: i.patch(BOB, members, occ_lock, codes, definitions, **more)


OPENED = edited(1, status=("NEW", "OPEN"))


def test_only_what_is_named_is_changed() -> None:
    given(reported(severity="LOW")).when(patch({"status": "OPEN"})).then(edited(1, status=("NEW", "OPEN")))


@pytest.mark.parametrize(
    "members",
    [{}, {"status": "NEW"}, {"location": None}, {"attributes": {}}, {"attributes": {"count": "5", "people": None}}],
)
def test_without_effect_there_is_no_event(members: dict[str, Any]) -> None:
    given(reported({"count": 5})).when(patch(members)).nothing_happens()


def test_null_means_the_default_where_there_is_one() -> None:
    before = reported(severity="LOW", next_update=7, resolved_date="2024-11-12T00:00:00Z", backdated=True, location="x")
    given(before).when(
        patch(dict.fromkeys(("severity", "next_update", "resolved_date", "backdated", "location")))
    ).then(
        edited(
            1, severity=("LOW", ""), next_update=(7, 0), resolved_date=("2024-11-12T00:00:00Z", None),
            backdated=(True, False), location=("x", ""),
        )
    )  # fmt: skip
    given(before).when(patch({"name": None})).invalid("name: TYPE_INVALID")


def test_attributes_are_merged_one_by_one() -> None:
    before = reported({"count": 5, "workflowId": "w", "public": False})
    given(before).when(patch({"attributes": {"count": None, "public": "true", "people": 3}})).then(
        edited(1, attributes__count=(5, None), attributes__people=(None, 3), attributes__public=(False, True))
    )
    given(before).when(patch({"attributes": None})).then(
        edited(1, attributes__count=(5, None), attributes__public=(False, None), attributes__workflowId=("w", None))
    )


def test_every_fault_is_told() -> None:
    given(reported()).when(patch({"name": "", "status": "x", "attributes": {"count": True, "colour": 1}})).invalid(
        "name: TEXT_EMPTY", "status: CODE_UNKNOWN", "attributes.count: TYPE_INVALID",
        "attributes.colour: ATTRIBUTE_UNKNOWN",
    )  # fmt: skip


def test_what_was_retired_since_does_not_block_a_patch_of_something_else() -> None:
    before = reported({"colour": "red"}, severity="LOW")
    given(before).when(
        patch({"name": "x", "severity": "LOW", "attributes": {"colour": "red"}}, codes=FEWER_CODES, definitions={})
    ).then(edited(1, name=("Another Security Breach", "x")))
    given(before).when(patch({"attributes": {"colour": None}}, definitions={})).then(
        edited(1, attributes__colour=("red", None))
    )


def test_a_stale_patch_is_taken_where_nothing_that_it_touches_was_changed_since() -> None:
    given(reported(), OPENED).when(patch({"name": "x"}, 0)).then(edited(2, name=("Another Security Breach", "x")))
    given(reported(), deleted(1), restored(2)).when(patch({"status": "OPEN"}, 0)).then(
        edited(3, status=("NEW", "OPEN"))
    )


def test_a_stale_patch_is_refused_where_it_touches_what_was_changed_since() -> None:
    given(reported(), OPENED).when(patch({"status": "CLOSED"}, 0)).refused(Stale)
    given(reported(), OPENED).when(patch({"name": "x", "status": "CLOSED"}, 0)).refused(Stale)
    given(reported(), OPENED).when(patch({"status": "CLOSED"}, 1)).then(edited(2, status=("OPEN", "CLOSED")))


def test_a_change_and_its_reversal_are_changes_all_the_same() -> None:
    back = edited(2, status=("OPEN", "NEW"))
    given(reported(), OPENED, back).when(patch({"status": "CLOSED"}, 0)).refused(Stale)


@pytest.mark.parametrize(
    "since",
    [
        edited(1, attributes__count=(5, 6)),
        attribute_set(1, "count", 5, 6),
        attribute_removed(1, "count", 5),
    ],
)
def test_attributes_count_one_by_one(since: Any) -> None:
    before = reported({"count": 5, "workflowId": "w"})
    given(before, since).when(patch({"attributes": {"workflowId": "v"}}, 0)).then(
        edited(2, attributes__workflowId=("w", "v"))
    )
    given(before, since).when(patch({"attributes": {"count": 7}}, 0)).refused(Stale)
    given(before, since).when(patch({"attributes": {"count": None}}, 0)).refused(Stale)
    given(before, since).when(patch({"attributes": None}, 0)).refused(Stale)
    given(before, since).when(patch({"name": "x"}, 0)).then(edited(2, name=("Another Security Breach", "x")))


def test_a_lock_from_the_future_is_stale() -> None:
    given(reported(), OPENED).when(patch({"name": "x"}, 2)).refused(Stale)


def test_with_a_precondition_nothing_is_rebased() -> None:
    given(reported(), OPENED).when(patch({"name": "x"}, None, match=frozenset({0}))).refused(Unmatched)
    given(reported(), OPENED).when(patch({"name": "x"}, 0, match=frozenset({1}), rebase=False)).refused(Stale)
    given(reported(), OPENED).when(patch({"name": "x"}, None, match=frozenset({1}), rebase=False)).then(
        edited(2, name=("Another Security Breach", "x"))
    )
