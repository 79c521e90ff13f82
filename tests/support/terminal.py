"""A command on a terminal: what it shows, and what somebody types."""

import asyncio
import fcntl
import os
import pty
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self


class Terminal:
    """A process whose standard streams are a terminal of its own, which is its controlling one, too."""

    def __init__(self, process: asyncio.subprocess.Process, screen: int) -> None:
        self._process = process
        self._screen = screen
        self._shown = ""
        self._read_to = 0

    @classmethod
    async def run(cls, command: Sequence[str], env: Mapping[str, str], folder: Path) -> Self:
        """Start the command there."""
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=dict(env),
            cwd=folder,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        return cls(process, ours)

    async def answer(self, prompt: str, text: str) -> None:
        """Wait until the command asks this and nothing more, then type the text and Enter."""
        while not self._shown[self._read_to :].endswith(prompt):
            assert await self._more(), f"ended without asking {prompt!r}; shown was:\n{self._shown}"
        self._read_to = len(self._shown)
        os.write(self._screen, f"{text}\n".encode())

    async def end(self) -> tuple[int, str]:
        """Its exit code, and all that was on the screen, what was typed and echoed among it."""
        while await self._more():
            pass
        code = await self._process.wait()
        os.close(self._screen)
        return code, self._shown

    async def _more(self) -> bool:
        try:
            read = await asyncio.to_thread(os.read, self._screen, 4096)
        except OSError:  # what Linux says once nobody has the other side open
            return False
        self._shown += read.decode().replace("\r\n", "\n")
        return bool(read)
