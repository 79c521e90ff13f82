"""`deskhand` as an operator runs it: a process of its own, on a stack."""

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.desk import Desk


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed."""
        return self.out.splitlines()

    def failed_with(self, message: str) -> bool:
        """Whether it failed with this in one readable line and nothing else."""
        lines = self.err.splitlines()
        return self.code != 0 and self.out == "" and len(lines) == 1 and message in lines[0]


async def started(desk: Desk, *arguments: str, **settings: str | None) -> asyncio.subprocess.Process:
    """`deskhand …` on the stack. A setting of `None` is left out."""
    environment = {**desk.stack.command_environment(), **settings}
    return await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("deskhand")), *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: value for name, value in environment.items() if value is not None},
        # A shell has what it runs in the background ignore Ctrl-C, and so would all that these tests start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


async def deskhand(desk: Desk, *arguments: str, given: str | None = None, **settings: str | None) -> Done:
    """Run it to its end; `given` is its standard input."""
    process = await started(desk, *arguments, **settings)
    out, err = await process.communicate((given or "").encode())
    return Done(process.returncode or 0, out.decode(), err.decode())
