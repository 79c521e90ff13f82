"""A bounded rate for what is done to many runs one after the other."""

import asyncio
import time
from collections.abc import Callable

PER_SECOND = 5.0
"""How many runs are signalled, cancelled or started a second: what they wait for has only just recovered."""


class Pace:
    """Lets through at most `per_second` callers a second, evenly. `clock` is monotonic, in seconds."""

    def __init__(self, per_second: float = PER_SECOND, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_second
        self._clock = clock
        self._next = clock()

    async def turn(self) -> None:
        """Wait for one's turn."""
        now = self._clock()
        at = max(now, self._next)
        self._next = at + self._interval
        await asyncio.sleep(at - now)
