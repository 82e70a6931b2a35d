"""What is counted instead of logged: kinds, their number, levels, libraries."""

import logging
from collections.abc import Callable

import pytest
import structlog

from service.repeats import MAX_KINDS, Repeats, place_of

Tell = Callable[..., None]


class Told:
    """What the log was told of."""

    def __init__(self) -> None:
        self.counts: list[tuple[object, object]] = []

    def of(self, kind: object) -> Tell:
        return lambda **members: self.counts.append((kind, members["count"]))


@pytest.fixture
def told() -> Told:
    return Told()


def happens(repeats: Repeats, told: Told, kind: str, level: int = logging.WARNING) -> bool:
    """Whether it is to be logged."""
    return not repeats.count(level, kind) and repeats.begin(level, kind, told.of(kind))


def test_a_kind_is_told_of_once_in_each_second_in_which_it_comes_and_new_after_one_without(told: Told) -> None:
    repeats = Repeats()
    assert [happens(repeats, told, "a") for _ in range(3)] == [True, False, False]
    repeats.tell()
    assert not happens(repeats, told, "a")
    repeats.tell()
    assert told.counts == [("a", 2), ("a", 1)]
    repeats.tell()
    assert happens(repeats, told, "a")


def test_kinds_beyond_the_limit_are_counted_together() -> None:
    repeats, told = Repeats(), Told()
    with structlog.testing.capture_logs() as logs:
        new = [happens(repeats, told, str(number)) for number in range(10 * MAX_KINDS)]
        repeats.tell()
    assert new.count(True) == MAX_KINDS + 1
    assert [(record["event"], record["count"]) for record in logs] == [("others_repeated", 9 * MAX_KINDS - 1)]


def test_a_flood_of_refusals_leaves_room_for_each_failure(told: Told) -> None:
    repeats = Repeats()
    for number in range(10 * MAX_KINDS):
        happens(repeats, told, str(number))
    assert happens(repeats, told, "a failure", logging.ERROR)


def test_failures_are_told_apart_by_their_causes_and_where_those_were_raised() -> None:
    places = {place_of(failure_of(cause)) for cause in (one, another, another, chained)}
    assert len(places) == 3
    assert place_of(None) == ()


def test_a_library_that_says_the_same_again_is_counted_and_what_differs_is_not(
    caplog: pytest.LogCaptureFixture, told: Told
) -> None:
    library, repeats = logging.getLogger("a library of the tests"), Repeats()
    with structlog.testing.capture_logs() as logs, repeats.of_libraries(library.name):
        for cause in (one, one, one, another):
            library.error("it failed for %s", cause, exc_info=failure_of(cause))
        library.warning("it failed for %s", "nobody")
        repeats.tell()
    library.error("it failed for %s", "somebody")
    assert len([record for record in caplog.records if record.name == library.name]) == 4
    (summary,) = logs
    assert (summary["said"], summary["count"]) == ("it failed for %s", 2)


def test_a_warning_that_comes_again_is_counted() -> None:
    repeats, log = Repeats(), structlog.get_logger("of the tests")
    with structlog.testing.capture_logs() as logs:
        for error in ("a", "a", "b", "a"):
            repeats.warn(log, "stream_ended", error=error)
        repeats.tell()
    assert [(record["error"], record.get("count")) for record in logs] == [("a", None), ("b", None), ("a", 2)]


def failure_of(cause: Callable[[], None]) -> Exception:
    try:
        cause()
    except (TypeError, ValueError) as error:
        return error
    raise AssertionError


def one() -> None:
    raise ValueError("one")


def another() -> None:
    raise ValueError("one")


def chained() -> None:
    try:
        one()
    except ValueError as error:
        raise TypeError("one") from error
