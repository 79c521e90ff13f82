"""What tests of the stack itself share: a place for a state of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deskhand.devstack.temporary import temporary_state


@pytest.fixture
def state_folder() -> Iterator[Path]:
    """Where a test's own stack keeps its state; not made yet, deleted afterwards."""
    with temporary_state("deskhand-test-") as folder:
        yield folder


@pytest.fixture(scope="module")
def module_state_folder() -> Iterator[Path]:
    """The same for a stack that the tests of a module share."""
    with temporary_state("deskhand-test-") as folder:
        yield folder
