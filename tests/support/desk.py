"""What tests do to a running stack: connect tenants, make tickets, send deliveries, read runs and notes."""

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import httpx
from pydantic import SecretStr
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHandle
from temporalio.testing import TimeSkipper

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyfile import KeyFile
from deskhand.crypto.keyring import FileKeys
from deskhand.db.pool import Pool, create_pool, transaction
from deskhand.devstack.stack import Stack
from deskhand.devstack.temporal import NAMESPACE
from deskhand.pretend.tools import load_tools
from deskhand.settings import Settings
from deskhand.tenants.admin import NewTenant, TenantAdmin
from deskhand.tenants.sealing import Connection
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.model import Event
from plugins.fields import split_secrets
from plugins.registry import load_plugins
from plugins.rendering import adf_to_text, html_to_text
from plugins.signatures import hmac_sha256
from plugins.tenants import WebhookSecret
from plugins.types import TenantMode, TenantSettings
from plugins.zendesk import webhook as zendesk
from workflows.contracts import ENHANCE_TICKET, TASK_QUEUE, Delivery, Patience, RunInput, RunResult
from workflows.identity import reference, workflow_id
from workflows.search_attributes import OUTCOME, TENANT, for_run

PLUGINS = load_plugins().classes
TOOLS = ("jira", "zendesk", "servicedesk_plus")
"""The tools that come with Deskhand."""
PATIENCE = Patience()
"""What a run gets whose starter says nothing of it."""
PRETEND = load_tools()
EDITIONS = tuple((tool, edition) for tool, pretend in PRETEND.items() for edition in pretend.editions)
"""Each way of connecting to each tool that there is a pretend tool of."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant that is connected: its tool knows its account and calls its webhook."""

    id: str
    tool: str
    webhook_url: str
    webhook_secret: str
    credentials: tuple[str, ...]
    """The API credentials, to be found nowhere but at the vendor."""
    account_id: str
    settings: TenantSettings
    vendor: Control

    def run(self, ticket_id: str, kind: str = "created") -> str:
        """The workflow id of a ticket's run."""
        return workflow_id(self.tool, self.id, ticket_id, kind)

    def ref(self, ticket_id: str, kind: str = "created") -> str:
        """The mark that the ticket's note carries."""
        return reference(self.tool, self.id, ticket_id, kind)


@dataclass(frozen=True, slots=True)
class Signed:
    """A webhook call as the vendor makes it."""

    url: str
    headers: dict[str, str]
    raw: bytes

    def again(self, tenant: "Tenant", raw: bytes) -> "Signed":
        """The call that this tenant's tool would make with another body."""
        headers = dict(self.headers)
        if tenant.tool == "jira":
            headers["X-Hub-Signature"] = "sha256=" + hmac_sha256(tenant.webhook_secret, raw).hex()
        elif tenant.tool == "zendesk":
            timestamp = headers[zendesk.TIMESTAMP_HEADER]
            headers[zendesk.SIGNATURE_HEADER] = zendesk.sign(tenant.webhook_secret, timestamp, raw)
        return Signed(self.url, headers, raw)

    def with_body(self, raw: bytes) -> "Signed":
        """The same call with another body under the same headers."""
        return replace(self, raw=raw)


@dataclass(frozen=True, slots=True)
class Desk:
    """A stack, and clients of all its parts."""

    stack: Stack
    http: httpx.AsyncClient
    client: Client
    skipper: TimeSkipper
    """Runs started by its client have a clock that skips whatever they wait for."""
    admin: TenantAdmin
    operator: Pool
    """The database as the operator's role sees it."""

    def vendor(self, tool: str) -> Control:
        """The control API of a pretend tool."""
        return Control(self.http, self.stack.addresses.tools[tool])

    async def clear_faults(self) -> None:
        """Have every vendor behave."""
        for tool in self.stack.addresses.tools:
            await self.vendor(tool).clear_faults()

    async def empty_spool(self) -> None:
        """Take out what tests before have left there, in quarantine mostly: it would count in the next one."""
        async with transaction(self.operator) as connection:
            await connection.execute("DELETE FROM spool")

    async def tenant(
        self,
        tool: str,
        *,
        edition: str | None = None,
        mode: TenantMode = TenantMode.LIVE,
        signature_scheme: str | None = None,
        account: Mapping[str, Any] = MappingProxyType({}),
        changed: Mapping[str, Any] = MappingProxyType({}),
    ) -> Tenant:
        """Add a tenant and connect its tool.

        Args:
            edition: the way of connecting, as the pretend tool calls it.
            account: fields of the pretend tool's account.
            changed: fields of the connection that are other than the account needs.
        """
        vendor = self.vendor(tool)
        tenant_id = f"t-{secrets.token_hex(4)}"
        webhook_secret = f"planted-{secrets.token_hex(12)}"
        fields = (await vendor.editions())[edition] if edition else {}
        made = await vendor.account(**{**fields, **account})
        plain, hidden = split_secrets(PLUGINS[tool].connection_model, {**made.connection, **changed})
        settings = TenantSettings(own_account_id=made.id, signature_scheme=signature_scheme)
        url = f"{self.stack.addresses.starter}/webhooks/{tool}/{tenant_id}"
        await self.admin.add(
            NewTenant(
                id=tenant_id,
                tool=tool,
                connection=Connection(plain, hidden),
                webhook_secrets=(WebhookSecret(SecretStr(webhook_secret)),),
                mode=mode,
                settings=settings,
            )
        )
        named = tenant_id if tool == "servicedesk_plus" else None
        await vendor.webhook(url, webhook_secret, named, signature_scheme)
        return Tenant(tenant_id, tool, url, webhook_secret, tuple(hidden.values()), made.id, settings, vendor)

    async def signed(self, tenant: Tenant, ticket_id: str, event: Event = "created") -> Signed:
        """The vendor's call for an event of a ticket; its delivery id is fresh each time."""
        call = await tenant.vendor.delivery(ticket_id, event)
        return Signed(tenant.webhook_url, call["headers"], base64.b64decode(call["body_base64"]))

    async def send(self, signed: Signed) -> httpx.Response:
        """Make the call."""
        return await self.http.post(signed.url, headers=signed.headers, content=signed.raw)

    async def start_past_the_door(
        self,
        tenant: Tenant,
        signed: Signed,
        ticket_id: str,
        *,
        workflow: str = ENHANCE_TICKET,
        kind: str = "created",
        patience: Patience = PATIENCE,
        signal: str | None = None,
    ) -> WorkflowHandle[Any, RunResult]:
        """Start the run of a delivery as only a holder of the payload key can, its clock skipping all waits.

        Args:
            signal: what the run is told before it takes its first step.
        """
        plugin = PLUGINS[tenant.tool](None, None)  # type: ignore[arg-type]  # reads headers, touches neither
        headers = {name.lower(): value for name, value in signed.headers.items()}
        delivery = Delivery(
            tool=tenant.tool,
            tenant_id=tenant.id,
            raw=signed.raw,
            signature=plugin.signature_from(headers, tenant.settings),
            received_at=datetime.now(UTC),
        )
        return await self.skipper.client.start_workflow(
            workflow,
            RunInput(delivery=delivery, patience=patience),
            id=tenant.run(ticket_id, kind),
            task_queue=TASK_QUEUE,
            search_attributes=for_run(tenant.tool, tenant.id, ticket_id),
            start_signal=signal,
            result_type=RunResult,
        )

    async def new_run(
        self, tenant: Tenant, *, patience: Patience = PATIENCE, **ticket: Any
    ) -> tuple[str, WorkflowHandle[Any, RunResult]]:
        """A new ticket, and the run of its delivery, its clock skipping all waits."""
        ticket_id = await tenant.vendor.ticket(**ticket)
        signed = await self.signed(tenant, ticket_id)
        return ticket_id, await self.start_past_the_door(tenant, signed, ticket_id, patience=patience)

    async def new_run_in_real_time(
        self, tenant: Tenant, *, patience: Patience = PATIENCE, signal: str | None = None, **ticket: Any
    ) -> tuple[str, WorkflowHandle[Any, RunResult]]:
        """The same, but its clock is the wall's until `skipper.fast_forward` moves it."""
        ticket_id = await tenant.vendor.ticket(**ticket)
        signed = await self.signed(tenant, ticket_id)
        with self.skipper.with_time_skipping_disabled():
            started = self.start_past_the_door(tenant, signed, ticket_id, patience=patience, signal=signal)
            return ticket_id, await started

    def handle(self, run: str) -> WorkflowHandle[Any, RunResult]:
        """A run that the starter started."""
        return self.client.get_workflow_handle(run, result_type=RunResult)

    async def runs_of(self, tenant: Tenant) -> int:
        """How many runs there are for a tenant."""
        return (await self.client.count_workflows(f"{TENANT.name} = '{tenant.id}'")).count


@asynccontextmanager
async def opened(stack: Stack, *, actor: str = "tests") -> AsyncIterator[Desk]:
    """The clients of a stack that runs. They outlive whatever is done to its processes."""
    payload_keys = FileKeys(KeyFile(stack.state.payload_keys_file), "payload keys")
    credential_keys = FileKeys(KeyFile(stack.state.credential_keys_file), "credential keys")
    pool = await create_pool(stack.database.operator, Settings(database_pool_size=2))
    client = await Client.connect(
        stack.addresses.temporal,
        namespace=NAMESPACE,
        data_converter=data_converter(payload_keys, allow_plaintext=False),
    )
    # A connection of its own for each call: a kept one may be closed by the server just when it is used again.
    alone = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(trust_env=False, timeout=60, limits=alone) as http:
        yield Desk(
            stack=stack,
            http=http,
            client=client,
            skipper=TimeSkipper(client),
            admin=TenantAdmin(pool, payload_keys, credential_keys, actor=actor),
            operator=pool,
        )
    await pool.close()


def outcome(description: WorkflowExecutionDescription) -> str | None:
    """The outcome that a run's search attributes name."""
    return description.typed_search_attributes.get(OUTCOME)


def note_text(note: dict[str, Any]) -> str:
    """What a stored note says."""
    body = note["body"]
    return adf_to_text(body) if isinstance(body, dict) else html_to_text(body)
