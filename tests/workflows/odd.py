"""A worker beside the stack's own, with plugins that lack something, and tenants of theirs."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deskhand_freshservice.plugin import FreshserviceConnection, FreshservicePlugin
from pydantic import SecretStr

from deskhand.devstack.process import ChildProcess
from deskhand.devstack.services import WORKER, Services
from deskhand.devstack.stack import Stack
from deskhand.devstack.temporal import polls
from deskhand.tenants.admin import NewTenant
from deskhand.tenants.sealing import Connection
from plugins.fields import split_secrets
from plugins.tenants import WebhookSecret
from plugins.types import TenantSettings
from tests.support.desk import PATIENCE, Desk, Tenant
from tests.workflows.odd_plugins import BlindPlugin, FaultyPlugin, MistakenPlugin
from tests.workflows.seen import Handle
from workflows.contracts import ENHANCE_TICKET, Delivery, Patience, RunInput, RunResult
from workflows.search_attributes import for_run

QUEUE = "odd"
PLUGINS: Sequence[type[FreshservicePlugin]] = (BlindPlugin, FaultyPlugin, MistakenPlugin)


def odd_worker(stack: Stack, site: Path) -> ChildProcess:
    """A worker on a task queue of its own that finds more plugins than the stack's: `site` says they are installed."""
    package = site / "odd_plugins-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-plugins\nVersion: 1\n")
    lines = [f"{plugin.__tool_type__} = {plugin.__module__}:{plugin.__name__}\n" for plugin in PLUGINS]
    (package / "entry_points.txt").write_text("[deskhand.plugins]\n" + "".join(lines))
    (usual,) = [spec for spec in Services(stack.state, stack.database).specs() if spec.name == WORKER]
    return ChildProcess(
        replace(
            usual,
            name="odd worker",
            env={**usual.env, "DESKHAND_TASK_QUEUE": QUEUE, "PYTHONPATH": str(site)},
            log=stack.state.log("odd-worker"),
            ready=lambda pid: polls(stack.addresses.temporal, QUEUE, pid),
        )
    )


@dataclass(frozen=True, slots=True)
class Odd:
    """What tests do with that worker. All of its plugins are for the pretend Freshservice."""

    desk: Desk
    worker: ChildProcess

    async def tenant(self, plugin: type[FreshservicePlugin]) -> Tenant:
        """Add a tenant of this plugin's tool."""
        vendor = self.desk.vendor("freshservice")
        made = await vendor.account()
        plain, hidden = split_secrets(FreshserviceConnection, dict(made.connection))
        tenant_id, secret = f"t-{secrets.token_hex(4)}", f"planted-{secrets.token_hex(12)}"
        settings = TenantSettings(own_account_id=made.id)
        tool = plugin.__tool_type__
        await self.desk.admin.add(
            NewTenant(
                id=tenant_id,
                tool=tool,
                connection=Connection(plain, hidden),
                webhook_secrets=(WebhookSecret(SecretStr(secret)),),
                settings=settings,
            )
        )
        url = f"{self.desk.stack.addresses.starter}/webhooks/{tool}/{tenant_id}"
        await vendor.webhook(url, secret)
        return Tenant(tenant_id, tool, url, secret, tuple(hidden.values()), made.id, settings, vendor)

    async def new_run(self, tenant: Tenant, *, patience: Patience = PATIENCE) -> tuple[str, Handle]:
        """A new ticket, and a run as reconciliation starts it, its clock skipping all waits."""
        ticket_id = await tenant.vendor.ticket()
        signed = await self.desk.signed(tenant, ticket_id)
        delivery = Delivery(
            tool=tenant.tool,
            tenant_id=tenant.id,
            raw=signed.raw,
            received_at=datetime.now(UTC),
            origin="reconcile",
        )
        return ticket_id, await self.desk.skipper.client.start_workflow(
            ENHANCE_TICKET,
            RunInput(delivery=delivery, patience=patience),
            id=tenant.run(ticket_id),
            task_queue=QUEUE,
            search_attributes=for_run(tenant.tool, tenant.id, ticket_id),
            result_type=RunResult,
        )

    async def new_run_in_real_time(self, tenant: Tenant, *, patience: Patience = PATIENCE) -> tuple[str, Handle]:
        """The same, but its clock is the wall's until `skipper.fast_forward` moves it."""
        with self.desk.skipper.with_time_skipping_disabled():
            return await self.new_run(tenant, patience=patience)
