"""A tenant as it is read to be changed, and what is put in its place."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from deskhand.tenants.sealing import Connection
from plugins.tenants import TenantConfig
from plugins.types import TenantMode, TenantSettings


@dataclass(frozen=True, slots=True)
class StoredTenant:
    """A tenant with its credentials opened, and which version of its row this was."""

    id: str
    tool: str
    mode: TenantMode
    active_until: datetime | None
    settings: TenantSettings
    connection: Connection
    webhook_secrets: tuple[str, ...] = field(repr=False)
    """Those that count now."""
    version: str
    """Another as soon as anything in the row is: a change is made only to what was read."""

    def with_changes(
        self,
        *,
        mode: TenantMode | None = None,
        settings: TenantSettings | None = None,
        connection: Connection | None = None,
    ) -> Self:
        """The same tenant with these in place of its own."""
        return replace(
            self,
            mode=mode or self.mode,
            settings=settings or self.settings,
            connection=connection or self.connection,
        )

    def changed_from(self, old: "StoredTenant") -> tuple[str, ...]:
        """The names of what differs: settings, fields of the connection, `mode`. No values: some are secret."""
        before, after = old.settings.model_dump(), self.settings.model_dump()
        fields_before, fields_after = old.connection.fields(), self.connection.fields()
        names = [name for name in after if after[name] != before[name]]
        names += sorted(
            name
            for name in fields_before.keys() | fields_after.keys()
            if name not in fields_before or name not in fields_after or fields_before[name] != fields_after[name]
        )
        return (*(("mode",) if self.mode != old.mode else ()), *names)


def trial(tenant_id: str, tool: str, settings: TenantSettings, connection: Connection, since: datetime) -> TenantConfig:
    """A tenant as its plugin would see it, of what is not stored yet: for trying its connection."""

    async def fields() -> dict[str, object]:
        return dict(connection.fields())

    return TenantConfig(
        id=tenant_id,
        tool=tool,
        active_from=since,
        active_until=None,
        mode=TenantMode.DRY_RUN,
        settings=settings,
        webhook_secrets=(),
        open_connection=fields,
    )
