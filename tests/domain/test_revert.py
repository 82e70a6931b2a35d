"""Bringing the content of an earlier version back: one event, of what differs, without judging it again."""

from typing import Any

from domain.errors import Absent, Stale, Unmatched
from domain.incident import Incident
from tests.domain.examples import ANN, BREACH, attribute_set, deleted, edited, reported, restored, reverted
from tests.domain.given import given, replayed

HISTORY = (
    reported({"count": 5}),
    edited(1, name=(BREACH["name"], "Breach"), severity=("", "HIGH")),
    attribute_set(2, "count", 5, 6),
)


def revert(version: int, lock: int | None = 2, history: tuple[Any, ...] = HISTORY, **options: Any) -> Any:
    past: Incident = replayed(*history[: version + 1])
    return lambda incident: incident.revert(ANN, version, past, lock, **options)


def test_what_differs_is_the_content_of_one_event() -> None:
    given(*HISTORY).when(revert(0)).then(
        reverted(3, 0, ANN, name=("Breach", BREACH["name"]), severity=("HIGH", ""), attributes__count=(6, 5))
    )
    given(*HISTORY).when(revert(1)).then(reverted(3, 1, ANN, attributes__count=(6, 5)))


def test_an_attribute_that_was_not_there_yet_goes_and_one_that_was_comes_back() -> None:
    history = (*HISTORY, edited(3, attributes__count=(6, None)), attribute_set(4, "seen", None, "2025-01-01T00:00:00Z"))
    given(*history).when(revert(2, 4, history)).then(
        reverted(5, 2, ANN, attributes__count=(None, 6), attributes__seen=("2025-01-01T00:00:00Z", None))
    )


def test_to_what_it_is_already_nothing_happens() -> None:
    given(*HISTORY).when(revert(2)).nothing_happens()


def test_what_is_deleted_is_restored_first() -> None:
    given(*HISTORY, deleted(3)).when(revert(0, 3)).refused(Absent)


def test_of_a_version_in_which_it_was_deleted_the_content_comes_back() -> None:
    history = (*HISTORY, deleted(3), restored(4), edited(5, severity=("HIGH", "LOW")))
    given(*history).when(revert(3, 5, history)).then(reverted(6, 3, ANN, severity=("LOW", "HIGH")))


def test_a_version_that_is_not_there_yet_is_refused() -> None:
    given(*HISTORY).when(revert(3)).invalid("version: VERSION_UNKNOWN")


def test_a_stale_lock_is_refused_before_the_version_is_looked_at() -> None:
    assert given(*HISTORY).when(revert(7, 1)).refused(Stale).current == 2
    given(*HISTORY).when(revert(7, None, match=frozenset({0}))).refused(Unmatched)
