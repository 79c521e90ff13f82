"""Durations on the command line."""

from datetime import timedelta

import pytest

from deskhand.cli.durations import parse_duration
from deskhand.cli.errors import CliError


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        (" 3d ", timedelta(days=3)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_a_number_and_its_unit(text: str, duration: timedelta) -> None:
    assert parse_duration("--since", text) == duration


@pytest.mark.parametrize(
    "text", ["", "2", "h", "2 h", "-2h", "1.5h", "2w", "2H", "0s", "2h30m", "3651d", "9999999s", "٢h"]
)
def test_a_bad_one_names_the_option_and_the_way_out(text: str) -> None:
    with pytest.raises(CliError) as caught:
        parse_duration("--since", text)
    assert str(caught.value) == "--since: must be a whole number and its unit, such as 90s, 15m, 2h or 3d"
