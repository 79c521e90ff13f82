"""The spool: orders kept in PostgreSQL, sealed, until Temporal takes them.

A row is ciphertext beside keyed hashes of tenant, ticket and run: to bound, to forget and to tell a redelivery by.
It is deleted in the transaction that held it while its run was started, so that whatever ends the process in between
leaves the row: it is started again, which is harmless, since the run's id is the same.

Hashes change with the primary key. Until a rotation has sealed every row anew, the rows of a tenant or a run may stand
under any key of the ring, and are looked for under each.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pydantic
import structlog

from deskhand.crypto.keyring import Keyring, Keys
from deskhand.crypto.sealing import Purpose, SealError, keyed_hash, seal, unseal
from deskhand.db.errors import DatabaseUnavailableError, first_line
from deskhand.db.pool import Connection, Pool, transaction
from deskhand.runs.order import Order, RunsRefusedError, RunsUnavailableError

PUT_SECONDS = 3.0
"""How long putting an order may take: the sender waits meanwhile, and may have waited for Temporal before."""
MAX_REASON = 300
"""Characters of a refusal's reason that are kept."""
MAX_REASONS = 20
"""How many different reasons `Spool.state` tells."""

_TABLE, _FIELD = "spool", "sealed"

_PUT = """
INSERT INTO spool (tenant_hash, ticket_hash, run_hash, sealed, refused_at, reason)
SELECT $1, $2, $3, $4, CASE WHEN $5::text IS NULL THEN NULL ELSE now() END, $5
WHERE (SELECT count(*) FROM (SELECT FROM spool WHERE tenant_hash = ANY ($6::bytea[]) LIMIT $7) AS kept) < $7
    AND NOT EXISTS (SELECT FROM spool WHERE run_hash = ANY ($8::bytea[]))
ON CONFLICT (run_hash) DO UPDATE SET refused_at = NULL, reason = NULL
WHERE excluded.refused_at IS NULL AND spool.refused_at IS NOT NULL
"""
_LET_OUT = "UPDATE spool SET refused_at = NULL, reason = NULL WHERE run_hash = ANY ($1) AND refused_at IS NOT NULL"
_IS_KEPT = "SELECT EXISTS (SELECT FROM spool WHERE run_hash = ANY ($1))"
_CAN_PUT = """
SELECT has_table_privilege('spool', 'INSERT') AND current_setting('transaction_read_only') = 'off'
    AND (SELECT count(run_hash) FROM (SELECT run_hash FROM spool LIMIT 1) AS one) >= 0
"""
_NEXT = """
SELECT id, tenant_hash, run_hash, sealed FROM spool
WHERE refused_at IS NULL AND tenant_hash > $1
ORDER BY tenant_hash, id LIMIT 1
FOR UPDATE SKIP LOCKED
"""
_WAITS = "SELECT EXISTS (SELECT FROM spool WHERE refused_at IS NULL)"
_STATE = """
SELECT count(*) FILTER (WHERE refused_at IS NULL) AS waiting,
    extract(epoch FROM now() - min(spooled_at) FILTER (WHERE refused_at IS NULL))::float8 AS oldest_seconds,
    count(refused_at) AS refused
FROM spool
"""
_REASONS = """
SELECT reason, count(*) AS orders FROM spool WHERE refused_at IS NOT NULL
GROUP BY reason ORDER BY orders DESC, reason LIMIT $1
"""
_REDRIVE = """
UPDATE spool SET refused_at = NULL, reason = NULL
WHERE refused_at IS NOT NULL AND ($1::bytea[] IS NULL OR tenant_hash = ANY ($1))
"""

log = structlog.get_logger(__name__)


class SpoolFullError(RunsUnavailableError):
    """The tenant has as many orders in the spool as it may have."""


@dataclass(frozen=True, slots=True)
class Refused:
    """How many orders are quarantined for one reason."""

    reason: str
    orders: int


@dataclass(frozen=True, slots=True)
class SpoolState:
    """What is in the spool, for operators."""

    waiting: int
    """Orders that the drainers will start."""
    oldest_seconds: float | None
    """How long the oldest of them has waited; `None` if there is none."""
    refused: int
    """Orders in quarantine: Temporal refused them, or they cannot be opened. `Spool.redrive` lets them try again."""
    reasons: tuple[Refused, ...]
    """Why, the most frequent first; at most `MAX_REASONS`."""


@dataclass(frozen=True, slots=True)
class SealedOrder:
    """What a row holds of its order, all of it under one key."""

    tenant: bytes
    """Keyed hash of the tenant."""
    ticket: bytes
    """Keyed hash of tool, tenant and ticket."""
    run: bytes
    """Keyed hash of the workflow id."""
    sealed: bytes = field(repr=False)
    """The order, bound to the hashes of tenant and run."""


def seal_order(keys: Keys, order: Order) -> SealedOrder:
    """An order as its row holds it under the primary key."""
    ring, delivery = keys.current(), order.delivery
    tenant, run = _tenant_hash(ring, delivery.tenant_id), _run_hash(ring, order.run)
    ticket = keyed_hash(ring, Purpose.SPOOL, "ticket", delivery.tool, delivery.tenant_id, order.ticket_id)
    sealed = seal(ring, Purpose.SPOOL, order.model_dump_json().encode(), *_binding(tenant, run))
    return SealedOrder(tenant, ticket, run, sealed)


def open_order(keys: Keys, row: Any) -> Order:
    """The order that a row holds, which must have its columns `tenant_hash`, `run_hash` and `sealed`.

    Raises:
        SealError: these keys do not open it.
        pydantic.ValidationError: it was spooled by a version with other fields.
    """
    opened = unseal(keys, Purpose.SPOOL, row["sealed"], *_binding(row["tenant_hash"], row["run_hash"]))
    return Order.model_validate_json(opened)


class Spool:
    """Orders that wait for Temporal.

    `put` and `start_next` need a pool of the role `deskhand_app`; `state` and `redrive` work for `deskhand_operator`,
    too, and want that role for `redrive`.
    """

    def __init__(self, pool: Pool, payload_keys: Keys, max_per_tenant: int = 10_000) -> None:
        self._pool = pool
        self._keys = payload_keys
        self._max_per_tenant = max_per_tenant
        self._turn_after = b""

    async def put(self, order: Order, *, refused: str | None = None) -> None:
        """Keep an order: it is durable when this returns. One whose run is kept already is not kept twice; if that was
        in quarantine, it gets another try.

        Args:
            refused: Temporal's reason, where it refused the order: it goes into quarantine at once.

        Raises:
            SpoolFullError: the tenant has its `max_per_tenant` orders here. Puts at once may go over by their number.
            RunsUnavailableError: the database did not take it within `PUT_SECONDS`, but still may.
        """
        # Shielded: a transaction on a database that hangs takes longer to cancel than the sender waits.
        putting = asyncio.create_task(self._put(order, None if refused is None else _words(refused, order)))
        putting.add_done_callback(_retrieve)
        try:
            async with asyncio.timeout(PUT_SECONDS):
                await asyncio.shield(putting)
        except TimeoutError:
            raise RunsUnavailableError(f"the spool did not answer within {PUT_SECONDS:g} s") from None
        except (DatabaseUnavailableError, asyncpg.PostgresError) as error:
            raise RunsUnavailableError(f"the spool did not take it: {_told(error)}") from error

    async def check(self) -> None:
        """Raise `RunsUnavailableError` unless an order could be put now."""
        asking = asyncio.create_task(self._ask(_CAN_PUT))
        asking.add_done_callback(_retrieve)
        try:
            async with asyncio.timeout(PUT_SECONDS):
                can = await asyncio.shield(asking)
        except (TimeoutError, DatabaseUnavailableError, asyncpg.PostgresError) as error:
            raise RunsUnavailableError(_told(error)) from error
        if not can:
            raise RunsUnavailableError("the database is read-only, or does not let deskhand_app write")

    async def start_next(self, start: Callable[[Order], Awaitable[object]]) -> bool:
        """Start the oldest order of the tenant whose turn it is; its row is gone when it is taken.

        Turns go round the tenants, in the order of their hashes, one order each: a tenant with thousands of orders
        keeps none waiting that has one, and an order that Temporal never takes now keeps only its own tenant's waiting.
        Rows that another drainer holds are passed over.

        An order that `start` refuses, or that cannot be opened, is quarantined with the reason: that counts as taken.

        Returns:
            Whether there was one; else nothing waits that no other drainer holds.

        Raises:
            RunsUnavailableError: `start` could not take it now; the row stays.
            DatabaseUnavailableError: the database cannot be asked now.
        """
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(_NEXT, self._turn_after)
            if row is None and self._turn_after:
                row = await connection.fetchrow(_NEXT, b"")
            if row is None:
                return False
            self._turn_after = row["tenant_hash"]
            reason = await self._start(row, start)
            if reason is None:
                await connection.execute("DELETE FROM spool WHERE id = $1", row["id"])
            else:
                await _quarantine(connection, row["id"], reason)
                log.error("spool.quarantined", row=row["id"], reason=reason)
        return True

    async def waits(self) -> bool:
        """Whether any order waits, held by a drainer or not.

        Raises:
            DatabaseUnavailableError: the database cannot be asked now.
        """
        return bool(await self._ask(_WAITS))

    async def state(self) -> SpoolState:
        """What is in the spool.

        Raises:
            DatabaseUnavailableError: the database cannot be asked now.
        """
        async with transaction(self._pool) as connection:
            counts = await connection.fetchrow(_STATE)
            reasons = await connection.fetch(_REASONS, MAX_REASONS)
        assert counts is not None  # noqa: S101 - aggregates always have one row
        return SpoolState(
            waiting=counts["waiting"],
            oldest_seconds=counts["oldest_seconds"],
            refused=counts["refused"],
            reasons=tuple(Refused(row["reason"], row["orders"]) for row in reasons),
        )

    async def redrive(self, tenant_id: str | None = None) -> int:
        """Let what is quarantined try again, of one tenant or of all. Returns how many orders that is.

        Drainers find them within seconds; an order that is refused again goes back into quarantine.

        Raises:
            DatabaseUnavailableError: the database cannot be asked now.
        """
        async with transaction(self._pool) as connection:
            done = await connection.execute(_REDRIVE, None if tenant_id is None else self.tenant_hashes(tenant_id))
        return int(done.rpartition(" ")[2])

    def tenant_hashes(self, tenant_id: str) -> list[bytes]:
        """What the tenant's rows carry: under the primary key, and under the older ones."""
        return [_tenant_hash(ring, tenant_id) for ring in self._keys.current().each()]

    async def _put(self, order: Order, reason: str | None) -> None:
        ring = self._keys.current()
        delivery = order.delivery
        row = seal_order(ring, order)
        tenants = [_tenant_hash(each, delivery.tenant_id) for each in ring.each()]
        older_runs = [_run_hash(each, order.run) for each in ring.each()][1:]
        async with transaction(self._pool) as connection:
            put = await connection.execute(
                _PUT, row.tenant, row.ticket, row.run, row.sealed, reason, tenants, self._max_per_tenant, older_runs
            )
            if put != "INSERT 0 0":
                return
            if older_runs and reason is None:
                await connection.execute(_LET_OUT, older_runs)
            if not await connection.fetchval(_IS_KEPT, [row.run, *older_runs]):
                raise SpoolFullError(f"the tenant has {self._max_per_tenant} orders in the spool")

    async def _start(self, row: Any, start: Callable[[Order], Awaitable[object]]) -> str | None:
        """Why the order goes into quarantine; `None`: it was taken."""
        try:
            order = open_order(self._keys, row)
        except SealError as error:
            return f"cannot be opened: {error}"
        except pydantic.ValidationError:
            return "cannot be read: it was spooled by a version with other fields"
        try:
            await start(order)
        except RunsUnavailableError:
            raise
        except RunsRefusedError as error:
            return _words(str(error), order)
        except Exception as error:
            # One order that breaks the start must not keep those behind it waiting.
            return f"starting it failed: {type(error).__name__}"
        return None

    async def _ask(self, question: str) -> Any:
        async with transaction(self._pool) as connection:
            return await connection.fetchval(question)


async def _quarantine(connection: Connection, row: int, reason: str) -> None:
    await connection.execute("UPDATE spool SET refused_at = now(), reason = $2 WHERE id = $1", row, reason)


def _tenant_hash(ring: Keyring, tenant_id: str) -> bytes:
    return keyed_hash(ring, Purpose.SPOOL, "tenant", tenant_id)


def _run_hash(ring: Keyring, run: str) -> bytes:
    return keyed_hash(ring, Purpose.SPOOL, "run", run)


def _binding(tenant_hash: bytes, run_hash: bytes) -> tuple[str, str, str, str]:
    return tenant_hash.hex(), run_hash.hex(), _TABLE, _FIELD


def _words(reason: str, order: Order) -> str:
    """The server's reason without what it may quote of the order: nothing of that stands in the table in plain."""
    for quoted in filter(None, (order.run, order.delivery.tenant_id, order.ticket_id)):
        reason = re.sub(rf"(?<!\w){re.escape(quoted)}(?!\w)", "…", reason)
    plain = "".join(c if c.isprintable() else " " for c in reason).strip() or "refused without a reason"
    return plain if len(plain) <= MAX_REASON else plain[: MAX_REASON - 1] + "…"


def _told(error: BaseException) -> str:
    return first_line(error) if isinstance(error, asyncpg.PostgresError) else str(error) or type(error).__name__


def _retrieve(done: "asyncio.Task[Any]") -> None:
    """The one who asked may have given up: an exception that nobody retrieves is a warning."""
    if not done.cancelled():
        done.exception()
