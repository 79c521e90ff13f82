"""Spans of time, moments and foreign words as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from deskhand.runs.wording import moment, one_line, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "under 1 ms"),
        (0.0123, "12 ms"),
        (4.26, "4.2 s"),
        (59.99, "59.9 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (7_500, "2 h 5 min"),
        (7_200, "2 h"),
        (3 * 86_400 + 5 * 60, "3 d"),
        (3 * 86_400 + 4 * 3_600 + 59 * 60, "3 d 4 h"),
    ],
)
def test_two_units_at_most(seconds: float, text: str) -> None:
    assert span(timedelta(seconds=seconds)) == text


def test_a_moment_is_in_utc() -> None:
    assert moment(datetime(2026, 11, 25, 8, 0, 1, tzinfo=UTC)) == "2026-11-25 08:00:01 UTC"
    assert moment(datetime(2026, 11, 25, 8, 0, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-25 06:00:00 UTC"


def test_foreign_words_are_one_bounded_line_that_steers_no_terminal() -> None:
    assert one_line("jira says:\n\t\x1b[31mred\u202e no\x00w\r\n") == "jira says: [31mred now"
    assert one_line("x" * 400) == "x" * 299 + "…"
