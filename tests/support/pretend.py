"""What tests of plugins against pretend tools share: tenants in a dictionary, and deliveries as a door would take them.

The fixtures that serve these are in the tests' `conftest.py`.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from deskhand.pretend.vendor import PretendVendor
from plugins.base import TicketingToolPlugin
from plugins.payload import WebhookPayload, rebuild
from plugins.tenants import TenantConfig, WebhookSecret
from plugins.types import TenantMode, TenantSettings

VendorT = TypeVar("VendorT", bound=PretendVendor)

ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)


class MemoryTenants:
    """`plugins.tenants.TenantConfigs` over a dictionary."""

    def __init__(self) -> None:
        self.configs: dict[str, TenantConfig] = {}

    def add(
        self,
        tenant_id: str,
        tool: str,
        *,
        connection: Mapping[str, Any] | None = None,
        secrets: tuple[WebhookSecret | str, ...] = (),
        settings: TenantSettings | None = None,
        active_from: datetime = ALWAYS,
        active_until: datetime | None = None,
    ) -> TenantConfig:
        """Add a tenant, or replace it: what its row and its credentials would hold."""
        fields = dict(connection or {})

        async def open_connection() -> Mapping[str, Any]:
            return fields

        config = TenantConfig(
            id=tenant_id,
            tool=tool,
            active_from=active_from,
            active_until=active_until,
            mode=TenantMode.LIVE,
            settings=settings or TenantSettings(),
            webhook_secrets=tuple(s if isinstance(s, WebhookSecret) else WebhookSecret(SecretStr(s)) for s in secrets),
            open_connection=open_connection,
        )
        self.configs[tenant_id] = config
        return config

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None`."""
        return self.configs.get(tenant_id)


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery as the door took it."""

    payload: WebhookPayload
    signature: str


def take(
    plugin: TicketingToolPlugin,
    delivery: Mapping[str, Any],
    tenant_id: str,
    *,
    settings: TenantSettings | None = None,
    received_at: datetime | None = None,
    raw: bytes | None = None,
) -> Taken:
    """What the door makes of the control API's answer for a delivery; `raw` sends another body with its headers."""
    settings = settings or TenantSettings()
    raw = base64.b64decode(delivery["body_base64"]) if raw is None else raw
    payload = rebuild(raw, tenant_id, received_at or datetime.now(UTC), settings)
    headers = {name.lower(): value for name, value in delivery["headers"].items()}
    return Taken(payload, plugin.signature_from(headers, settings))


class PretendFactory(Protocol):
    """The fixture `pretend`: gives a fresh vendor of a class, served at its `origin` until the test ends."""

    async def __call__(self, kind: type[VendorT]) -> VendorT:
        """Serve a fresh vendor."""
        ...


class Host:
    """A server whose vendor can be exchanged: a fresh one for each test, without starting servers again."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.vendor: PretendVendor | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if self.vendor is None:
            raise RuntimeError("no vendor yet")
        await self.vendor(scope, receive, send)
