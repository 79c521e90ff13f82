"""Running until done or told to stop: the first signal cancels, later ones change nothing."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

ResultT = TypeVar("ResultT")


class StoppedBySignal(Exception):  # noqa: N818 - it is what was asked for, not an error
    """We were told to stop, and everything is cleaned up."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"stopped by {number.name}")
        self.exit_code = 128 + number
        """What a shell expects of a process that ended by that signal."""


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine in a fresh event loop.

    Raises:
        StoppedBySignal: SIGINT, SIGTERM or SIGHUP came; the coroutine was cancelled and has finished cleaning up.
    """
    received: list[signal.Signals] = []

    async def supervised() -> ResultT:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(main)

        def stop(number: signal.Signals) -> None:
            if not received:
                task.cancel()
            received.append(number)

        for number in _SIGNALS:
            loop.add_signal_handler(number, stop, number)
        try:
            return await task
        except asyncio.CancelledError:
            if received:
                raise StoppedBySignal(received[0]) from None
            raise

    return asyncio.run(supervised())
