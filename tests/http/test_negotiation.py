"""`Accept` (RFC 9110, 12.5.1): which of several types a client gets, as a pure function."""

import time

import pytest

from service.http.negotiation import MAX_RANGES, preferred

JSON, CSV, LINES = "application/json", "text/csv; header=present", "application/x-ndjson"
OFFERED = (JSON, CSV, LINES)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV", CSV),
        ("text/*", CSV),
        ("text/csv;q=0.5, application/json;q=0.4", CSV),
        ("text/csv ; Q=0.4 , application/json ; q=0.5", JSON),
        ("text/csv, application/json", JSON),
        ("text/csv, */*", CSV),
        ("application/*;q=0.1, text/csv;q=0.1", CSV),
        ("application/json, text/plain, */*", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("*/*, application/json;q=0", CSV),
        ("application/*, application/json;q=0", LINES),
        ("application/json; charset=utf-8", JSON),
        ("text/csv;header=present", CSV),
        ('text/csv;header="present"', CSV),
        ('application/x-ndjson;a="x, */*;q=0";q=0.3, application/json;q=0.2', LINES),
        (",, text/csv ,", CSV),
        ("text/csv;", CSV),
        ("application/xml", None),
        ("text/csv;header=absent", None),
        ("*/*;q=0", None),
        ("text/csv;q=0.000", None),
    ],
)
def test_given_an_accept_header_then_the_type_that_it_likes_most_is_taken(
    accept: str | None, expected: str | None
) -> None:
    assert preferred(accept, OFFERED) == expected


@pytest.mark.parametrize(
    "passed_over", ["garbage", "*/csv", "text/csv;q=2", "text/csv;q=", "text/", 'text/csv;a="', "é/é"]
)
def test_given_what_is_no_media_range_then_it_says_nothing(passed_over: str) -> None:
    assert preferred(passed_over, OFFERED) == JSON
    assert preferred(f"{LINES}, {passed_over}", OFFERED) == LINES


@pytest.mark.parametrize(
    "repeated", ['"', '"\\', '""', ", ", "; ", " ", "a/b;q=1,", "a/b;   ", 'a/b ; a = "b"', "text/csv;a=b;", '\\"a/b;']
)
def test_given_a_hostile_header_then_its_cost_grows_with_its_length_alone(repeated: str) -> None:
    def seconds(length: int) -> float:
        header = "a/b;" + (repeated * length)[:length] + "\x01"
        began = time.process_time()
        preferred(header, OFFERED)
        return time.process_time() - began

    # A quadratic one would take minutes.
    assert seconds(500_000) < 10


def test_given_more_ranges_than_are_looked_at_then_the_first_ones_count() -> None:
    assert preferred(f"{'a/b, ' * (MAX_RANGES - 1)}{CSV}", OFFERED) == CSV
    assert preferred(f"{'a/b, ' * MAX_RANGES}{CSV}", OFFERED) is None
