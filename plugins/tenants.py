"""What a plugin may know of a tenant. `deskhand.tenants` implements it over PostgreSQL; tests may use a dictionary."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import SecretStr

from plugins.types import TenantMode, TenantSettings


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """One secret that a tenant's webhooks may be signed with, and when it counts (UTC; `None` is unbounded)."""

    value: SecretStr
    not_before: datetime | None = None
    not_after: datetime | None = None

    def counts_at(self, moment: datetime) -> bool:
        """Whether a delivery received at `moment` may be signed with this secret."""
        return (self.not_before is None or self.not_before <= moment) and (
            self.not_after is None or moment < self.not_after
        )


@dataclass(frozen=True, slots=True)
class TenantConfig:
    """One tenant's configuration in its three parts: plain settings, webhook secrets, and the sealed connection.

    `active_from` and `active_until` are UTC; `active_until=None` means that the tenant has not been deactivated.
    """

    id: str
    tool: str
    active_from: datetime
    active_until: datetime | None
    mode: TenantMode
    settings: TenantSettings
    webhook_secrets: tuple[WebhookSecret, ...]
    open_connection: Callable[[], Awaitable[Mapping[str, Any]]] = field(repr=False)

    def active_at(self, moment: datetime) -> bool:
        """Whether deliveries received at `moment` are this tenant's to have handled."""
        return self.active_from <= moment and (self.active_until is None or moment < self.active_until)

    def secrets_at(self, moment: datetime) -> tuple[str, ...]:
        """The webhook secrets that counted at `moment`."""
        return tuple(s.value.get_secret_value() for s in self.webhook_secrets if s.counts_at(moment))

    async def connection(self) -> Mapping[str, Any]:
        """Open the vendor credentials. Only a process that holds the credential keys can: the starter cannot."""
        return await self.open_connection()


class TenantConfigs(Protocol):
    """Where tenants are looked up."""

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None` if there is none. A store that cannot say raises its own error, never `None`."""
        ...
