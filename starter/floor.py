"""When a refused authentication is answered: at a fixed time after its body came, whatever was done meanwhile.

What the door does for a refusal takes more or less time: a tenant may be in memory or not, have one secret or several,
or none. The sender must not see that, and could: a millisecond is enough, and so are thousands of tries.

asyncio's own timers would give it away. They wait in whole milliseconds counted from when the work was done (`epoll`
takes no less), so that its fraction of a millisecond shows in when they end. A thread waits to the microsecond.
"""

import asyncio
import heapq
import itertools
import math
import threading
import time

FLOOR_SECONDS = 0.25
"""From a refused delivery's last byte to its answer. Longer than the door takes, a question to the database on a busy
machine included (docs/isolation.md has the measurements); where it takes longer still, the next multiple is waited for.
"""


class Floor:
    """Waits until the next multiple of `seconds` after a moment. With 0 it does not wait."""

    def __init__(self, seconds: float = FLOOR_SECONDS) -> None:
        self._seconds = seconds

    async def reached(self, since: float) -> None:
        """Wait. `since` is of `time.monotonic`, and not in the future."""
        if self._seconds > 0:
            periods = math.ceil((time.monotonic() - since) / self._seconds)
            await _clock.at(since + max(1, periods) * self._seconds)


class _Clock:
    """One thread for the whole process, begun when it is first needed, that wakes whoever waits for a moment."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    async def at(self, moment: float) -> None:
        """Return at `moment` of `time.monotonic`."""
        loop = asyncio.get_running_loop()
        reached: asyncio.Future[None] = loop.create_future()
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="refusals", daemon=True)
                self._thread.start()
            entry = (moment, next(self._numbers), loop, reached)
            heapq.heappush(self._waiting, entry)
            if self._waiting[0] is entry:
                self._changed.notify()
        await reached

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting or self._waiting[0][0] > time.monotonic():
                    self._changed.wait(self._waiting[0][0] - time.monotonic() if self._waiting else None)
                _, _, loop, reached = heapq.heappop(self._waiting)
            try:
                loop.call_soon_threadsafe(_set, reached)
            except RuntimeError:  # the loop is closed: nobody waits any more
                continue


def _set(reached: asyncio.Future[None]) -> None:
    if not reached.done():  # the sender may have left
        reached.set_result(None)


_clock = _Clock()
