"""What tests of plugins against pretend tools share: deliveries as a door would take them.

The fixtures that serve the tools are in the tests' `conftest.py`.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from plugins.base import TicketingToolPlugin
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.conformance.tenants import ALWAYS, MemoryTenants
from plugins.payload import WebhookPayload, rebuild
from plugins.types import TenantSettings

__all__ = ["ALWAYS", "MemoryTenants", "PretendFactory", "Taken", "VendorT", "take"]

VendorT = TypeVar("VendorT", bound=PretendVendor)


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
