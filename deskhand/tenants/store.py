"""Tenants as starter and worker read them: `plugins.tenants.TenantConfigs` over PostgreSQL."""

import time
from collections.abc import Callable

from deskhand.crypto.keyring import Keys
from deskhand.db.pool import Pool, tenant_transaction
from deskhand.tenants.cache import Limits, TenantCache
from deskhand.tenants.rows import tenant_config
from plugins.base import MAX_TENANT_ID, TENANT_ID
from plugins.tenants import TenantConfig

_PLAIN = "SELECT tool, active_from, active_until, mode, settings, webhook_secrets FROM tenant_configs"
_WITH_CONNECTION = (
    "SELECT tool, active_from, active_until, mode, settings, webhook_secrets, connection FROM tenant_configs"
)

PROBE = "deskhand-readiness-probe"
"""A tenant that need not exist: any answer about it shows that the database answers."""
PROBE_SECONDS = 2.0
"""How long such an answer counts: whoever may ask for readiness may ask as often as they like."""


class TenantStore:
    """Tenants over a pool of the role `deskhand_app`, kept in memory for seconds.

    A process without `credential_keys` (the starter) does not even select the sealed connection.
    """

    def __init__(
        self,
        pool: Pool,
        payload_keys: Keys,
        credential_keys: Keys | None = None,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limits` are for a process in which strangers choose which tenants are asked for."""
        self._pool = pool
        self._payload_keys = payload_keys
        self._credential_keys = credential_keys
        self._cache = TenantCache(self._read, clock, limits)
        # Of its own: a flood of names must not make the process look as if it were of no use.
        self._probe = TenantCache(self._read, clock, absent_seconds=PROBE_SECONDS)

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, at most 10 s old (15 min while the database is down), or `None` if there was none (30 s ago).

        Its `connection()` raises `CredentialsSealedError` in a process without credential keys, and
        `ConfigurationError` where the keys do not open it.

        Raises:
            DatabaseUnavailableError: the database cannot say and nothing recent is known.
            TenantStoreError: the row cannot be read with this process's payload keys.
            TooManyUnknownError: the tenant is not in memory, and over the limits.
        """
        if len(tenant_id) > MAX_TENANT_ID or not TENANT_ID.fullmatch(tenant_id):
            return None
        return await self._cache.get(tenant_id)

    async def read_anew(self, tenant_id: str) -> None:
        """Have the next `get` say what the database says now: for whoever refuses something for what `get` has said.

        Raises:
            DatabaseUnavailableError: the database cannot say, even where something recent is known.
            TenantStoreError: the row cannot be read with this process's payload keys.
        """
        await self._cache.read_anew(tenant_id)

    async def check(self) -> None:
        """Raise `DatabaseUnavailableError` unless the database can say which tenants there are."""
        await self._probe.get(PROBE)

    async def _read(self, tenant_id: str) -> TenantConfig | None:
        select = _PLAIN if self._credential_keys is None else _WITH_CONNECTION
        async with tenant_transaction(self._pool, tenant_id) as connection:
            row = await connection.fetchrow(f"{select} WHERE tenant_id = $1", tenant_id)
        if row is None:
            return None
        return tenant_config(tenant_id, dict(row), self._payload_keys, self._credential_keys)
