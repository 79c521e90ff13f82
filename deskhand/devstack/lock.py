"""One stack per state folder. The lock is the kernel's: it is gone when its holder is, however that ended."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskhand.devstack.errors import DevStackError


@contextmanager
def held(folder: Path, way_out: str) -> Iterator[None]:
    """Hold the folder's lock.

    Raises:
        DevStackError: another process holds it. The message ends with `way_out`.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            raise DevStackError(f"a stack is running on {folder} already (process {holder}): {way_out}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
