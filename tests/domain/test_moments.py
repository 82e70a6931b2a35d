"""Times that clients send: RFC 3339 with an offset, compared by the instant that they name."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.moments import MOMENT_PATTERN, instant, moment_text, utc_text


@pytest.mark.parametrize(
    ("sent", "utc"),
    [
        ("2024-11-11T10:57:27Z", "2024-11-11T10:57:27.000000000"),
        ("2024-11-11T10:57:27+08:00", "2024-11-11T02:57:27.000000000"),
        ("2024-11-11T10:57:27-00:00", "2024-11-11T10:57:27.000000000"),
        ("2024-11-11T10:57:27.5-09:30", "2024-11-11T20:27:27.500000000"),
        ("2024-11-11T10:57:27.123456789+05:45", "2024-11-11T05:12:27.123456789"),
        ("2024-12-31T23:59:59.999999999-23:59", "2025-01-01T23:58:59.999999999"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000000"),
        ("1000-01-01T00:00:00Z", "1000-01-01T00:00:00.000000000"),
        ("1000-01-01T08:00:00+08:00", "1000-01-01T00:00:00.000000000"),
        ("2999-12-31T23:59:59.999999999Z", "2999-12-31T23:59:59.999999999"),
        ("2999-12-31T15:59:59-08:00", "2999-12-31T23:59:59.000000000"),
    ],
)
def test_the_instant_is_what_counts(sent: str, utc: str) -> None:
    assert instant(sent) == utc


@pytest.mark.parametrize(
    "sent",
    [
        "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
        "2024-11-00T00:00:00Z", "2024-11-11T24:00:00Z", "2024-11-11T10:60:00Z",
        "2016-12-31T23:59:60Z", "2024-11-11T10:57:61Z",
        "2024-11-11T10:57:27", "2024-11-11T10:57Z", "2024-11-11", "", "Z",
        "2024-11-11T10:57:27.Z", "2024-11-11T10:57:27.1234567890Z", "2024-11-11T10:57:27,5Z",
        "2024-11-11 10:57:27Z", "2024-11-11T10:57:27Z\n", "2016-12-31t23:59:60z", "2024-11-11T10:57:27+00:00Z",
        " 2024-11-11T10:57:27Z", "2024-11-11T10:57:27 08:00", "2024-11-11T10:57:27+080", "2024-11-11T10:57:27+8",
        "2024-11-11T10:57:27+08:", "2024-11-11T10:57:27+08:0", "2024-11-11T10:57:27+2400", "2024-11-11T10:57:27+0860",
        "2024-11-11T10:57:27+24", "2024-11-11T10:57:27\u221208:00", "2024-11-11T10:57:27+08:00:00",
        "2024-11-11T10:57:27+24:00", "2024-11-11T10:57:27+08:60", "2024-11-11T10:57:27+08:99",
        "2024-W46-1T10:57:27Z", "20241111T105727Z", "２024-11-11T10:57:27Z", "2024-11-11T10:57:2７Z",
        "0999-12-31T23:59:59Z", "3000-01-01T00:00:00Z", "+2024-11-11T10:57:27Z",
        "1000-01-01T00:00:00+00:01", "1000-01-01T07:59:59+08:00", "2999-12-31T23:59:59-00:01",
    ],
)  # fmt: skip
def test_another_form_or_a_date_that_does_not_exist_is_refused(sent: str) -> None:
    with pytest.raises(ValueError):
        instant(sent)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("2024-11-11T10:57:27+0000", "2024-11-11T10:57:27+00:00"),
        ("2024-11-11T10:57:27-0930", "2024-11-11T10:57:27-09:30"),
        ("2024-11-11T10:57:27-0000", "2024-11-11T10:57:27-00:00"),
        ("2024-11-11T10:57:27.5+08", "2024-11-11T10:57:27.5+08:00"),
        ("2024-11-11t10:57:27z", "2024-11-11T10:57:27Z"),
        ("2024-11-11t10:57:27.123456789+0545", "2024-11-11T10:57:27.123456789+05:45"),
    ],
)
def test_what_is_written_otherwise_names_the_same_instant_and_is_stored_in_one_form(sent: str, stored: str) -> None:
    assert moment_text(sent) == stored
    assert instant(sent) == instant(stored)
    assert re.fullmatch(MOMENT_PATTERN, stored)


@pytest.mark.parametrize("text", ["2024-11-11T10:57:27Z", "2024-11-11T10:57:27.50-00:00", "no time", ""])
def test_what_has_the_form_and_what_is_no_time_stays_as_it_is(text: str) -> None:
    assert moment_text(text) == text


FIRST, LAST = datetime(1000, 1, 2), datetime(2999, 12, 30)  # noqa: DTZ001 - the offset is drawn apart
MOMENTS = st.builds(
    lambda at, minutes: at.replace(tzinfo=timezone(timedelta(minutes=minutes))),
    st.datetimes(FIRST, LAST),
    st.integers(-1439, 1439),
)


@settings(deadline=None)
@given(MOMENTS, MOMENTS)
def test_instants_sort_as_text_does(left: datetime, right: datetime) -> None:
    assert (instant(left.isoformat()) < instant(right.isoformat())) == (left < right)


def test_a_time_of_the_server_has_six_digits_and_a_z() -> None:
    assert utc_text(datetime(2025, 1, 22, 6, 31, tzinfo=UTC)) == "2025-01-22T06:31:00.000000Z"
    east = timezone(timedelta(hours=8))
    assert utc_text(datetime(2025, 1, 22, 6, 31, 0, 251946, tzinfo=east)) == "2025-01-21T22:31:00.251946Z"
