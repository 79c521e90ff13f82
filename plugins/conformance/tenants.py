"""Tenants in a dictionary, for tests of plugins."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from plugins.tenants import TenantConfig, WebhookSecret
from plugins.types import TenantMode, TenantSettings

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
        mode: TenantMode = TenantMode.LIVE,
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
            mode=mode,
            settings=settings or TenantSettings(),
            webhook_secrets=tuple(s if isinstance(s, WebhookSecret) else WebhookSecret(SecretStr(s)) for s in secrets),
            open_connection=open_connection,
        )
        self.configs[tenant_id] = config
        return config

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None`."""
        return self.configs.get(tenant_id)
