"""Tenants as starter and worker read them: `plugins.tenants.TenantConfigs` over PostgreSQL."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import SealError
from deskhand.db.pool import Pool, tenant_transaction
from deskhand.tenants.cache import TenantCache
from deskhand.tenants.errors import CredentialsSealedError, TenantStoreError
from deskhand.tenants.sealing import open_connection, open_secrets
from plugins.base import MAX_TENANT_ID, TENANT_ID
from plugins.exceptions import ConfigurationError
from plugins.tenants import TenantConfig
from plugins.types import TenantMode, TenantSettings

_PLAIN = "SELECT tool, active_from, active_until, mode, settings, webhook_secrets FROM tenant_configs"
_WITH_CONNECTION = (
    "SELECT tool, active_from, active_until, mode, settings, webhook_secrets, connection FROM tenant_configs"
)


class TenantStore:
    """Tenants over a pool of the role `deskhand_app`, kept in memory for seconds.

    A process without `credential_keys` (the starter) does not even select the sealed connection.
    """

    def __init__(
        self,
        pool: Pool,
        payload_keys: Keyring,
        credential_keys: Keyring | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._payload_keys = payload_keys
        self._credential_keys = credential_keys
        self._cache = TenantCache(self._read, clock)

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, at most 10 s old (15 min while the database is down), or `None` if there is none.

        Its `connection()` raises `CredentialsSealedError` in a process without credential keys, and
        `ConfigurationError` where the keys do not open it.

        Raises:
            DatabaseUnavailableError: the database cannot say and nothing recent is known.
            TenantStoreError: the row cannot be read with this process's payload keys.
        """
        if len(tenant_id) > MAX_TENANT_ID or not TENANT_ID.fullmatch(tenant_id):
            return None
        return await self._cache.get(tenant_id)

    async def _read(self, tenant_id: str) -> TenantConfig | None:
        select = _PLAIN if self._credential_keys is None else _WITH_CONNECTION
        async with tenant_transaction(self._pool, tenant_id) as connection:
            row = await connection.fetchrow(f"{select} WHERE tenant_id = $1", tenant_id)
        if row is None:
            return None
        try:
            secrets = open_secrets(self._payload_keys, tenant_id, row["webhook_secrets"])
        except SealError as error:
            raise TenantStoreError(
                f"tenant {tenant_id}: webhook secrets do not open with DESKHAND_PAYLOAD_KEYS: {error}"
            ) from None
        return TenantConfig(
            id=tenant_id,
            tool=row["tool"],
            active_from=row["active_from"],
            active_until=row["active_until"],
            mode=TenantMode(row["mode"]),
            settings=TenantSettings.model_validate_json(row["settings"]),
            webhook_secrets=secrets,
            open_connection=_Opener(tenant_id, self._credential_keys, row.get("connection")),
        )


class _Opener:
    """Opens one connection when it is asked for: opened credentials do not stay in memory."""

    def __init__(self, tenant_id: str, keys: Keyring | None, sealed: bytes | None) -> None:
        self._tenant_id = tenant_id
        self._keys = keys
        self._sealed = sealed

    async def __call__(self) -> Mapping[str, Any]:
        if self._keys is None or self._sealed is None:
            raise CredentialsSealedError(
                f"tenant {self._tenant_id}: this process has no credential keys, it cannot open a connection"
            )
        try:
            return open_connection(self._keys, self._tenant_id, self._sealed).fields()
        except SealError as error:
            raise ConfigurationError(
                f"tenant {self._tenant_id}: connection does not open with DESKHAND_CREDENTIAL_KEYS: {error}"
            ) from None
