"""Tenants as the operator changes them. Every change is audited in its own transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from pydantic import SecretStr

from deskhand.audit import operating_system_user, record
from deskhand.crypto.keyring import Keys
from deskhand.db.pool import Connection as DatabaseConnection
from deskhand.db.pool import Pool, transaction
from deskhand.tenants.changing import StoredTenant
from deskhand.tenants.errors import TenantError
from deskhand.tenants.rotation import last_end, rotated
from deskhand.tenants.rows import tenant_config
from deskhand.tenants.sealing import Connection, open_connection, open_secrets, seal_connection, seal_secrets
from plugins.base import MAX_TENANT_ID, TENANT_ID
from plugins.tenants import TenantConfig, WebhookSecret
from plugins.types import TenantMode, TenantSettings

_BEFORE_THE_PAUSE = """
SELECT detail->>'was' FROM audit_log
WHERE tenant_id = $1 AND action = 'tenant.mode' AND detail->>'mode' = 'pause' AND detail->>'was' <> 'pause'
    AND actor <> 'deskhand_app'
    -- Another tenant may have had this id before.
    AND id > COALESCE((SELECT max(id) FROM audit_log WHERE tenant_id = $1 AND action = 'tenant.add'), 0)
ORDER BY id DESC LIMIT 1
"""

HISTORY_SECONDS = 600.0
"""How long the change of a history's language may take."""


@dataclass(frozen=True, slots=True)
class NewTenant:
    """A tenant to add. Its connection was validated against the plugin's model by the caller."""

    id: str
    tool: str
    connection: Connection
    webhook_secrets: tuple[WebhookSecret, ...] = ()
    mode: TenantMode = TenantMode.LIVE
    settings: TenantSettings = field(default_factory=TenantSettings)
    active: bool = True
    """Whether its deliveries are taken from now on. One that is not complete yet is activated later."""


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

    def __init__(self, pool: Pool, payload_keys: Keys, credential_keys: Keys, *, actor: str | None = None) -> None:
        self._pool = pool
        self._payload_keys = payload_keys
        self._credential_keys = credential_keys
        self._actor = actor or operating_system_user()

    async def require_addable(self, tenant_id: str, language: str) -> None:
        """Say before anything else is asked or tried that a tenant cannot be added.

        Raises:
            TenantError: the id is unusable or taken, or PostgreSQL does not know the language.
        """
        if len(tenant_id) > MAX_TENANT_ID or not TENANT_ID.fullmatch(tenant_id):
            raise TenantError(f"tenant id: must be 1 to {MAX_TENANT_ID} letters, digits and hyphens")
        async with transaction(self._pool) as database:
            await _require_language(database, language)
            if await database.fetchval("SELECT EXISTS (SELECT FROM tenant_configs WHERE tenant_id = $1)", tenant_id):
                raise _taken(tenant_id)

    async def require_language(self, tenant_id: str, language: str) -> None:
        """Raise `TenantError` where PostgreSQL does not know the language."""
        async with transaction(self._pool) as database:
            try:
                await _require_language(database, language)
            except TenantError as error:
                raise TenantError(f"tenant {tenant_id}: {error}") from None

    async def add(self, tenant: NewTenant) -> None:
        """Add a tenant, active from now unless it says otherwise.

        Raises:
            TenantError: the id is unusable or taken, or PostgreSQL does not know the language.
        """
        if len(tenant.id) > MAX_TENANT_ID or not TENANT_ID.fullmatch(tenant.id):
            raise TenantError(f"tenant id: must be 1 to {MAX_TENANT_ID} letters, digits and hyphens")
        async with transaction(self._pool) as database:
            await _require_language(database, tenant.settings.language)
            try:
                await database.execute(
                    "INSERT INTO tenant_configs"
                    " (tenant_id, tool, mode, settings, webhook_secrets, connection, active_until)"
                    " VALUES ($1, $2, $3, $4, $5, $6, CASE WHEN $7 THEN NULL ELSE now() END)",
                    *(tenant.id, tenant.tool, tenant.mode, tenant.settings.model_dump_json()),
                    seal_secrets(self._payload_keys, tenant.id, tenant.webhook_secrets),
                    seal_connection(self._credential_keys, tenant.id, tenant.connection),
                    tenant.active,
                )
            except asyncpg.UniqueViolationError:
                raise _taken(tenant.id) from None
            await self._audit(database, "tenant.add", tenant.id, tool=tenant.tool, mode=tenant.mode)

    async def list(self) -> tuple[TenantSummary, ...]:
        """Every tenant, by id."""
        async with transaction(self._pool) as database:
            rows = await database.fetch(
                "SELECT tenant_id, tool, mode, active_from, active_until FROM tenant_configs ORDER BY tenant_id"
            )
        return tuple(_summary(row) for row in rows)

    async def summary(self, tenant_id: str) -> TenantSummary:
        """One tenant's line of the list.

        Raises:
            TenantError: there is none.
        """
        async with transaction(self._pool) as database:
            row = await database.fetchrow(
                "SELECT tenant_id, tool, mode, active_from, active_until FROM tenant_configs WHERE tenant_id = $1",
                tenant_id,
            )
        if row is None:
            raise _unknown(tenant_id)
        return _summary(row)

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

    async def read(self, tenant_id: str) -> StoredTenant:
        """One tenant to be changed, its credentials opened; whoever changes or tries it has that audited.

        Raises:
            TenantError: there is none.
            SealError: these keys do not open its row.
        """
        async with transaction(self._pool) as database:
            row = await database.fetchrow(
                "SELECT *, xmin::text AS version FROM tenant_configs WHERE tenant_id = $1", tenant_id
            )
        if row is None:
            raise _unknown(tenant_id)
        now = datetime.now(UTC)
        secrets = open_secrets(self._payload_keys, tenant_id, row["webhook_secrets"])
        return StoredTenant(
            id=tenant_id,
            tool=row["tool"],
            mode=TenantMode(row["mode"]),
            active_until=row["active_until"],
            settings=TenantSettings.model_validate_json(row["settings"]),
            connection=open_connection(self._credential_keys, tenant_id, row["connection"]),
            webhook_secrets=tuple(secret.value.get_secret_value() for secret in secrets if secret.counts_at(now)),
            version=row["version"],
        )

    async def change(self, old: StoredTenant, new: StoredTenant) -> tuple[str, ...]:
        """Put `new` in the place of `old`: its mode, settings and connection. The names of what differs, maybe none.

        The tenant's language stands in its history, too, and is changed there with it.

        Raises:
            TenantError: the tenant was changed or removed since `old` was read, or PostgreSQL does not know the
                language. Nothing is changed.
        """
        changed = new.changed_from(old)
        if not changed:
            return ()
        async with transaction(self._pool) as database:
            if "language" in changed:
                await _require_language(database, new.settings.language)
            done = await database.execute(
                "UPDATE tenant_configs SET settings = $3, connection = $4 WHERE tenant_id = $1 AND xmin::text = $2",
                *(old.id, old.version, new.settings.model_dump_json()),
                seal_connection(self._credential_keys, old.id, new.connection),
            )
            if done != "UPDATE 1":
                raise TenantError(f"tenant {old.id}: was changed meanwhile by somebody else; try again")
            if "language" in changed:
                # A long history takes its time: each row's search terms are made anew.
                await database.execute(
                    "UPDATE ticket_history SET language = $2 WHERE tenant_id = $1 AND language <> $2",
                    *(old.id, new.settings.language),
                    timeout=HISTORY_SECONDS,
                )
            if new.mode != old.mode:
                await self._change_mode(database, old.id, old.mode, new.mode)
            if fields := [name for name in changed if name != "mode"]:
                await self._audit(database, "tenant.update", old.id, fields=fields)
        return changed

    async def rotate_secret(self, tenant_id: str, secret: SecretStr, keep_old: timedelta) -> datetime | None:
        """Have the tenant's webhooks signed with a new secret from now on; the old ones count for `keep_old` more.

        Returns until when the last old one counts (UTC), `None` where none does. Processes that have the tenant in
        memory know the new one only seconds later: have the tool sign with it no sooner.

        Raises:
            TenantError: there is no such tenant, or the secret is empty or the one that counts already.
            SealError: these keys do not open its row.
        """
        if not secret.get_secret_value().strip():
            raise TenantError("webhook secret: is empty")
        async with transaction(self._pool) as database:
            row = await database.fetchrow(
                "SELECT webhook_secrets, now() AS now FROM tenant_configs WHERE tenant_id = $1 FOR UPDATE", tenant_id
            )
            if row is None:
                raise _unknown(tenant_id)
            now = row["now"]
            old = open_secrets(self._payload_keys, tenant_id, row["webhook_secrets"])
            if any(s.value == secret and s.not_after is None for s in old):
                raise TenantError(f"tenant {tenant_id}: webhook secret: is the one that it has already")
            new = rotated(old, secret, now, keep_old)
            await database.execute(
                "UPDATE tenant_configs SET webhook_secrets = $2 WHERE tenant_id = $1",
                *(tenant_id, seal_secrets(self._payload_keys, tenant_id, new)),
            )
            kept = round(keep_old.total_seconds())
            await self._audit(database, "tenant.rotate_secret", tenant_id, keep_old_seconds=kept)
        return last_end(new, now)

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
            until = await _active_until(database, tenant_id)
            if until is not None:
                raise TenantError(f"tenant {tenant_id}: is not active since {until:%Y-%m-%d %H:%M} UTC")
            await database.execute("UPDATE tenant_configs SET active_until = now() WHERE tenant_id = $1", tenant_id)
            await self._audit(database, "tenant.deactivate", tenant_id)

    async def activate(self, tenant_id: str) -> None:
        """Take a tenant's deliveries again.

        Raises:
            TenantError: there is no such tenant, or it is active.
        """
        async with transaction(self._pool) as database:
            until = await _active_until(database, tenant_id)
            if until is None:
                raise TenantError(f"tenant {tenant_id}: is active already")
            await database.execute("UPDATE tenant_configs SET active_until = NULL WHERE tenant_id = $1", tenant_id)
            await self._audit(database, "tenant.activate", tenant_id)

    async def remove(self, tenant_id: str, **detail: int) -> None:
        """Delete the tenant's row; what else it owned is to be gone before. `detail` is for the audit, such as counts.

        Raises:
            TenantError: there is no such tenant, or it is active.
        """
        async with transaction(self._pool) as database:
            until = await _active_until(database, tenant_id)
            if until is None:
                raise TenantError(f"tenant {tenant_id}: is active; deactivate it first")
            await database.execute("DELETE FROM tenant_configs WHERE tenant_id = $1", tenant_id)
            await self._audit(database, "tenant.remove", tenant_id, **detail)

    async def _change_mode(
        self, database: DatabaseConnection, tenant_id: str, was: TenantMode, mode: TenantMode
    ) -> None:
        await database.execute("UPDATE tenant_configs SET mode = $2 WHERE tenant_id = $1", tenant_id, mode)
        await self._audit(database, "tenant.mode", tenant_id, mode=mode, was=was)

    async def _audit(self, database: DatabaseConnection, action: str, tenant_id: str, **detail: Any) -> None:
        await record(database, self._actor, action, tenant_id, **detail)


async def _active_until(database: DatabaseConnection, tenant_id: str) -> datetime | None:
    """Until when the tenant is, or was, active. The row is this transaction's from now on."""
    row = await database.fetchrow("SELECT active_until FROM tenant_configs WHERE tenant_id = $1 FOR UPDATE", tenant_id)
    if row is None:
        raise _unknown(tenant_id)
    until: datetime | None = row["active_until"]
    return until


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


def _taken(tenant_id: str) -> TenantError:
    return TenantError(f"tenant {tenant_id}: exists already; see `deskhand tenant show {tenant_id}`")


def _unknown(tenant_id: str) -> TenantError:
    return TenantError(f"tenant {tenant_id}: does not exist; see `deskhand tenant list`")
