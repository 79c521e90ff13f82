"""Tenants in memory: fresh for seconds, and for minutes more while the database is down; and names of no tenant.

Strangers can name anything. For a name that is not in memory the database is asked at most once in `ABSENT_SECONDS`,
and `Limits` bound how many such questions there are at once, how many callers wait for them, and how many answers of
"no such tenant" are kept. What is over a limit is not answered "no": nobody looked.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from deskhand.db.errors import DatabaseUnavailableError
from plugins.tenants import TenantConfig

FRESH_SECONDS = 10.0
"""How long a tenant is served from memory: the longest that a change takes to be seen."""
STALE_SECONDS = 15 * 60.0
"""How old a tenant may be that is served while the database is down."""
HANG_SECONDS = 2.0
"""How long a tenant that is known from before waits for a database that does not answer."""
ABSENT_SECONDS = 30.0
"""How long "no such tenant" is believed: the longest that a tenant just added is not seen that was asked for before."""


class TooManyUnknownError(Exception):
    """So many names are asked for that are not in memory that this one is not looked up now."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What names that are not in memory may cost a process that strangers reach.

    None of them touches a tenant that is in memory: it is read anew out of turn.
    """

    at_once: int = 4
    """Questions to the database at the same time; each holds a connection of the pool."""
    waiting: int = 50
    """Names whose answer is waited for, and callers that wait for one. Each caller holds a delivery, and a place of
    those in flight: the others are left to tenants that are in memory."""
    absent: int = 10_000
    """Names kept as absent. None is forgotten before its time, or names that come round and round would each time be
    asked of the database. With the longest names, about 2.5 MB."""

    @classmethod
    def within(cls, max_in_flight: int) -> Self:
        """The limits of a process that handles so many deliveries at once: it keeps half of its places at least."""
        return cls(waiting=max(1, min(cls().waiting, max_in_flight // 2)))


@dataclass(slots=True)
class _Held:
    config: TenantConfig
    read_at: float
    ask_again_at: float


class TenantCache:
    """Reads each tenant through `read`, one read at a time per tenant however many ask.

    Args:
        clock: monotonic, in seconds.
        limits: `None` where no stranger chooses the names.
        absent_seconds: how long it believes that there is no such tenant.
    """

    def __init__(
        self,
        read: Callable[[str], Awaitable[TenantConfig | None]],
        clock: Callable[[], float],
        limits: Limits | None = None,
        *,
        absent_seconds: float = ABSENT_SECONDS,
    ) -> None:
        self._read = read
        self._clock = clock
        self._limits = limits
        self._absent_seconds = absent_seconds
        self._turns = asyncio.Semaphore(limits.at_once) if limits else None
        self._held: dict[str, _Held] = {}
        self._absent: OrderedDict[str, float] = OrderedDict()
        """Until when each name is believed to be absent; what ends first stands first."""
        self._flights: dict[str, asyncio.Task[TenantConfig | None]] = {}
        self._unknown: set[str] = set()
        """Names in flight that are not in memory."""
        self._callers = 0
        """How many wait for one of those."""

    async def get(self, tenant_id: str) -> TenantConfig | None:
        """The tenant, or `None` if there is none.

        Raises:
            DatabaseUnavailableError: nobody can say, and nothing recent enough is known.
            TooManyUnknownError: it is not in memory, and over the limits. Ask again later.
        """
        now = self._clock()
        held = self._held.get(tenant_id)
        if held is not None and now < held.ask_again_at:
            return held.config
        if now < self._absent.get(tenant_id, now):
            return None
        if held is None:
            return await self._look_up(tenant_id)
        flight = self._flight(tenant_id)
        if self._usable(held):
            # A database that hangs keeps nobody waiting for what is known.
            await asyncio.wait((flight,), timeout=HANG_SECONDS)
            if not flight.done():
                return self._stale(held)
        # Shielded: one caller who gives up must not fail the others.
        return await asyncio.shield(flight)

    async def read_anew(self, tenant_id: str) -> None:
        """Read a tenant now, whatever is in memory of it.

        Raises:
            DatabaseUnavailableError: it cannot be read now.
        """
        self._keep(tenant_id, await self._read(tenant_id))

    async def _look_up(self, tenant_id: str) -> TenantConfig | None:
        if self._limits and self._callers >= self._limits.waiting:
            raise TooManyUnknownError("too many callers wait for tenants that are not in memory")
        self._callers += 1
        try:
            return await asyncio.shield(self._flight(tenant_id))
        finally:
            self._callers -= 1

    def _flight(self, tenant_id: str) -> asyncio.Task[TenantConfig | None]:
        """The read of this tenant that is under way; it begins one if there is none."""
        flight = self._flights.get(tenant_id)
        if flight is None:
            if tenant_id not in self._held:
                self._require_room()
                self._unknown.add(tenant_id)
            flight = self._flights[tenant_id] = asyncio.create_task(self._refresh(tenant_id))
            flight.add_done_callback(lambda done: self._landed(tenant_id, done))
        return flight

    def _require_room(self) -> None:
        if self._limits is None:
            return
        if len(self._unknown) >= self._limits.waiting:
            raise TooManyUnknownError("too many tenants that are not in memory are looked up")
        self._forget_the_ended()
        if len(self._absent) + len(self._unknown) >= self._limits.absent:
            raise TooManyUnknownError("too many tenants that do not exist were asked for of late")

    def _forget_the_ended(self) -> None:
        now = self._clock()
        while self._absent and next(iter(self._absent.values())) <= now:
            self._absent.popitem(last=False)

    def _usable(self, held: _Held) -> bool:
        return self._clock() < held.read_at + STALE_SECONDS

    def _stale(self, held: _Held) -> TenantConfig:
        held.ask_again_at = min(self._clock() + FRESH_SECONDS, held.read_at + STALE_SECONDS)
        return held.config

    def _landed(self, tenant_id: str, flight: asyncio.Task[TenantConfig | None]) -> None:
        del self._flights[tenant_id]
        self._unknown.discard(tenant_id)
        if not flight.cancelled():
            flight.exception()  # retrieved here: every caller may have given up

    async def _refresh(self, tenant_id: str) -> TenantConfig | None:
        in_turn = self._turns if tenant_id in self._unknown else None
        try:
            async with in_turn or contextlib.nullcontext():
                config = await self._read(tenant_id)
        except DatabaseUnavailableError:
            held = self._held.get(tenant_id)
            if held is None or not self._usable(held):
                raise
            return self._stale(held)
        self._keep(tenant_id, config)
        return config

    def _keep(self, tenant_id: str, config: TenantConfig | None) -> None:
        now = self._clock()
        if config is None:
            self._held.pop(tenant_id, None)
            self._forget_the_ended()
            self._absent[tenant_id] = now + self._absent_seconds
            self._absent.move_to_end(tenant_id)
        else:
            self._absent.pop(tenant_id, None)
            self._held[tenant_id] = _Held(config, now, now + FRESH_SECONDS)
