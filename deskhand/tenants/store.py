"""Tenants as starter and worker read them: `plugins.tenants.TenantConfigs` over PostgreSQL."""

import time
from collections.abc import Callable

from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool, tenant_transaction
from deskhand.tenants.cache import TenantCache
from deskhand.tenants.rows import tenant_config
from plugins.base import MAX_TENANT_ID, TENANT_ID
from plugins.tenants import TenantConfig

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
        return tenant_config(tenant_id, dict(row), self._payload_keys, self._credential_keys)
