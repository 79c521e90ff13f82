"""Times and priorities in vendors' spellings."""

from datetime import UTC, datetime

import pytest

from plugins.exceptions import ValidationError
from plugins.parsing import normalise_priority, parse_time, time_or
from plugins.types import Priority, TenantSettings

MOMENT = datetime(2023, 6, 16, 11, 51, 5, tzinfo=UTC)
NAMES: dict[str, Priority] = {"Urgent": "high", "Low": "low"}


@pytest.mark.parametrize(
    "spelling",
    [
        1686916265000,
        "1686916265000",
        {"value": "1686916265000", "display_value": "Jun 16, 2023"},
        "2023-06-16T11:51:05Z",
        "2023-06-16T11:51:05.000+0000",
        "2023-06-16T17:21:05+0530",
        "2023-06-16T06:51:05-05:00",
        " 2023-06-16T11:51:05.000000000Z ",
    ],
)
def test_a_time_in_any_vendors_spelling_is_utc(spelling: object) -> None:
    moment = parse_time(spelling)
    assert moment == MOMENT
    assert moment is not None
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "yesterday",
        "2023-06-16T11:51:05",
        "2023-06-16",
        True,
        1.5,
        [],
        10**30,
        "9" * 400,
        "0001-01-01T00:00+14:00",
    ],
)
def test_what_is_no_time_with_an_offset_is_none(value: object) -> None:
    assert parse_time(value) is None


@pytest.mark.parametrize("absent", [None, "", {"value": None}])
def test_an_absent_time_takes_the_default(absent: object) -> None:
    assert time_or(absent, MOMENT, "created_at") == MOMENT


def test_an_unreadable_time_is_refused_by_name_and_not_quoted() -> None:
    with pytest.raises(ValidationError, match=r"^created_at: must be") as refused:
        time_or("16 June 2023 at noon", MOMENT, "created_at")
    assert "noon" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("URGENT", "high"),
        (" low ", "low"),
        ({"name": "Low", "id": "4"}, "low"),
        ("Blocker", "high"),
        ("Planned", "medium"),
        (None, "medium"),
        (3, "medium"),
    ],
)
def test_priorities_are_read_without_regard_to_case_and_default_to_medium(given: object, ours: Priority) -> None:
    assert normalise_priority(given, TenantSettings(priorities={"blocker": "high"}), NAMES) == ours


def test_the_tenants_own_map_comes_before_the_tools() -> None:
    assert normalise_priority("urgent", TenantSettings(priorities={"Urgent": "low"}), NAMES) == "low"
