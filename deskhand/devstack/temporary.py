"""A place for the state of a stack that nobody wants to keep: of tests, of the bench."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskhand.devstack import clean


@contextmanager
def temporary_state(prefix: str) -> Iterator[Path]:
    """A folder that is not made yet, and deleted afterwards with everything that a stack put into and beside it."""
    # Not in a closed folder such as pytest's own: as root, PostgreSQL's account must pass through, or every stack would
    # copy 40 MB.
    place = Path(tempfile.mkdtemp(prefix=prefix))
    place.chmod(0o711)
    try:
        yield place / "state"
    finally:
        try:
            clean.clean(place / "state")
        finally:
            shutil.rmtree(place)
