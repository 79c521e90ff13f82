"""The activity that finds recent tickets without a run, and starts theirs."""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import attempt_budget, failure
from activities.ticketing import Plugins, plugin_for
from deskhand.runs.order import Order, RunsRefusedError, RunsUnavailableError, Taken
from deskhand.runs.pacing import Pace
from plugins.base import TicketingToolPlugin, TicketMetadata
from plugins.exceptions import MAX_MESSAGE, APIError, RateLimitError, ValidationError
from plugins.payload import rebuild
from plugins.tenants import TenantConfig
from plugins.types import EventKind, Priority, TenantMode
from workflows import contracts
from workflows.contracts import Delivery, ReconcileInput, ReconcileStep, Walked
from workflows.identity import workflow_id

MOST = 5_000
"""How many tickets an attempt is done with at most before the workflow goes on with another: at this rate, 17 minutes
of an attempt's 30, and less than the hour that Zendesk's cursors are good for."""
MOST_NAMED = 1_000
"""How many workflow ids a dry run names."""
BEAT_SECONDS = 2.0
NEXT_SECONDS = 60.0
"""How long a plugin may take to come up with its next ticket: a page or a few of them."""
LONGEST_PAUSE = 15 * 60
"""Seconds of Retry-After that are waited for: longer than in a run's step, since nobody waits for a pass."""
MAX_RAW = 1_000_000
"""Bytes that a payload may have. Those of our plugins have a few hundred."""

_DIGEST = 8

log = structlog.get_logger(__name__)


class MissingRuns(Protocol):
    """Runs that should be there."""

    async def start(self, order: Order) -> Taken:
        """Start the run, unless there is or was one with its id; raises `RunsUnavailableError`, `RunsRefusedError`."""
        ...

    async def known(self, run: str) -> bool:
        """Whether there is or was a run with this id; raises `RunsUnavailableError`."""
        ...


@dataclass(frozen=True, slots=True)
class StartMissing:
    """Walks over a tenant's recent tickets; each one's run has the id that its webhook would have given it."""

    plugins: Plugins
    missing_runs: Callable[[], MissingRuns]
    """Made anew for each attempt."""
    most: int = MOST

    @activity.defn(name=contracts.START_MISSING.name)
    async def run(self, given: ReconcileInput) -> ReconcileStep:
        """How far it came, and whether there is more.

        Heartbeats say how far it is, so that another attempt goes on. What a worker that is killed started after its
        last one is then counted as having had its run.
        """
        with _as_failures():
            plugin = plugin_for(self.plugins, given.tool)
            tenant = await plugin.tenant(given.tenant_id)
            held = _held(tenant)
            if held:
                return ReconcileStep(walked=given.walked, held=held)
            walk = _Walk(given, plugin, tenant, self.missing_runs())
            async with _beating(walk), attempt_budget():
                more = await walk.go(self.most)
            return ReconcileStep(walked=walk.walked(), more=more)


@contextmanager
def _as_failures() -> Iterator[None]:
    """As for the other activities, with more patience for a vendor that asks for a pause."""
    try:
        yield
    except (RunsUnavailableError, RunsRefusedError) as error:
        why = f"Temporal does not take a run: {error}"
        raise ApplicationError(why[:MAX_MESSAGE], type=type(error).__name__) from None
    except Exception as error:
        failed = failure(error, attempt=activity.info().attempt)
        if isinstance(error, RateLimitError) and error.retry_after is not None:
            failed = ApplicationError(
                failed.message,
                *failed.details,
                type=failed.type,
                non_retryable=error.retry_after > LONGEST_PAUSE,
                next_retry_delay=failed.next_retry_delay,
            )
        raise failed from None


def _held(tenant: TenantConfig) -> str:
    """Why nothing is started for the tenant now; empty where something is."""
    if tenant.mode is TenantMode.PAUSE:
        return "the tenant is on pause"
    return "" if tenant.active_at(datetime.now(UTC)) else "the tenant is not active"


class _Walk:
    """One attempt's way over the tickets."""

    def __init__(
        self, given: ReconcileInput, plugin: TicketingToolPlugin, tenant: TenantConfig, runs: MissingRuns
    ) -> None:
        self._given = given
        self._plugin = plugin
        self._tenant = tenant
        self._runs = runs
        self._pace = Pace()
        said = activity.info().heartbeat_details
        # As JSON, where bytes are base64: without a type they would be decoded as text.
        begin = Walked.model_validate_json(said[0]) if said else given.walked
        handled = begin.handled
        self._handled = {handled[place : place + _DIGEST] for place in range(0, len(handled), _DIGEST)}
        self._counts = {name: getattr(begin, name) for name in ("started", "had_run", "ignored", "unusable")}
        self._missing = list(begin.missing)

    def walked(self) -> Walked:
        """How far it is."""
        return Walked(
            seen=sum(self._counts.values()),
            **self._counts,
            missing=tuple(self._missing),
            handled=b"".join(self._handled),
        )

    async def go(self, most: int) -> bool:
        """Take this many more tickets at most; whether any are left."""
        enough = len(self._handled) + most
        tickets = self._plugin.recent_tickets(self._given.tenant_id, self._given.since)
        async with aclosing(_each(tickets)) as payloads:
            async for payload in payloads:
                await self._take(payload)
                if len(self._handled) >= enough or activity.is_worker_shutdown():
                    return True
        return False

    async def _take(self, payload: dict[str, Any]) -> None:
        order: Order | None = None
        identity = ""
        try:
            raw = json.dumps(payload, separators=(",", ":"), default=str).encode()
            identity = hashlib.sha256(raw).hexdigest()
            order = self._order(raw)
        except Exception as error:  # whatever a plugin makes of one ticket, the others have their turn
            log.warning("ticket.unusable", tool=self._given.tool, tenant=self._given.tenant_id, why=_reason(error))
            self._count("unusable", identity)
            return
        if order is None:
            self._count("ignored", identity)
            return
        if _digest(order.run) in self._handled:
            return
        if self._given.dry_run:
            missing = not await self._runs.known(order.run)
            if missing and len(self._missing) < MOST_NAMED:
                self._missing.append(order.run)
        else:
            missing = await self._runs.start(order) is Taken.STARTED
        self._count("started" if missing else "had_run", order.run)
        if missing and not self._given.dry_run:
            await self._pace.turn()

    def _order(self, raw: bytes) -> Order | None:
        """The order that the ticket's webhook would have led to; `None` where that would have been ignored.

        Raises:
            ValidationError: the payload is unusable.
        """
        given, now = self._given, datetime.now(UTC)
        if len(raw) > MAX_RAW:
            raise ValidationError("payload: is too large")
        payload = rebuild(raw, given.tenant_id, now, self._tenant.settings)
        if self._plugin.event_kind(payload) is not EventKind.CREATED:
            return None
        metadata: TicketMetadata = self._plugin.extract_metadata(payload)
        if metadata.tenant_id != given.tenant_id:
            raise ValidationError("tenant_id: is another tenant's")
        return Order(
            workflow=contracts.ENHANCE_TICKET,
            run=workflow_id(given.tool, given.tenant_id, metadata.ticket_id, "created"),
            ticket_id=metadata.ticket_id,
            delivery=Delivery(tool=given.tool, tenant_id=given.tenant_id, raw=raw, received_at=now, origin="reconcile"),
            priority=cast(Priority, metadata.priority),
        )

    def _count(self, as_what: str, identity: str) -> None:
        digest = _digest(identity)
        if digest not in self._handled:
            self._handled.add(digest)
            self._counts[as_what] += 1


def _digest(identity: str) -> bytes:
    return hashlib.sha256(identity.encode()).digest()[:_DIGEST]


def _reason(error: Exception) -> str:
    """A plugin's own words hold no content; those of any other error may."""
    return str(error) if isinstance(error, ValidationError) else type(error).__name__


async def _each(tickets: AsyncIterator[dict[str, Any]]) -> AsyncGenerator[dict[str, Any]]:
    """The same, each within `NEXT_SECONDS`."""
    try:
        while True:
            scope = asyncio.timeout(NEXT_SECONDS)
            try:
                async with scope:
                    payload = await anext(tickets)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                if not scope.expired():
                    raise
                raise APIError(f"the list of tickets did not go on within {NEXT_SECONDS:g} s", 0, error) from error
            yield payload
    finally:
        close = getattr(tickets, "aclose", None)
        if close is not None:
            await close()


@asynccontextmanager
async def _beating(walk: _Walk) -> AsyncIterator[None]:
    """Say every other second how far it is, and once more at the end: a failure must not lose what was done."""

    async def beat() -> None:
        while True:
            activity.heartbeat(walk.walked().model_dump_json())
            await asyncio.sleep(BEAT_SECONDS)

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        activity.heartbeat(walk.walked().model_dump_json())
