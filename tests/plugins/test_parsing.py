"""Times and priorities in vendors' spellings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


fixed = settings(derandomize=True, database=None, deadline=None, max_examples=200)

offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=offsets)  # noqa: DTZ001  # strategies want naive bounds
whole_milliseconds = moments.map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def basic(moment: datetime) -> str:
    """With its offset as Jira writes it: `+0530`, no colon."""
    return moment.isoformat(timespec="milliseconds")[:-3] + moment.isoformat()[-2:]


SPELLINGS: dict[str, Callable[[datetime], object]] = {
    "number": milliseconds,
    "digits": lambda moment: str(milliseconds(moment)),
    "value of number": lambda moment: {"value": milliseconds(moment)},
    "value of digits": lambda moment: {"value": str(milliseconds(moment)), "display_value": "Jun 16, 2023"},
    "value of ISO": lambda moment: {"value": moment.isoformat()},
    "offset with colon": lambda moment: moment.isoformat(),
    "offset without colon": basic,
    "Z": lambda moment: moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    "nanoseconds": lambda moment: moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
    "space around": lambda moment: f" {moment.isoformat()}\n",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@fixed
@given(moment=whole_milliseconds)
def test_any_time_survives_any_vendors_spelling(spelling: str, moment: datetime) -> None:
    read = parse_time(SPELLINGS[spelling](moment))
    assert read == moment
    assert read is not None
    assert read.tzinfo is UTC


@fixed
@given(moments)
def test_whole_seconds_and_finer_than_a_millisecond_survive_as_iso(moment: datetime) -> None:
    assert parse_time(moment.isoformat()) == moment
    assert parse_time(moment.isoformat(timespec="seconds")) == moment.replace(microsecond=0)


@fixed
@given(moments)
def test_a_time_without_its_offset_is_none(moment: datetime) -> None:
    assert parse_time(moment.replace(tzinfo=None).isoformat()) is None
    assert parse_time(moment.date().isoformat()) is None


json_values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.just("value") | st.text(), inner),
    max_leaves=10,
)
time_like = st.text("0123456789:+-TZzW., \t\u0661²\ud800", max_size=40)
spoiled = st.tuples(moments.map(datetime.isoformat), st.integers(0, 40), time_like).map(
    lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + 1 :]
)


@settings(fixed, max_examples=1_000)
@given(json_values | time_like | spoiled | st.integers(-(10**20), 10**20))
def test_whatever_stands_for_a_time_is_utc_or_none_and_never_an_error(value: object) -> None:
    moment = parse_time(value)
    assert moment is None or moment.tzinfo is UTC


@fixed
@given(json_values | time_like | spoiled)
def test_what_is_no_time_is_refused_and_not_quoted(value: object) -> None:
    try:
        assert time_or(value, MOMENT, "created_at").tzinfo is UTC
    except ValidationError as refused:
        assert str(refused) == "created_at: must be milliseconds since 1970 or ISO 8601 with an offset"  # noqa: PT017  # either is right
