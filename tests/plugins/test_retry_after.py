"""Retry-After as vendors write it, and as nobody should: seconds from now, within bounds, or nothing."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.http import LONGEST_PAUSE, retry_after_seconds

fixed = settings(derandomize=True, database=None, deadline=None, max_examples=200)

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def imf_fixdate(moment: datetime) -> str:
    """`Sun, 06 Nov 1994 08:49:37 GMT`, the form to write."""
    return format_datetime(moment, usegmt=True)


def rfc_850(moment: datetime) -> str:
    """`Sunday, 06-Nov-94 08:49:37 GMT`, obsolete."""
    day, month = DAYS[moment.weekday()], MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02}-{month}-{moment.year % 100:02} {moment:%H:%M:%S} GMT"


def asctime(moment: datetime) -> str:
    """`Sun Nov  6 08:49:37 1994`, obsolete, and in UTC without saying so."""
    day, month = DAYS[moment.weekday()][:3], MONTHS[moment.month - 1]
    return f"{day} {month} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"


@pytest.mark.parametrize(
    ("form", "written"),
    [
        (imf_fixdate, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (rfc_850, "Sunday, 06-Nov-94 08:49:37 GMT"),
        (asctime, "Sun Nov  6 08:49:37 1994"),
    ],
)
def test_the_forms_are_those_of_rfc_9110(form: Callable[[datetime], str], written: str) -> None:
    assert form(datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)) == written
    assert retry_after_seconds(written) == 1


@pytest.mark.parametrize("form", [imf_fixdate, rfc_850, asctime])
@fixed
@given(seconds=st.integers(-(10**8), 9 * 10**8))
def test_a_date_in_any_form_is_the_seconds_until_then(form: Callable[[datetime], str], seconds: int) -> None:
    before = datetime.now(UTC)
    moment = (before + timedelta(seconds=seconds)).replace(microsecond=0)
    read = retry_after_seconds(form(moment))
    left = (moment - before).total_seconds()
    passed = (datetime.now(UTC) - before).total_seconds()
    assert read is not None
    assert max(1, round(left - passed)) <= read <= max(1, round(left))


@fixed
@given(st.integers(1, LONGEST_PAUSE), st.sampled_from(["{}", " {}", "{} ", "0{}", "\t{}\r\n"]))
def test_seconds_are_themselves(seconds: int, spelling: str) -> None:
    assert retry_after_seconds(spelling.format(seconds)) == seconds


@pytest.mark.parametrize("pause", ["0", "00", "000000000000000000000000000000"])
def test_no_pause_is_the_shortest(pause: str) -> None:
    assert retry_after_seconds(pause) == 1


@fixed
@given(st.sampled_from("123456789"), st.text("0123456789", min_size=9, max_size=5_000))
def test_a_huge_pause_is_the_longest(first: str, more: str) -> None:
    assert retry_after_seconds(first + more) == LONGEST_PAUSE


@pytest.mark.parametrize("years", [40, 1_000, 7_000])
def test_a_date_too_far_off_is_the_longest(years: int) -> None:
    moment = datetime.now(UTC).replace(month=1, day=1)
    assert retry_after_seconds(imf_fixdate(moment.replace(year=moment.year + years))) == LONGEST_PAUSE


@pytest.mark.parametrize("rubbish", [None, "", " ", "-1", "1.5", "1e3", "soon", "٣", "²", "1, 2", "GMT", "Sun, 06 Nov"])
def test_what_says_nothing_is_none(rubbish: str | None) -> None:
    assert retry_after_seconds(rubbish) is None


parts = st.sampled_from(
    [
        *(
            "Sun",
            "Mon,",
            "Sunday,",
            "Nov",
            "06",
            "31",
            "1994",
            "9999",
            "0000",
            "94",
            "06-Nov-94",
            "08:49:37",
            "24:00:00",
        ),
        *(
            "99:99:99",
            "12.30",
            "12.30.45.66",
            "GMT",
            "UTC",
            "EST",
            "+0000",
            "-0000",
            "+9999",
            "-9999",
            "(c)",
            "(",
            "\\",
        ),
        *(" ", "  ", ",", ":", "-", "+", "0", "-1", "9" * 30, "\u0661", "\x00", "\ud800", "\r\n"),
    ]
)


@settings(fixed, max_examples=2_000)
@given(st.none() | st.text() | st.lists(parts, max_size=9).map(" ".join) | st.lists(parts, max_size=9).map("".join))
def test_any_header_is_none_or_within_bounds(value: str | None) -> None:
    seconds = retry_after_seconds(value)
    assert seconds is None or 1 <= seconds <= LONGEST_PAUSE
