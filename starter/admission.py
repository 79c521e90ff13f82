"""The door: from a request's raw bytes to a run, each question asked only once the one before it is answered.

Order: the bytes parse, the tenant, the signature over the raw bytes, what the delivery asks for, the metadata.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard, TypeVar, cast

import structlog

from deskhand.runs.order import Order, RunsRefusedError, RunStarter, RunsUnavailableError, Taken
from deskhand.serving.problems import ProblemError, try_later, unauthorized
from plugins.base import MAX_TENANT_ID, TENANT_ID, TicketingToolPlugin, TicketMetadata
from plugins.exceptions import AuthenticationError, ConfigurationError, PluginError, ValidationError
from plugins.payload import WebhookPayload, for_tenant, parse_body
from plugins.tenants import TenantConfig, TenantConfigs
from plugins.types import EventKind, Priority, TenantSettings
from starter.tenants import TenantsUnavailableError, reason
from workflows.contracts import ENHANCE_TICKET, RECORD_RESOLUTION, Delivery
from workflows.identity import reference, workflow_id

_IGNORED = {
    EventKind.OWN: "we caused this event ourselves",
    EventKind.OTHER: "this event asks for no work",
}

_ANOTHER_TENANT = "body names another tenant"

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came in."""

    tool: str
    tenant_id: str | None
    """What the path says; `None` on the route that leaves it to the body."""
    headers: Mapping[str, str]
    """Lower-case names."""
    raw: bytes
    received_at: datetime
    delivery_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told when a delivery is admitted: `name` is a `Taken`, or `ignored`."""

    name: str
    status: int
    body: Mapping[str, str]


class Door:
    """Admits deliveries."""

    def __init__(self, plugins: Mapping[str, TicketingToolPlugin], tenants: TenantConfigs, runs: RunStarter) -> None:
        self._plugins = plugins
        self._tenants = tenants
        self._runs = runs

    def plugin(self, tool: str) -> TicketingToolPlugin:
        """The plugin of this tool.

        Raises:
            ProblemError: 404, there is none.
        """
        try:
            return self._plugins[tool]
        except KeyError:
            raise ProblemError(404, "There is no such ticketing tool here.") from None

    async def admit(self, arrival: Arrival) -> Answer:
        """Start the delivery's run, or say why there is none to start.

        Raises:
            ProblemError: the delivery is refused, or could not be taken. Anything else is a fault.
        """
        plugin = self.plugin(arrival.tool)
        try:
            body = parse_body(arrival.raw)
        except ValidationError as error:
            raise ProblemError(400, str(error)) from None
        delivery, payload = await self._authenticate(plugin, arrival, body)
        # Before the metadata: an event that asks for no work may be about no ticket, and refusals in numbers make a
        # vendor pause its webhook.
        kind = _read(plugin.event_kind, payload)
        if kind in _IGNORED:
            return Answer("ignored", 200, {"ignored": _IGNORED[kind]})
        metadata = _read(plugin.extract_metadata, payload)
        if metadata.tenant_id != delivery.tenant_id:
            raise unauthorized(_ANOTHER_TENANT)
        if kind is EventKind.CREATED:
            return await self._start(arrival, delivery, metadata, ENHANCE_TICKET, "created")
        version = _read(plugin.resolution_version, payload)
        return await self._start(arrival, delivery, metadata, RECORD_RESOLUTION, f"resolved:{version}")

    async def _authenticate(
        self, plugin: TicketingToolPlugin, arrival: Arrival, body: dict[str, Any]
    ) -> tuple[Delivery, WebhookPayload]:
        """The same work for every tenant that there is and for those that there are not."""
        named = body.get("tenant_id") if arrival.tenant_id is None else arrival.tenant_id
        tenant_id = named if _is_tenant_id(named) else ""
        try:
            config = await self._tenants.get(tenant_id) if tenant_id else None
        except Exception as error:
            raise _unavailable(error) from error
        settings = config.settings if config else TenantSettings()
        try:
            payload = for_tenant(body, arrival.raw, tenant_id, arrival.received_at, settings)
        except ValidationError:
            raise unauthorized(_ANOTHER_TENANT) from None
        signature, authentic = await _verdict(plugin, payload, arrival.headers)
        why = _why_not(plugin, config, arrival, authentic=authentic)
        if why is not None:
            raise unauthorized(why)
        return (
            Delivery(
                tool=arrival.tool,
                tenant_id=tenant_id,
                raw=arrival.raw,
                signature=signature,
                received_at=arrival.received_at,
            ),
            payload,
        )

    async def _start(
        self, arrival: Arrival, delivery: Delivery, metadata: TicketMetadata, workflow: str, identity: str
    ) -> Answer:
        order = Order(
            workflow=workflow,
            run=workflow_id(delivery.tool, delivery.tenant_id, metadata.ticket_id, identity),
            ticket_id=metadata.ticket_id,
            delivery=delivery,
            priority=cast(Priority, metadata.priority),
            delivery_id=arrival.delivery_id,
        )
        known = {
            "run": order.run,
            "ref": reference(delivery.tool, delivery.tenant_id, metadata.ticket_id, identity),
        }
        try:
            taken = await self._runs.start(order)
        except (RunsUnavailableError, RunsRefusedError) as error:
            raise _not_taken(order.run, error) from error
        if taken is Taken.REPEATED:
            return Answer(taken, 200, {"repeated": "this delivery already has its run", **known})
        return Answer(taken, 202, known)


def _why_not(
    plugin: TicketingToolPlugin, config: TenantConfig | None, arrival: Arrival, *, authentic: bool
) -> str | None:
    """Why the delivery is refused, for our log; `None` if it is not. Asked after the verdict, whoever the tenant is."""
    if config is None:
        return "unknown tenant"
    if config.tool != arrival.tool:
        return "other tool"
    if not config.active_at(arrival.received_at):
        return "inactive"
    if authentic:
        return None
    scheme = config.settings.signature_scheme
    if scheme is not None and plugin.signature_schemes and scheme not in plugin.signature_schemes:
        return "scheme"
    return "signature" if config.secrets_at(arrival.received_at) else "no secret"


async def _verdict(
    plugin: TicketingToolPlugin, payload: WebhookPayload, headers: Mapping[str, str]
) -> tuple[str, bool]:
    """The signature as the plugin read it, and whether it holds."""
    try:
        signature = plugin.signature_from(headers, payload.settings)
        return signature, await plugin.validate_webhook(payload, signature) is True
    except (AuthenticationError, ConfigurationError, ValidationError):
        return "", False
    except (TenantsUnavailableError, PluginError) as error:  # the plugin could not look, as with a key it must fetch
        raise _unavailable(error) from error


def _read(step: Callable[[dict[str, Any]], T], payload: WebhookPayload) -> T:
    """What the plugin reads out of an authentic payload."""
    try:
        return step(payload)
    except ValidationError as error:
        raise ProblemError(422, str(error)) from None


def _unavailable(error: Exception) -> ProblemError:
    log.error("tenants.unavailable", reason=reason(error))
    return try_later("It could not be determined now who the delivery is from.")


def _not_taken(run: str, error: Exception) -> ProblemError:
    log.error("run.not_started", run=run, error=type(error).__name__, reason=str(error))
    return try_later("Nothing could take the delivery durably now.")


def _is_tenant_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and len(value) <= MAX_TENANT_ID and TENANT_ID.fullmatch(value) is not None
