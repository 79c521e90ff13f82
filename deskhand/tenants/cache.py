"""Tenants in memory: fresh for seconds, and for minutes more while the database is down."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from deskhand.db.errors import DatabaseUnavailableError
from plugins.tenants import TenantConfig

FRESH_SECONDS = 10.0
"""How long a tenant is served from memory: the longest that a change takes to be seen."""
STALE_SECONDS = 15 * 60.0
"""How old a tenant may be that is served while the database is down."""
HANG_SECONDS = 2.0
"""How long a tenant that is known from before waits for a database that does not answer."""
ABSENT_SECONDS = 2.0
"""How long "no such tenant" is believed: short, so that a tenant just added is soon seen."""
MAX_ABSENT = 1_000
"""How many unknown ids are remembered: strangers can name any number of them."""


@dataclass(slots=True)
class _Held:
    config: TenantConfig
    read_at: float
    ask_again_at: float


class TenantCache:
    """Reads each tenant through `read`, one read at a time per tenant however many ask.

    `clock` is monotonic, in seconds.
    """

    def __init__(self, read: Callable[[str], Awaitable[TenantConfig | None]], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._absent: OrderedDict[str, float] = OrderedDict()
        self._flights: dict[str, asyncio.Task[TenantConfig | None]] = {}

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None` if there is none.

        Raises:
            DatabaseUnavailableError: nobody can say, and nothing recent enough is known.
        """
        now = self._clock()
        held = self._held.get(tenant_id)
        if held is not None and now < held.ask_again_at:
            return held.config
        if now < self._absent.get(tenant_id, now):
            return None
        flight = self._flights.get(tenant_id)
        if flight is None:
            flight = self._flights[tenant_id] = asyncio.create_task(self._refresh(tenant_id))
            flight.add_done_callback(lambda done: self._landed(tenant_id, done))
        if held is not None and self._usable(held):
            # A database that hangs keeps nobody waiting for what is known.
            await asyncio.wait((flight,), timeout=HANG_SECONDS)
            if not flight.done():
                return self._stale(held)
        # Shielded: one caller who gives up must not fail the others.
        return await asyncio.shield(flight)

    def _usable(self, held: _Held) -> bool:
        return self._clock() < held.read_at + STALE_SECONDS

    def _stale(self, held: _Held) -> TenantConfig:
        held.ask_again_at = min(self._clock() + FRESH_SECONDS, held.read_at + STALE_SECONDS)
        return held.config

    def _landed(self, tenant_id: str, flight: asyncio.Task[TenantConfig | None]) -> None:
        del self._flights[tenant_id]
        if not flight.cancelled():
            flight.exception()  # retrieved here: every caller may have given up

    async def _refresh(self, tenant_id: str) -> TenantConfig | None:
        try:
            config = await self._read(tenant_id)
        except DatabaseUnavailableError:
            held = self._held.get(tenant_id)
            if held is None or not self._usable(held):
                raise
            return self._stale(held)
        now = self._clock()
        if config is None:
            self._held.pop(tenant_id, None)
            self._absent[tenant_id] = now + ABSENT_SECONDS
            self._absent.move_to_end(tenant_id)
            while len(self._absent) > MAX_ABSENT:
                self._absent.popitem(last=False)
        else:
            self._absent.pop(tenant_id, None)
            self._held[tenant_id] = _Held(config, now, now + FRESH_SECONDS)
        return config
