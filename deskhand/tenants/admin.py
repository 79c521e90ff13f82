"""Tenants as the operator changes them. Every change is audited in its own transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from deskhand.audit import operating_system_user, record
from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Connection as DatabaseConnection
from deskhand.db.pool import Pool, transaction
from deskhand.tenants.errors import TenantError
from deskhand.tenants.rows import tenant_config
from deskhand.tenants.sealing import Connection, open_connection, open_secrets, seal_connection, seal_secrets
from plugins.base import MAX_TENANT_ID, TENANT_ID
from plugins.tenants import TenantConfig, WebhookSecret
from plugins.types import TenantMode, TenantSettings

_BEFORE_THE_PAUSE = """
SELECT detail->>'was' FROM audit_log
WHERE tenant_id = $1 AND action = 'tenant.mode' AND detail->>'mode' = 'pause' AND detail->>'was' <> 'pause'
ORDER BY id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class NewTenant:
    """A tenant to add. Its connection was validated against the plugin's model by the caller."""

    id: str
    tool: str
    connection: Connection
    webhook_secrets: tuple[WebhookSecret, ...] = ()
    mode: TenantMode = TenantMode.LIVE
    settings: TenantSettings = field(default_factory=TenantSettings)


@dataclass(frozen=True, slots=True)
class TenantSummary:
    """One line of the list. Times are UTC; `active_until=None` means active."""

    id: str
    tool: str
    mode: TenantMode
    active_from: datetime
    active_until: datetime | None


@dataclass(frozen=True, slots=True)
class TenantDetails:
    """Everything about a tenant that is no secret, and which secrets there are."""

    summary: TenantSummary
    settings: TenantSettings
    connection: Mapping[str, Any]
    """The plain fields."""
    secret_fields: tuple[str, ...]
    """The names of the secret fields that are set."""
    webhook_secrets: tuple[tuple[datetime | None, datetime | None], ...]
    """From when until when each webhook secret counts (UTC; `None` is unbounded)."""


class TenantAdmin:
    """Adds and changes tenants over a pool of the role `deskhand_operator`.

    `actor` stands in the audit log; by default the operating system's user. Every method raises
    `DatabaseUnavailableError` when the database cannot be asked, and `TenantError` for what it says.
    """

    def __init__(
        self, pool: Pool, payload_keys: Keyring, credential_keys: Keyring, *, actor: str | None = None
    ) -> None:
        self._pool = pool
        self._payload_keys = payload_keys
        self._credential_keys = credential_keys
        self._actor = actor or operating_system_user()

    async def add(self, tenant: NewTenant) -> None:
        """Add a tenant, active from now.

        Raises:
            TenantError: the id is unusable or taken, or PostgreSQL does not know the language.
        """
        if len(tenant.id) > MAX_TENANT_ID or not TENANT_ID.fullmatch(tenant.id):
            raise TenantError(f"tenant id: must be 1 to {MAX_TENANT_ID} letters, digits and hyphens")
        async with transaction(self._pool) as database:
            await _require_language(database, tenant.settings.language)
            try:
                await database.execute(
                    "INSERT INTO tenant_configs (tenant_id, tool, mode, settings, webhook_secrets, connection)"
                    " VALUES ($1, $2, $3, $4, $5, $6)",
                    *(tenant.id, tenant.tool, tenant.mode, tenant.settings.model_dump_json()),
                    seal_secrets(self._payload_keys, tenant.id, tenant.webhook_secrets),
                    seal_connection(self._credential_keys, tenant.id, tenant.connection),
                )
            except asyncpg.UniqueViolationError:
                raise TenantError(
                    f"tenant {tenant.id}: exists already; see `deskhand tenant show {tenant.id}`"
                ) from None
            await self._audit(database, "tenant.add", tenant.id, tool=tenant.tool, mode=tenant.mode)

    async def list(self) -> tuple[TenantSummary, ...]:
        """Every tenant, by id."""
        async with transaction(self._pool) as database:
            rows = await database.fetch(
                "SELECT tenant_id, tool, mode, active_from, active_until FROM tenant_configs ORDER BY tenant_id"
            )
        return tuple(_summary(row) for row in rows)

    async def show(self, tenant_id: str) -> TenantDetails:
        """One tenant without its secrets.

        Raises:
            TenantError: there is none.
            SealError: these keys do not open its row.
        """
        async with transaction(self._pool) as database:
            row = await database.fetchrow("SELECT * FROM tenant_configs WHERE tenant_id = $1", tenant_id)
        if row is None:
            raise _unknown(tenant_id)
        connection = open_connection(self._credential_keys, tenant_id, row["connection"])
        secrets = open_secrets(self._payload_keys, tenant_id, row["webhook_secrets"])
        return TenantDetails(
            summary=_summary(row),
            settings=TenantSettings.model_validate_json(row["settings"]),
            connection=connection.plain,
            secret_fields=tuple(sorted(connection.secret)),
            webhook_secrets=tuple((secret.not_before, secret.not_after) for secret in secrets),
        )

    async def open(self, tenant_id: str, purpose: str) -> TenantConfig:
        """One tenant as its plugin sees it, credentials to open included; audited as `purpose`, such as `tenant.check`.

        Raises:
            TenantError: there is none.
            TenantStoreError: the payload keys do not open its row.
        """
        async with transaction(self._pool) as database:
            row = await database.fetchrow("SELECT * FROM tenant_configs WHERE tenant_id = $1", tenant_id)
            if row is None:
                raise _unknown(tenant_id)
            await self._audit(database, purpose, tenant_id)
        return tenant_config(tenant_id, dict(row), self._payload_keys, self._credential_keys)

    async def set_mode(self, tenant_id: str, mode: TenantMode) -> TenantMode:
        """How far the tenant's runs may go, from now on (seconds later in processes that have it in memory).

        Returns what the mode was.

        Raises:
            TenantError: there is no such tenant.
        """
        async with transaction(self._pool) as database:
            was = await _mode(database, tenant_id)
            await self._change_mode(database, tenant_id, was, mode)
        return was

    async def unpause(self, tenant_id: str) -> TenantMode:
        """Let a tenant that is on pause go on as before: on `dry_run` where it was on that, else on `live`.

        Returns the mode that it has now; one that is not on pause keeps its own.

        Raises:
            TenantError: there is no such tenant.
        """
        async with transaction(self._pool) as database:
            was = await _mode(database, tenant_id)
            if was is not TenantMode.PAUSE:
                return was
            before = await database.fetchval(_BEFORE_THE_PAUSE, tenant_id)
            mode = TenantMode(before) if before else TenantMode.LIVE
            await self._change_mode(database, tenant_id, was, mode)
        return mode

    async def deactivate(self, tenant_id: str) -> None:
        """Take no more deliveries for the tenant. Those received before are still handled.

        Raises:
            TenantError: there is no such tenant, or it is not active.
        """
        async with transaction(self._pool) as database:
            row = await database.fetchrow(
                "SELECT active_until FROM tenant_configs WHERE tenant_id = $1 FOR UPDATE", tenant_id
            )
            if row is None:
                raise _unknown(tenant_id)
            if row["active_until"] is not None:
                raise TenantError(f"tenant {tenant_id}: is not active since {row['active_until']:%Y-%m-%d %H:%M} UTC")
            await database.execute("UPDATE tenant_configs SET active_until = now() WHERE tenant_id = $1", tenant_id)
            await self._audit(database, "tenant.deactivate", tenant_id)

    async def _change_mode(
        self, database: DatabaseConnection, tenant_id: str, was: TenantMode, mode: TenantMode
    ) -> None:
        await database.execute("UPDATE tenant_configs SET mode = $2 WHERE tenant_id = $1", tenant_id, mode)
        await self._audit(database, "tenant.mode", tenant_id, mode=mode, was=was)

    async def _audit(self, database: DatabaseConnection, action: str, tenant_id: str, **detail: str) -> None:
        await record(database, self._actor, action, tenant_id, **detail)


async def _mode(database: DatabaseConnection, tenant_id: str) -> TenantMode:
    mode = await database.fetchval("SELECT mode FROM tenant_configs WHERE tenant_id = $1 FOR UPDATE", tenant_id)
    if mode is None:
        raise _unknown(tenant_id)
    return TenantMode(mode)


async def _require_language(database: DatabaseConnection, language: str) -> None:
    rows = await database.fetch(
        "SELECT cfgname FROM pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace ORDER BY cfgname"
    )
    known = [row["cfgname"] for row in rows]
    if language not in known:
        raise TenantError(f"language: {language} is not one that PostgreSQL can search in; it knows {', '.join(known)}")


def _summary(row: asyncpg.Record) -> TenantSummary:
    return TenantSummary(
        id=row["tenant_id"],
        tool=row["tool"],
        mode=TenantMode(row["mode"]),
        active_from=row["active_from"],
        active_until=row["active_until"],
    )


def _unknown(tenant_id: str) -> TenantError:
    return TenantError(f"tenant {tenant_id}: does not exist; see `deskhand tenant list`")
