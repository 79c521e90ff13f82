"""How far long work is, on standard error: one changing line on a terminal, a line every few seconds elsewhere."""

import sys
import time

EVERY_SECONDS = 5.0
"""How often a line is written where standard error is no terminal."""
REDRAW_SECONDS = 0.1


class Progress:
    """Say how far it is with `say`, as often as one likes; `clear` takes a terminal's changing line away."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._terminal else EVERY_SECONDS)
        self._shown = False

    def say(self, text: str) -> None:
        """How far it is now."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (REDRAW_SECONDS if self._terminal else EVERY_SECONDS)
        self._shown = True
        sys.stderr.write(f"\r\x1b[K{text}" if self._terminal else f"{text}\n")
        sys.stderr.flush()

    def clear(self) -> None:
        """Nothing is under way any more."""
        if self._terminal and self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        self._shown = False
