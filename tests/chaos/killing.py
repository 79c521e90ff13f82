"""Killing processes with SIGKILL as planned, and starting each again after its time."""

import asyncio
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from deskhand.devstack.errors import DevStackError
from deskhand.devstack.stack import POSTGRES, Stack
from deskhand.devstack.waiting import until
from tests.chaos.plan import Kill

START_TRIES = 6
"""What a process needs to be ready may be down itself: each try lasts as long as the process may take to start."""
CHILDREN_SECONDS = 20.0
"""How long PostgreSQL's own children may take to notice that their parent is gone."""


class Killer:
    """Kills processes of a stack, one at a time or together, and keeps the books."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._names = tuple(stack.pids)
        self._down: set[str] = set()
        self.away: defaultdict[str, list[float]] = defaultdict(list)
        """For each kill of a process, the seconds until it was ready again."""
        self.accidents: list[str] = []
        """What ended without being killed, or would not start again."""

    async def follow(self, kills: Sequence[Kill], began: float) -> None:
        """Kill one process at each of these times, counted from `began` on the monotonic clock.

        One that is not ready at its time yet is killed as soon as it is.
        """
        for kill in kills:
            await asyncio.sleep(max(0.0, began + kill.at - time.monotonic()))
            await self.kill(kill.process, kill.down)

    async def kill(self, name: str, down: float) -> None:
        """Kill a process, wait that many seconds, and start it again."""
        await self.revive(name)
        self._down.add(name)
        killed = time.monotonic()
        orphans = _children(self._stack.pids[name]) if name == POSTGRES else []
        self._stack.kill(name)
        await asyncio.sleep(down)
        # What is left of PostgreSQL still uses the memory that the next one asks for; it ends itself.
        if not await until(lambda: not any(map(_lives, orphans)), CHILDREN_SECONDS):
            self.accidents.append(f"{name}: children of the killed process were there {CHILDREN_SECONDS:g} s later")
        await self._start(name)
        self._down.discard(name)
        self.away[name].append(time.monotonic() - killed)

    async def revive(self, *names: str) -> None:
        """Start what has ended though nobody killed it, and put that on record. By default everything is looked at."""
        for name in names or self._names:
            if name not in self._stack.pids and name not in self._down:
                self.accidents.append(f"{name} ended by itself: {_last_words(self._stack, name)}")
                await self._start(name)

    async def _start(self, name: str) -> None:
        for last in (False,) * (START_TRIES - 1) + (True,):
            try:
                await self._stack.start(name)
            except DevStackError as error:
                if last:
                    raise
                self.accidents.append(f"{name} did not start: {str(error).splitlines()[0]}")
            else:
                return


def _children(pid: int) -> list[int]:
    listed = subprocess.run(
        ("/bin/ps", "-A", "-o", "pid=,ppid="), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [int(child) for child, parent in map(str.split, listed) if int(parent) == pid]


def _lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def _last_words(stack: Stack, name: str) -> str:
    return " | ".join(stack.state.log(name).read_text(errors="replace").splitlines()[-5:])
