"""One child process: started through `guard`, logged to a file, waited for until it is ready, stopped for good.

Children are in a session of their own, so that Ctrl-C reaches only the supervisor, which then stops them in order. On
Linux they die with the supervisor, however it dies. The kernel ties them to the *thread* that started them: start them
from the main thread.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deskhand.devstack import guard
from deskhand.devstack.errors import DevStackError
from deskhand.devstack.waiting import POLL_SECONDS, until

_SHOWN_LOG_LINES = 15


@dataclass(frozen=True, slots=True)
class Account:
    """An ordinary account of the system to run a process as."""

    name: str
    uid: int
    gid: int


def guarded(
    argv: Sequence[str],
    *,
    folder: Path,
    account: Account | None = None,
    orphan_signal: signal.Signals = signal.SIGKILL,
) -> list[str]:
    """The command that runs `argv` in a folder, as an account, and not beyond the life of this process."""
    who = f"{account.uid}:{account.gid}" if account else "-"
    launcher = [sys.executable, "-I", "-S", guard.__file__, str(os.getpid()), str(int(orphan_signal))]
    return [*launcher, who, str(folder), *argv]


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """What to run, and how to tell that it works. `env` is the whole environment: nothing is inherited."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    log: Path
    folder: Path
    ready: Callable[[int], Awaitable[bool]]
    """Asked, with the process id, until it says yes. An exception of its own ends the wait and is passed on."""
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends when the supervisor is gone."""
    start_seconds: float = 30
    stop_seconds: float = 10
    """How long it may take after `stop_signal` before it is killed."""


class ChildProcess:
    """A process made from a `ProcessSpec`. It can be started again after it has ended."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id of the latest start.

        Raises:
            DevStackError: it was never started.
        """
        if self._popen is None:
            raise DevStackError(f"{self.spec.name} has not been started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            DevStackError: it ended first or is not ready in `start_seconds`; the message shows its last log lines.
        """
        if self.running:
            raise DevStackError(f"{self.spec.name} is running already")
        self._popen = self._spawn()
        try:
            async with asyncio.timeout(self.spec.start_seconds):
                while not await self.spec.ready(self.pid):
                    self.check()
                    await asyncio.sleep(POLL_SECONDS)
            self.check()  # another process on its port could have answered for it
        except TimeoutError:
            await self.stop()
            raise DevStackError(self._story(f"was not ready after {self.spec.start_seconds:g} s")) from None
        except BaseException:
            await self.stop()
            raise

    def check(self) -> None:
        """Make sure that it is still running.

        Raises:
            DevStackError: it ended; the message says how and shows its last log lines.
        """
        if self._popen is not None and (code := self._popen.poll()) is not None:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
            raise DevStackError(self._story(how))

    async def stop(self) -> None:
        """Ask it to stop, wait, and kill what is left. Safe to call at any time."""
        if not self._signal(self.spec.stop_signal):
            return
        try:
            ended = await until(lambda: not self.running, self.spec.stop_seconds)
        except asyncio.CancelledError:
            self.kill()
            raise
        if not ended:
            self.kill()

    def kill(self) -> None:
        """End it and whatever it started at once (SIGKILL), and reap it."""
        if self._popen is not None and self._popen.poll() is None:
            os.killpg(self._popen.pid, signal.SIGKILL)
            self._popen.wait()

    def last_lines(self, count: int = _SHOWN_LOG_LINES) -> list[str]:
        """The last lines it logged since its latest start."""
        try:
            with self.spec.log.open("rb") as log:
                log.seek(max(self._log_start, log.seek(0, os.SEEK_END) - 32 * 1024))
                return log.read().decode(errors="replace").splitlines()[-count:]
        except FileNotFoundError:
            return []

    def _spawn(self) -> subprocess.Popen[bytes]:
        spec = self.spec
        descriptor = os.open(spec.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._log_start = os.lseek(descriptor, 0, os.SEEK_END)
            return subprocess.Popen(
                guarded(spec.argv, folder=spec.folder, account=spec.account, orphan_signal=spec.orphan_signal),
                env=dict(spec.env),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)

    def _signal(self, number: signal.Signals) -> bool:
        if self._popen is None or self._popen.poll() is not None:
            return False
        self._popen.send_signal(number)
        return True

    def _story(self, what: str) -> str:
        lines = "".join(f"\n  | {line}" for line in self.last_lines())
        return f"{self.spec.name} {what}. Its log is {self.spec.log}" + (f"; the last lines:{lines}" if lines else ".")
