"""What every plugin reads from vendors' JSON: times in their many spellings, and priorities by name."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from plugins.exceptions import ValidationError
from plugins.types import Priority, TenantSettings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OUR_REF = re.compile(r"\bref dh-[0-9a-f]{12}\b")
_NUMBER = re.compile(r"[0-9]{1,20}")
_MAX_DIGITS = 15
"""Digits of a time in milliseconds: the year 9999 has fifteen."""


def parse_time(value: object) -> datetime | None:
    """A vendor's time as UTC; `None` if there is none, or it is not a time that names its offset.

    Understands milliseconds since 1970 as a number or as digits (ServiceDesk Plus), `{"value": …}` around either, and
    ISO 8601 with `Z` or any offset, `+0530` and nanoseconds included (Jira, Zendesk).
    """
    if isinstance(value, Mapping):
        value = value.get("value")
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _from_milliseconds(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return _from_milliseconds(int(text)) if len(text) <= _MAX_DIGITS else None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def time_or(value: object, default: datetime, field: str) -> datetime:
    """A payload's time as UTC, or `default` where the payload has none.

    Raises:
        ValidationError: naming `field`: there is something, and it is no time. A time without an offset is none.
    """
    if isinstance(value, Mapping):
        value = value.get("value")
    if value is None or value == "":
        return default
    moment = parse_time(value)
    if moment is None:
        raise ValidationError(f"{field}: must be milliseconds since 1970 or ISO 8601 with an offset")
    return moment


def number_id(value: object, field: str, what: str) -> str:
    """A vendor's numeric id: whole numbers and strings of digits are taken, and each has one spelling ("0042" is 42).

    Raises:
        ValidationError: anything else, such as a placeholder that was not filled in. `what` says whose number it is.
    """
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and _NUMBER.fullmatch(text.strip()):
        return str(int(text))
    raise ValidationError(f"{field}: must be the number of a {what}")


def optional_text(value: object, field: str) -> str:
    """A payload's text; empty where it has none.

    Raises:
        ValidationError: naming `field`: there is something else.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValidationError(f"{field}: must be text")
    return value


def text_or_empty(value: object) -> str:
    """A vendor's text; empty where the vendor has none, or something else."""
    return value if isinstance(value, str) else ""


def normalise_priority(value: object, settings: TenantSettings, names: Mapping[str, Priority]) -> Priority:
    """Ours for the vendor's priority, a name, a number or `{"name": …}`, without regard to case.

    The tenant's own map comes before `names`, the tool's; unknown or missing is `medium`.
    """
    if isinstance(value, Mapping):
        value = value.get("name")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return "medium"
    name = value.strip().casefold()
    if name in settings.priorities:
        return settings.priorities[name]
    return {known.casefold(): ours for known, ours in names.items()}.get(name, "medium")


def _from_milliseconds(number: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=number)
    except OverflowError:
        return None


def is_our_note(text: str) -> bool:
    """Whether a comment's text is a note of Deskhand's, by the `ref` in its footer."""
    return _OUR_REF.search(text) is not None
