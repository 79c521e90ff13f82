"""The spool: orders kept in PostgreSQL, sealed, until Temporal takes them.

A row is ciphertext beside keyed hashes of tenant, ticket and run: to bound, to forget and to tell a redelivery by.
It is deleted in the transaction that held it while its run was started, so that whatever ends the process in between
leaves the row: it is started again, which is harmless, since the run's id is the same.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pydantic
import structlog

from deskhand.crypto.keyring import Keyring
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
ON CONFLICT (run_hash) DO UPDATE SET refused_at = NULL, reason = NULL
WHERE excluded.refused_at IS NULL AND spool.refused_at IS NOT NULL
"""
_IS_KEPT = "SELECT EXISTS (SELECT FROM spool WHERE run_hash = $1)"
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


class Spool:
    """Orders that wait for Temporal.

    `put` and `start_next` need a pool of the role `deskhand_app`; `state` and `redrive` work for `deskhand_operator`,
    too, and want that role for `redrive`.
    """

    def __init__(self, pool: Pool, payload_keys: Keyring, max_per_tenant: int = 10_000) -> None:
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
            done = await connection.execute(_REDRIVE, None if tenant_id is None else self._tenant_hashes(tenant_id))
        return int(done.rpartition(" ")[2])

    async def _put(self, order: Order, reason: str | None) -> None:
        delivery = order.delivery
        tenants = self._tenant_hashes(delivery.tenant_id)
        ticket = self._hash(self._keys, "ticket", delivery.tool, delivery.tenant_id, order.ticket_id)
        run = self._hash(self._keys, "run", order.run)
        sealed = seal(self._keys, Purpose.SPOOL, order.model_dump_json().encode(), *_binding(tenants[0], run))
        async with transaction(self._pool) as connection:
            put = await connection.execute(_PUT, tenants[0], ticket, run, sealed, reason, tenants, self._max_per_tenant)
            if put == "INSERT 0 0" and not await connection.fetchval(_IS_KEPT, run):
                raise SpoolFullError(f"the tenant has {self._max_per_tenant} orders in the spool")

    async def _start(self, row: Any, start: Callable[[Order], Awaitable[object]]) -> str | None:
        """Why the order goes into quarantine; `None`: it was taken."""
        try:
            opened = unseal(self._keys, Purpose.SPOOL, row["sealed"], *_binding(row["tenant_hash"], row["run_hash"]))
            order = Order.model_validate_json(opened)
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

    def _tenant_hashes(self, tenant_id: str) -> list[bytes]:
        """Under the primary key, and under the older ones: rows from before a rotation are the tenant's, too."""
        ids = [self._keys.primary_id, *(key for key in self._keys.keys if key != self._keys.primary_id)]
        return [self._hash(Keyring(key, self._keys.keys), "tenant", tenant_id) for key in ids]

    @staticmethod
    def _hash(keys: Keyring, what: str, *parts: str) -> bytes:
        return keyed_hash(keys, Purpose.SPOOL, what, *parts)


async def _quarantine(connection: Connection, row: int, reason: str) -> None:
    await connection.execute("UPDATE spool SET refused_at = now(), reason = $2 WHERE id = $1", row, reason)


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
