"""Durations as an operator writes them: a whole number and its unit, such as 90s, 15m, 2h or 3d."""

import re
from datetime import timedelta

from deskhand.cli.errors import CliError

_DURATION = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=3650)


def parse_duration(option: str, text: str) -> timedelta:
    """The duration that was given as this option; longer than nothing, ten years at most.

    Raises:
        CliError: naming the option and the way out.
    """
    found = _DURATION.fullmatch(text.strip())
    duration = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < duration <= LONGEST:
        raise CliError(f"{option}: must be a whole number and its unit, such as 90s, 15m, 2h or 3d")
    return duration
