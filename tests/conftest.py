"""The whole stack, as processes, once per test session."""

from collections.abc import AsyncIterator

import pytest

from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State
from deskhand.devstack.temporary import temporary_state
from tests.support.desk import Desk, opened

TIME_SKIPPING = {
    "frontend.WorkflowTimeSkippingEnabled": "true",
    # It hangs without a word at the default of 200.
    "frontend.WorkflowTimeSkippingMaxSkipPerSession": "5000",
    # Or the deletion of a finished run takes a minute.
    "history.visibilityProcessorUpdateAckInterval": '"1s"',
    "history.transferProcessorUpdateAckInterval": '"1s"',
}


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Stack]:
    """PostgreSQL, Temporal, codec, pretend tools, starter and worker, each a process of its own."""
    with temporary_state("deskhand-test-") as folder:
        async with Stack(State.open(folder), temporal_config=TIME_SKIPPING) as stack:
            yield stack


@pytest.fixture(scope="session")
async def shared_desk(stack: Stack) -> AsyncIterator[Desk]:
    """What tests do to the stack. Ask for `desk`."""
    async with opened(stack) as desk:
        yield desk


@pytest.fixture
async def desk(shared_desk: Desk) -> AsyncIterator[Desk]:
    """What tests do to the stack, with no fault switched on before or after, and nothing left in the spool before."""
    await shared_desk.clear_faults()
    await shared_desk.empty_spool()
    yield shared_desk
    await shared_desk.clear_faults()
