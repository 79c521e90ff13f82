"""Our way: the whole stack as processes on a fresh state, with one tenant connected and some history."""

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import SecretStr
from temporalio.client import Client, WorkflowHandle

from bench import tickets
from bench.frame import BenchError
from bench.sending import Sender
from bench.sides import TOOL, Call, Side
from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import create_pool
from deskhand.devstack.services import WORKER
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import State
from deskhand.devstack.temporal import NAMESPACE
from deskhand.devstack.temporary import temporary_state
from deskhand.note.history import TicketHistory
from deskhand.settings import Settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.sealing import Connection
from plugins.conformance.pretend.controlling import Control
from plugins.fields import split_secrets
from plugins.registry import load_plugins
from plugins.tenants import WebhookSecret
from plugins.types import TenantSettings
from workflows.contracts import Outcome, RunResult

EARLIER_TICKETS = 200
"""What our tenant's history holds: an empty one would be searched in no time, and make a shorter note."""


class Ours(Side):
    """The whole stack: starter, worker, codec, PostgreSQL."""

    def __init__(self, client: Client, vendor: Control, stack: Stack, sender: Sender, path: str) -> None:
        super().__init__(client, vendor, stack.pids)
        self.stack = stack
        self._sender = sender
        self._path = path

    async def start(self, call: Call) -> WorkflowHandle[Any, Any]:
        """Send the webhook: HTTP in, 202 out."""
        status, said = await self._sender.post(self._path, call.headers, call.body)
        if status != 202:
            raise BenchError(f"the starter answered {status} to a webhook")
        return self.client.get_workflow_handle(json.loads(said)["run"], result_type=RunResult)

    async def stop_worker(self) -> None:
        """As an operator does."""
        await self.stack.stop(WORKER)

    def posted(self, result: Any) -> bool:
        """By the outcome."""
        return isinstance(result, RunResult) and result.outcome is Outcome.POSTED


@asynccontextmanager
async def ours() -> AsyncIterator[Ours]:
    """Everything of ours on a fresh state, with one tenant connected and some history."""
    with temporary_state("deskhand-bench-") as folder:
        async with (
            Stack(State.open(folder)) as stack,
            httpx.AsyncClient(trust_env=False, timeout=30) as http,
        ):
            vendor = Control(http, stack.addresses.tools[TOOL])
            tenant_id = await connect(stack, vendor, TOOL)
            await _remember(stack, tenant_id)
            sender = Sender(stack.addresses.starter)
            path = f"/webhooks/{TOOL}/{tenant_id}"
            yield Ours(await client_of(stack), vendor, stack, sender, path)
            await sender.close()


async def connect(stack: Stack, vendor: Control, tool: str) -> str:
    """Add a tenant for a pretend tool and have the tool call its webhook; the tenant's id."""
    tenant_id, webhook_secret = f"bench-{secrets.token_hex(3)}", secrets.token_hex(16)
    account = await vendor.account()
    plain, hidden = split_secrets(load_plugins().classes[tool].connection_model, account.connection)
    pool = await create_pool(stack.database.operator, Settings(database_pool_size=1))
    payload_keys, credential_keys = Keyring.parse(stack.state.payload_keys), Keyring.parse(stack.state.credential_keys)
    await TenantAdmin(pool, payload_keys, credential_keys, actor="bench").add(
        NewTenant(
            id=tenant_id,
            tool=tool,
            connection=Connection(plain, hidden),
            webhook_secrets=(WebhookSecret(SecretStr(webhook_secret)),),
            settings=TenantSettings(own_account_id=account.id),
        )
    )
    await pool.close()
    await vendor.webhook(f"{stack.addresses.starter}/webhooks/{tool}/{tenant_id}", webhook_secret)
    return tenant_id


async def client_of(stack: Stack) -> Client:
    """A client that reads what the stack's runs come to."""
    return await Client.connect(
        stack.addresses.temporal,
        namespace=NAMESPACE,
        data_converter=data_converter(Keyring.parse(stack.state.payload_keys), allow_plaintext=False),
    )


async def _remember(stack: Stack, tenant_id: str) -> None:
    pool = await create_pool(stack.database.app, Settings(database_pool_size=1))
    history = TicketHistory(pool)
    for number in range(EARLIER_TICKETS):
        await history.record(tickets.solved(TOOL, tenant_id, number))
    await pool.close()
