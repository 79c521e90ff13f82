"""The activities that centre on a plugin method."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from temporalio import activity

from activities.failures import as_failures, attempt_budget
from plugins.base import TicketingToolPlugin, TicketMetadata
from plugins.exceptions import (
    ConfigurationError,
    OutcomeUnknownError,
    TicketRefusedError,
    ValidationError,
)
from plugins.payload import rebuild
from plugins.tenants import TenantConfigs
from plugins.types import EventKind, Priority
from workflows import contracts
from workflows.contracts import (
    Delivery,
    Extracted,
    ExtractInput,
    GetTicketInput,
    Metadata,
    TicketAnswer,
    UpdateResult,
    UpdateTicketInput,
    Verdict,
)

Plugins = Mapping[str, TicketingToolPlugin]


def plugin_for(plugins: Plugins, tool: str) -> TicketingToolPlugin:
    """The tool's plugin.

    Raises:
        ConfigurationError: this worker has none.
    """
    try:
        return plugins[tool]
    except KeyError:
        raise ConfigurationError(
            f"{tool}: this worker has no such plugin; its log says which did not load, and why"
        ) from None


@dataclass(frozen=True, slots=True)
class ValidateWebhook:
    """Judges a delivery as of when it was received: an hour's wait is no replay, a rotated secret still counts."""

    plugins: Plugins
    tenants: TenantConfigs

    @activity.defn(name=contracts.VALIDATE_WEBHOOK.name)
    async def run(self, delivery: Delivery) -> Verdict:
        """The verdict, with the tenant's mode and plain settings as they are now."""
        with as_failures():
            plugin = plugin_for(self.plugins, delivery.tool)
            tenant = await plugin.tenant(delivery.tenant_id)
            if not tenant.active_at(delivery.received_at):
                return Verdict(verdict="invalid", reason="the tenant was not active when the delivery came")
            try:
                payload = rebuild(delivery.raw, delivery.tenant_id, delivery.received_at, tenant.settings)
            except ValidationError as error:
                return Verdict(verdict="invalid", reason=str(error))
            if delivery.origin != "webhook":
                return Verdict(verdict="vouched", reason=delivery.origin, mode=tenant.mode, settings=tenant.settings)
            if await plugin.validate_webhook(payload, delivery.signature):
                return Verdict(verdict="valid", mode=tenant.mode, settings=tenant.settings)
            return Verdict(verdict="invalid", reason="the signature does not fit the body")


@dataclass(frozen=True, slots=True)
class ExtractMetadata:
    """Reads a delivery. Synchronous, on a thread: an async one that blocks could never be cut short."""

    plugins: Plugins

    @activity.defn(name=contracts.EXTRACT_METADATA.name)
    def run(self, given: ExtractInput) -> Extracted:
        """What the payload says; fails with `ValidationError` naming the field."""
        delivery = given.delivery
        with as_failures():
            plugin = plugin_for(self.plugins, delivery.tool)
            payload = rebuild(delivery.raw, delivery.tenant_id, delivery.received_at, given.settings)
            metadata = plugin.extract_metadata(payload)
            kind = plugin.event_kind(payload)
            version = plugin.resolution_version(payload) if kind is EventKind.RESOLVED else ""
        return Extracted(
            metadata=Metadata(
                tenant_id=metadata.tenant_id,
                ticket_id=metadata.ticket_id,
                description=metadata.description,
                priority=cast(Priority, metadata.priority),
                created_at=metadata.created_at,
            ),
            kind=kind,
            version=version,
        )


@dataclass(frozen=True, slots=True)
class GetTicket:
    """Gets the ticket and keeps what a note needs of it: the vendor's raw JSON never enters a history."""

    plugins: Plugins

    @activity.defn(name=contracts.GET_TICKET.name)
    async def run(self, given: GetTicketInput) -> TicketAnswer:
        """The ticket as bounded text; `None` where the tool has none."""
        metadata = TicketMetadata(**given.metadata.model_dump())
        with as_failures():
            plugin = plugin_for(self.plugins, given.tool)
            try:
                async with attempt_budget():
                    ticket = await plugin.get_ticket(metadata.tenant_id, metadata.ticket_id)
                    if ticket is None:
                        return TicketAnswer(ticket=None)
                    # On a thread: a large ticket must not hold up the budgets of others on the event loop.
                    return TicketAnswer(ticket=await asyncio.to_thread(plugin.describe, ticket, metadata))
            except TicketRefusedError as error:
                return TicketAnswer(ticket=None, refused=str(error))


@dataclass(frozen=True, slots=True)
class UpdateTicket:
    """Posts the note, after a look whether an earlier attempt's note is already there."""

    plugins: Plugins

    @activity.defn(name=contracts.UPDATE_TICKET.name)
    async def run(self, given: UpdateTicketInput) -> UpdateResult:
        """What became of the note."""
        with as_failures(writes=True):
            plugin = plugin_for(self.plugins, given.tool)
            there: bool | None = False  # before the look nothing can have landed in this attempt
            try:
                async with attempt_budget():
                    there = await plugin.has_note(given.tenant_id, given.ticket_id, given.ref)
                    if there:
                        return UpdateResult(result="found", detail="an earlier attempt's note is on the ticket")
                    taken = await plugin.update_ticket(given.tenant_id, given.ticket_id, given.note)
            except TicketRefusedError as error:
                return UpdateResult(result="refused", detail=str(error))
            except OutcomeUnknownError as error:
                if there is None:
                    # Nobody can look whether it landed, so it is not repeated: a second note would be worse.
                    return UpdateResult(result="unconfirmed", detail=str(error))
                raise
            if not taken:
                return UpdateResult(result="refused", detail=f"{given.tool} does not take a note on this ticket")
            return UpdateResult(result="posted")
