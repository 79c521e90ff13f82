"""The activities that centre on a plugin method."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from temporalio import activity

from activities.failures import TenantPausedError, as_failures, attempt_budget, failure
from plugins.base import TicketingToolPlugin, TicketMetadata
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    RateLimitError,
    TicketRefusedError,
    ValidationError,
)
from plugins.payload import WebhookPayload, rebuild
from plugins.tenants import TenantConfigs
from plugins.types import EventKind, Priority, TenantMode, TenantSettings
from workflows import contracts
from workflows.contracts import (
    Delivery,
    Extracted,
    ExtractInput,
    GetTicketInput,
    LookInput,
    Metadata,
    Sighting,
    TicketAnswer,
    UpdateResult,
    UpdateTicketInput,
    Verdict,
)
from workflows.identity import workflow_id

Plugins = Mapping[str, TicketingToolPlugin]


class Tenants(TenantConfigs, Protocol):
    """Tenants that are kept in memory for a while."""

    async def read_anew(self, tenant_id: str) -> None:
        """Read a tenant again, whatever is in memory of it. Raises the store's own error where it cannot say."""
        ...


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
    tenants: Tenants

    @activity.defn(name=contracts.VALIDATE_WEBHOOK.name)
    async def run(self, delivery: Delivery) -> Verdict:
        """The verdict, with the tenant's mode and plain settings as they are now."""
        with as_failures():
            plugin = plugin_for(self.plugins, delivery.tool)
            verdict = await _verdict(plugin, delivery)
            if verdict.verdict == "invalid":
                # The door may know a new secret, or setting, that what is in memory here is too old for.
                await self.tenants.read_anew(delivery.tenant_id)
                verdict = await _verdict(plugin, delivery)
            if verdict.verdict != "invalid":
                _require_not_paused(verdict.mode)
            return verdict


async def _verdict(plugin: TicketingToolPlugin, delivery: Delivery) -> Verdict:
    tenant = await plugin.tenant(delivery.tenant_id)
    if not tenant.active_at(delivery.received_at):
        return Verdict(verdict="invalid", reason="the tenant was not active when the delivery came")
    try:
        payload = rebuild(delivery.raw, delivery.tenant_id, delivery.received_at, tenant.settings)
    except ValidationError as error:
        return Verdict(verdict="invalid", reason=str(error))
    vouched = delivery.origin != "webhook"
    if not vouched and not await _authentic(plugin, payload, delivery, tenant.settings):
        return Verdict(verdict="invalid", reason="the signature does not fit the body")
    return Verdict(
        verdict="vouched" if vouched else "valid",
        reason=delivery.origin if vouched else "",
        mode=tenant.mode,
        settings=tenant.settings,
    )


async def _authentic(
    plugin: TicketingToolPlugin, payload: WebhookPayload, delivery: Delivery, settings: TenantSettings
) -> bool:
    """Whether the signature holds, under the tenant's scheme of now or another that may have been its scheme then.

    The door judged it under that of then, and only a holder of the payload keys gets past the door.
    """
    if await plugin.validate_webhook(payload, delivery.signature):
        return True
    for scheme in sorted(plugin.signature_schemes - {settings.signature_scheme}):
        other = settings.model_copy(update={"signature_scheme": scheme})
        as_then = rebuild(delivery.raw, delivery.tenant_id, delivery.received_at, other)
        if await plugin.validate_webhook(as_then, delivery.signature):
            return True
    return False


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
            _require_own_run(delivery, metadata.ticket_id)
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


def _require_own_run(delivery: Delivery, ticket_id: str) -> None:
    """Refuse a delivery under another ticket's run: that ticket's own delivery would be taken for a repeat.

    Sealed inputs are not bound to their run, so that whoever may start runs could copy one under any id. What the
    delivery asks for is the workflow's to compare.
    """
    event = "created"
    own = workflow_id(delivery.tool, delivery.tenant_id, ticket_id, event).removesuffix(event)
    if not (activity.info().workflow_id or "").startswith(own):
        raise ValidationError("workflow id: this run is not the one of its delivery")


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
                    _require_not_paused((await plugin.tenant(metadata.tenant_id)).mode)
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
        """What became of the note.

        Every failure says whether the note may be there in spite of it. To the next attempt that is told by a
        heartbeat: an attempt that says nothing, as that of a worker that was killed, may have left it.
        """
        info = activity.info()
        write = _Write(doubtful=given.may_have_landed or _left_in_doubt(info))
        try:
            return await self._update(given, write)
        except Exception as error:
            refused = isinstance(error, _NOTHING_WRITTEN) and not isinstance(error, OutcomeUnknownError)
            may_have_landed = write.doubtful or (write.begun and not refused)
            if not may_have_landed:
                activity.heartbeat(info.attempt)
            raise failure(error, attempt=info.attempt, may_have_landed=may_have_landed) from None

    async def _update(self, given: UpdateTicketInput, write: "_Write") -> UpdateResult:
        plugin = plugin_for(self.plugins, given.tool)
        try:
            async with attempt_budget():
                mode = (await plugin.tenant(given.tenant_id)).mode  # it may have changed since the run began
                if mode is TenantMode.DRY_RUN:
                    return UpdateResult(result="dry_run", look_again=write.doubtful)
                _require_not_paused(mode)
                there = await plugin.has_note(given.tenant_id, given.ticket_id, given.ref)
                if there:
                    detail = "an earlier attempt's note is on the ticket"
                    return UpdateResult(result="found", detail=detail, look_again=write.doubtful)
                write.blind = there is None
                if write.blind and write.doubtful:
                    return _unconfirmed(f"{given.tool} may have the note of an earlier attempt, and cannot be asked")
                write.begun = True
                taken = await plugin.update_ticket(given.tenant_id, given.ticket_id, given.note)
        except TicketRefusedError as error:
            return UpdateResult(result="refused", detail=str(error))
        except OutcomeUnknownError as error:
            if write.blind:
                # Nobody can look whether it landed, so it is not repeated: a second note would be worse.
                return _unconfirmed(str(error))
            raise
        if not taken:
            return UpdateResult(result="refused", detail=f"{given.tool} does not take a note on this ticket")
        return UpdateResult(result="posted", look_again=write.doubtful)


@dataclass(slots=True)
class _Write:
    """How far an attempt at a note has come."""

    doubtful: bool
    """Whether an earlier one may have left the note."""
    blind: bool = False
    """Whether the plugin cannot tell if it is there."""
    begun: bool = False


_NOTHING_WRITTEN = (APIError, AuthenticationError, ConfigurationError, RateLimitError)
"""Failures by which the vendor says that it wrote nothing; of the first, `OutcomeUnknownError` does not."""


def _require_not_paused(mode: TenantMode) -> None:
    """Raises `TenantPausedError` for a tenant on pause."""
    if mode is TenantMode.PAUSE:
        raise TenantPausedError


def _unconfirmed(why: str) -> UpdateResult:
    return UpdateResult(result="unconfirmed", detail=why)


def _left_in_doubt(info: activity.Info) -> bool:
    """Whether the attempt before this one may have left the note: it did not say that it did not."""
    return info.attempt > 1 and list(info.heartbeat_details) != [info.attempt - 1]


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Looks at the ticket once more: what a plugin finds there twice of ours, it removes."""

    plugins: Plugins

    @activity.defn(name=contracts.LOOK_AGAIN.name)
    async def run(self, given: LookInput) -> Sighting:
        """Whether the note is there."""
        with as_failures():
            plugin = plugin_for(self.plugins, given.tool)
            async with attempt_budget():
                _require_not_paused((await plugin.tenant(given.tenant_id)).mode)
                return Sighting(found=await plugin.has_note(given.tenant_id, given.ticket_id, given.ref))
