"""Asking the tenant store at the door: bounded in time, and with one kind of failure."""

import asyncio
import time
from collections.abc import Callable

from deskhand.tenants.cache import STALE_SECONDS
from plugins.tenants import TenantConfig, TenantConfigs

LOOKUP_SECONDS = 5.0
"""Longer than the store's own wait for the database, after which it may still answer from memory."""


class TenantsUnavailableError(Exception):
    """The store could not say who the tenant is. Not the same as "there is none"."""


class TenantLookup:
    """`TenantConfigs` over the store, for the door and for the plugins behind it."""

    def __init__(self, store: TenantConfigs, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._served_at: float | None = None

    def remembers(self) -> bool:
        """Whether a tenant was found so lately that it is served from memory if the database is down.

        Then the starter is of use, and must not be taken out of service for the database's sake.
        """
        return self._served_at is not None and self._clock() < self._served_at + STALE_SECONDS

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None` if there is none.

        Raises:
            TenantsUnavailableError: the store failed, or did not answer within `LOOKUP_SECONDS`.
        """
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                config = await self._store.get(tenant_id)
        except Exception as error:
            raise TenantsUnavailableError(f"{type(error).__name__}: {error}") from error
        if config is not None:
            self._served_at = self._clock()
        return config


def reason(error: Exception) -> str:
    """What to log of a failed lookup. The store's own messages are fit for logs; those of others may not be."""
    return str(error) if isinstance(error, TenantsUnavailableError) else type(error).__name__
