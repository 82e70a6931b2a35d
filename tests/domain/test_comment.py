"""Comments: written by anyone, changed by their author or a moderator."""

from typing import Any

import pytest

from domain.comment import Comment
from domain.errors import Absent, Forbidden, Stale, Unmatched
from domain.event import Act
from tests.domain.examples import ANN, BOB, COMMENT_ID, INCIDENT_ID, added, comment_edited, comment_removed
from tests.domain.given import given, replayed

TEXT = "Looking into it."


def add(text: Any) -> Any:
    return lambda _: Comment.add(ANN, COMMENT_ID, INCIDENT_ID, text)


def edit(by: Act, text: Any, occ_lock: int | None = 0, **more: Any) -> Any:
    return lambda comment: comment.edit(by, text, occ_lock, **{"moderator": False, **more})


def remove(by: Act, occ_lock: int | None = None, **more: Any) -> Any:
    return lambda comment: comment.remove(by, occ_lock, **{"moderator": False, **more})


def test_a_comment_is_added() -> None:
    given().when(add(TEXT)).then(added())
    given().when(add("🚒" * 10_000)).then(added("🚒" * 10_000))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "TEXT_EMPTY"), ("\n ", "TEXT_EMPTY"), ("x" * 10_001, "TEXT_TOO_LONG"), ("\0", "TEXT_INVALID"),
        ("\udc00", "TEXT_INVALID"), (None, "TYPE_INVALID"), (5, "TYPE_INVALID"),
    ],
)  # fmt: skip
def test_a_text_has_rules(text: Any, code: str) -> None:
    given().when(add(text)).invalid(f"text: {code}")
    given(added()).when(edit(ANN, text)).invalid(f"text: {code}")


def test_a_text_needs_a_character_that_can_be_seen_where_it_is_a_new_one() -> None:
    given().when(add("\u200b\u3164")).invalid("text: TEXT_EMPTY")
    given(added("\u200b")).when(edit(ANN, "\u200c")).invalid("text: TEXT_EMPTY")
    given(added("\u200b")).when(edit(ANN, "\u200b")).then(comment_edited(1, "\u200b", "\u200b"))


def test_its_author_edits_and_removes_it() -> None:
    given(added()).when(edit(ANN, "Found it.")).then(comment_edited(1, TEXT, "Found it."))
    given(added()).when(remove(ANN)).then(comment_removed(1, TEXT))


def test_somebody_else_does_not() -> None:
    given(added()).when(edit(BOB, "Mine now.")).refused(Forbidden)
    given(added()).when(remove(BOB)).refused(Forbidden)


def test_a_moderator_does_and_the_author_stays_the_author() -> None:
    by_bob = comment_edited(1, TEXT, "[shortened]", BOB)
    given(added()).when(edit(BOB, "[shortened]", moderator=True)).then(by_bob)
    given(added()).when(remove(BOB, moderator=True)).then(comment_removed(1, TEXT, BOB))
    given(added(), by_bob).when(edit(BOB, "Mine now.", 1)).refused(Forbidden)
    given(added(), by_bob).when(edit(ANN, TEXT, 1)).then(comment_edited(2, "[shortened]", TEXT))
    comment = replayed(added(), by_bob)
    assert (comment.author_id, comment.author_name, comment.updated_by) == ("id-of-ann", "Ann", "id-of-bob")


def test_an_edit_needs_the_newest_lock() -> None:
    given(added()).when(edit(ANN, "x", 1)).refused(Stale)
    given(added()).when(remove(ANN, 1)).refused(Stale)
    given(added()).when(edit(ANN, "x", None, match=frozenset({1}))).refused(Unmatched)


def test_who_may_not_is_told_so_before_the_lock_is_looked_at() -> None:
    given(added()).when(edit(BOB, "x", 7, match=frozenset())).refused(Forbidden)


def test_what_is_removed_is_gone_for_good() -> None:
    gone = given(added(), comment_removed(1, TEXT))
    gone.when(edit(ANN, "x", 1)).refused(Absent)
    gone.when(remove(ANN)).refused(Absent)
    gone.when(remove(BOB, moderator=True)).refused(Absent)


def test_its_subject_is_the_incident() -> None:
    assert {event.subject_id for event in (added(), comment_removed(1, TEXT))} == {INCIDENT_ID}
