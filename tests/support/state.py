"""A place for a stack's state, where PostgreSQL's account can pass through."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskhand.devstack import clean


@contextmanager
def new_state_folder() -> Iterator[Path]:
    """A folder that is not made yet, and deleted afterwards with everything that a stack put into and beside it."""
    # Not pytest's own folders: as root, PostgreSQL's account could not pass through, and every stack would copy 40 MB.
    place = Path(tempfile.mkdtemp(prefix="deskhand-test-"))
    place.chmod(0o711)
    try:
        yield place / "state"
        clean.clean(place / "state")
    finally:
        shutil.rmtree(place)
