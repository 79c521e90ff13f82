"""Delete the development stack's state folder. Needs the standard library alone: `make clean` runs it.

python -m deskhand.devstack.clean FOLDER
"""

import shutil
import sys
from pathlib import Path

from deskhand.devstack import lock
from deskhand.devstack.errors import DevStackError
from deskhand.devstack.placement import remove_cluster

_KEYS = ("payload.keys", "keys.json")
"""What tells that a folder is ours; the second is what older versions made."""


def clean(folder: Path) -> None:
    """Delete the folder, and what PostgreSQL keeps for it elsewhere.

    Raises:
        DevStackError: a stack is running on it, or it is no state folder.
    """
    if not folder.exists():
        return
    if not any((folder / name).exists() for name in _KEYS):
        raise DevStackError(f"{folder} is not the state folder of a development stack: it is left alone")
    with lock.held(folder, "stop it first"):
        remove_cluster(folder / "postgres")
        shutil.rmtree(folder)


def main(arguments: list[str]) -> int:
    """Clean the one folder named; the exit status."""
    try:
        clean(Path(arguments[0]).absolute())
    except DevStackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
