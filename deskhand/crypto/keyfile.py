"""Files that hold keyrings: one `keyid:key` per line, or several with commas between; `#` begins a comment.

Container platforms put secrets into such files, often readable by everybody in the container. So only a file that
everybody may *write* is refused: whoever can put a key in front can read all that is sealed from then on.
"""

import contextlib
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path

LOOK_EVERY = 1.0
"""Seconds between looks at whether a file has changed; none happens while no key is needed."""
MAX_BYTES = 64 * 1024

_HEAD = "# The first key seals, all of them open. See docs/keys.md."


class KeyFileError(Exception):
    """A key file cannot be read or written. The message is one line, without a path that a setting holds."""


_Look = tuple[int, ...] | str
"""What tells one state of a file from another: identity, times and size, or why it cannot be looked at."""


class KeyFile:
    """A key file and whether it has changed since it was read. `clock` is monotonic, in seconds."""

    def __init__(self, path: Path | str, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = Path(path)
        self._clock = clock
        self._seen: _Look = "never read"
        self._looked_at = self._looked_again_at = -LOOK_EVERY

    def read(self) -> str:
        """The keyring's text, as `Keyring.parse` takes it.

        Raises:
            KeyFileError: it cannot be read, or must not be used.
        """
        # Before the content: a change in between is seen at the next look. What could not be read is tried again then.
        seen, self._seen = self._look(), "never read"
        content = _content(self.path)
        self._seen = seen
        return ",".join(_entries(content))

    def changed(self, *, now: bool = False) -> bool:
        """Whether it is another file, or in another state, than at the last `read`.

        It is looked at once a second at most; with `now` at once, if no other caller has just had that.
        """
        moment = self._clock()
        if now and moment - self._looked_again_at >= LOOK_EVERY:
            self._looked_again_at = moment
        elif moment - self._looked_at < LOOK_EVERY:
            return False
        self._looked_at = moment
        return self._look() != self._seen

    def _look(self) -> _Look:
        try:
            found = self.path.stat()  # through links: that is how Kubernetes replaces a secret
        except OSError as error:
            return _why(error)
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode


def create(path: Path, entries: Sequence[str]) -> None:
    """Make a key file that only this account may read (mode 600).

    Raises:
        KeyFileError: there is one already, or it cannot be made.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(_text([_HEAD], entries))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise KeyFileError(f"{path} exists already: it is left as it is") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be made: {_why(error)}") from None


def write(path: Path, entries: Sequence[str]) -> None:
    """Put these keys into a key file, whole or not at all, for the same owner and with the same mode.

    Comments at its top stay; others go with the lines that they were in.

    Raises:
        KeyFileError: it cannot be written; what was there still is.
    """
    place = path.resolve()
    made = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        head = list(takewhile(lambda line: line.startswith("#"), _content(place).splitlines()))
        was = place.stat()
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(_text(head, entries))
            if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), was.st_uid, was.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(was.st_mode))
            file.flush()
            os.fsync(file.fileno())
        made.replace(place)
        _keep_name(place.parent)
    except OSError as error:
        raise KeyFileError(f"it cannot be written by this account: {_why(error)}") from None
    finally:
        with contextlib.suppress(OSError):
            made.unlink()


@contextlib.contextmanager
def changing(path: Path) -> Iterator[None]:
    """While nobody else on this machine who asks the same changes a key file in this folder.

    Raises:
        KeyFileError: the folder cannot be opened.
    """
    try:
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise KeyFileError(f"its folder cannot be opened: {_why(error)}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _content(path: Path) -> str:
    try:
        # A pipe that nobody writes to must not keep us waiting.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileError(f"cannot be read: {_why(error)}") from None
    try:
        mode = os.fstat(opened).st_mode
        if not stat.S_ISREG(mode):
            raise KeyFileError("is not a file")
        if mode & stat.S_IWOTH:
            raise KeyFileError("everybody on this machine may write to it: take that right away (chmod o-w)")
        content = os.read(opened, MAX_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"cannot be read: {_why(error)}") from None
    finally:
        os.close(opened)
    if len(content) > MAX_BYTES:
        raise KeyFileError(f"holds more than {MAX_BYTES} bytes: it is no key file")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise KeyFileError("is not text") from None


def _entries(content: str) -> list[str]:
    lines = (line.partition("#")[0] for line in content.splitlines())
    entries = [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]
    if not entries:
        raise KeyFileError("holds no key")
    return entries


def _text(head: Sequence[str], entries: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in (*head, *entries))


def _keep_name(folder: Path) -> None:
    """Have the folder's new entry outlive a loss of power."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__
