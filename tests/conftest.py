"""The whole stack, as processes, once per test session."""

from collections.abc import AsyncIterator

import httpx
import pytest
from temporalio.client import Client
from temporalio.testing import TimeSkipper

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import create_pool
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State
from deskhand.devstack.temporal import NAMESPACE
from deskhand.devstack.temporary import temporary_state
from deskhand.settings import Settings
from deskhand.tenants.admin import TenantAdmin
from tests.support.desk import Desk

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
    payload_keys = Keyring.parse(stack.state.payload_keys)
    credential_keys = Keyring.parse(stack.state.credential_keys)
    pool = await create_pool(stack.database.operator, Settings(database_pool_size=2))
    client = await Client.connect(
        stack.addresses.temporal,
        namespace=NAMESPACE,
        data_converter=data_converter(payload_keys, allow_plaintext=False),
    )
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        yield Desk(
            stack=stack,
            http=http,
            client=client,
            skipper=TimeSkipper(client),
            admin=TenantAdmin(pool, payload_keys, credential_keys, actor="tests"),
        )
    await pool.close()


@pytest.fixture
async def desk(shared_desk: Desk) -> AsyncIterator[Desk]:
    """What tests do to the stack, with no fault switched on before or after."""
    await shared_desk.clear_faults()
    yield shared_desk
    await shared_desk.clear_faults()
