"""Asking the tenant store at the door: bounded in time, and with one kind of failure."""

import asyncio

from plugins.tenants import TenantConfig, TenantConfigs

LOOKUP_SECONDS = 5.0
"""Longer than the store's own wait for the database, after which it may still answer from memory."""

PROBE = "deskhand-readiness-probe"
"""A tenant that need not exist: any answer about it shows that the store answers."""


class TenantsUnavailableError(Exception):
    """The store could not say who the tenant is. Not the same as "there is none"."""


class TenantLookup:
    """`TenantConfigs` over the store, for the door and for the plugins behind it."""

    def __init__(self, store: TenantConfigs) -> None:
        self._store = store

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None` if there is none.

        Raises:
            TenantsUnavailableError: the store failed, or did not answer within `LOOKUP_SECONDS`.
        """
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await self._store.get(tenant_id)
        except Exception as error:
            raise TenantsUnavailableError(f"{type(error).__name__}: {error}") from error


def reason(error: Exception) -> str:
    """What to log of a failed lookup. The store's own messages are fit for logs; those of others may not be."""
    return str(error) if isinstance(error, TenantsUnavailableError) else type(error).__name__
