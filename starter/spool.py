"""Taking orders while Temporal is away: the door puts them into the spool, and a drainer brings them to Temporal.

The two tell each other by an `Outage` what they know. Nothing that they hold in memory matters: an order is in Temporal
or in the database before its sender is answered.
"""

import asyncio
import random
import traceback
from pathlib import Path

import structlog

from deskhand.db.errors import DatabaseUnavailableError
from deskhand.runs.order import Order, RunsRefusedError, RunStarter, RunsUnavailableError, Taken
from deskhand.runs.spool import Spool, SpoolFullError

LANES = 4
"""Orders that one drainer starts at once. Each holds a connection of the pool while it does."""
POLL_SECONDS = 5.0
"""How long a drainer rests when nothing waits: other starters, ended ones among them, spool too. Jittered."""
FIRST_PAUSE_SECONDS = 0.5
"""How long it rests when Temporal did not take an order; twice as long each time, up to `POLL_SECONDS`."""

_random = random.SystemRandom()

log = structlog.get_logger(__name__)


class Outage:
    """Whether Temporal is down as far as this process knows.

    It begins with a start that Temporal did not take, and ends with one that it took; while it lasts, deliveries go to
    the spool at once and the drainer is what keeps asking. So no delivery ever waits to find out, and there is no time
    to be chosen: the drainer always has an order to ask with, or finds that others brought the last one to Temporal.
    """

    def __init__(self) -> None:
        self.lasts = False
        self.spooled = asyncio.Event()
        """Set when an order was spooled."""

    def begins(self, reason: str) -> None:
        """Temporal did not take a start."""
        if not self.lasts:
            log.error("temporal.unavailable", reason=reason)
        self.lasts = True

    def ends(self) -> None:
        """Temporal took a start."""
        if self.lasts:
            log.info("temporal.back")
        self.lasts = False


class SpoolingRuns:
    """A `RunStarter` that keeps in the spool what Temporal does not take now."""

    def __init__(self, temporal: RunStarter, spool: Spool, outage: Outage) -> None:
        self._temporal = temporal
        self._spool = spool
        self._outage = outage

    async def start(self, order: Order) -> Taken:
        """See `RunStarter.start`. What Temporal refuses is taken too: quarantined, with an error in the log.

        Raises:
            RunsUnavailableError: neither Temporal nor the spool takes it.
        """
        if self._outage.lasts:
            return await self._spool_first(order)
        try:
            return await self._ask_temporal(order)
        except RunsRefusedError as error:
            return await self._quarantine(order, str(error))
        except RunsUnavailableError as unavailable:
            try:
                return await self._put(order)
            except RunsUnavailableError as error:
                raise type(error)(f"Temporal: {unavailable}; spool: {error}") from error

    async def check(self) -> None:
        """See `RunStarter.check`: either of the two is enough."""
        try:
            await self._temporal.check()
        except RunsUnavailableError:
            await self._spool.check()

    async def _spool_first(self, order: Order) -> Taken:
        try:
            return await self._put(order)
        except SpoolFullError:
            raise  # Temporal is not asked: a flood must not hold the door for as long as that takes
        except RunsUnavailableError as error:
            log.warning("spool.unavailable", reason=str(error))
        try:
            return await self._ask_temporal(order)
        except RunsRefusedError as error:
            return await self._quarantine(order, str(error))

    async def _ask_temporal(self, order: Order) -> Taken:
        try:
            taken = await self._temporal.start(order)
        except RunsUnavailableError as error:
            self._outage.begins(str(error))
            raise
        self._outage.ends()
        return taken

    async def _put(self, order: Order) -> Taken:
        await self._spool.put(order)
        self._outage.spooled.set()
        return Taken.SPOOLED

    async def _quarantine(self, order: Order, reason: str) -> Taken:
        await self._spool.put(order, refused=reason)
        _report_refusal(order, reason)
        return Taken.SPOOLED


class Drainer:
    """Brings what is in the spool to Temporal, whoever put it there. Every starter runs one."""

    def __init__(
        self,
        spool: Spool,
        temporal: RunStarter,
        outage: Outage,
        *,
        lanes: int = LANES,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._spool = spool
        self._temporal = temporal
        self._outage = outage
        self._lanes = lanes
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """Drain until cancelled. Nothing else ends it: what goes wrong is logged, and it goes on after a pause.

        Cancelled in the middle of a start, it leaves the order in the spool.
        """
        pause = min(FIRST_PAUSE_SECONDS, self._poll_seconds)
        while True:
            if await self._drained():
                pause = min(FIRST_PAUSE_SECONDS, self._poll_seconds)
                await self._rest_until_spooled()
            else:
                await asyncio.sleep(_jittered(pause))
                pause = min(2 * pause, self._poll_seconds)

    async def _drained(self) -> bool:
        """Drain, and say whether all went well."""
        self._outage.spooled.clear()
        try:
            await self._drain()
        except RunsUnavailableError as error:
            self._outage.begins(str(error))
        except DatabaseUnavailableError as error:
            log.warning("drainer.no_database", reason=str(error))
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            _report(error)  # nobody cancelled the drainer: something that it called did so to itself
        except Exception as error:
            _report(error)
        else:
            return True
        return False

    async def _drain(self) -> None:
        # One alone at first: while Temporal hangs, that is enough to find it out.
        if not await self._spool.start_next(self._start):
            if self._outage.lasts and not await self._spool.waits():
                self._outage.ends()  # another drainer has brought to Temporal what began it
            return
        lanes = [asyncio.create_task(self._drain_lane()) for _ in range(self._lanes)]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _drain_lane(self) -> None:
        while await self._spool.start_next(self._start):
            pass

    async def _start(self, order: Order) -> None:
        taken = await self._temporal.start(order)
        self._outage.ends()
        log.info("spool.drained", run=order.run, answer=taken)

    async def _rest_until_spooled(self) -> None:
        try:
            async with asyncio.timeout(_jittered(self._poll_seconds)):
                await self._outage.spooled.wait()
        except TimeoutError:
            pass


def _jittered(seconds: float) -> float:
    """So that many starters do not all ask at once."""
    return seconds * _random.uniform(0.5, 1.0)


def _report_refusal(order: Order, reason: str) -> None:
    log.error("run.refused", run=order.run, reason=reason, hint="mend it, then `deskhand runs redrive`")


def _report(error: BaseException) -> None:
    """A bug, or a database that refuses. The text may hold a row, so that only type and place are told."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
    log.error("drainer.failed", error=type(error).__name__, where=where)
