"""Spans of time, moments and foreign words as people read them on a terminal."""

from datetime import UTC, datetime, timedelta

from plugins.rendering.characters import printable

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def span(duration: timedelta) -> str:
    """`120 ms`, `4.2 s`, `5 min`, `2 h 5 min`, `3 d 4 h`: two units at most, rounded down."""
    seconds = max(0.0, duration.total_seconds())
    if seconds < 0.001:
        return "under 1 ms"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{int(seconds * 10) / 10:g} s"
    parts = []
    rest = int(seconds)
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 run`, `3 runs`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def moment(when: datetime) -> str:
    """`2026-11-25 06:56:26 UTC`."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def one_line(text: str, limit: int = 300) -> str:
    """Foreign words on one line of at most `limit` characters, with nothing in them that steers a terminal."""
    plain = " ".join(printable(text).split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
