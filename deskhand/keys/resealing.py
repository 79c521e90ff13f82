"""Sealing anew what is sealed with another key than the primary one, row by row, while everything runs.

Each row has a short transaction of its own, so that a pass can end anywhere and the next one goes on. A pass may leave
rows: drainers hold some, and processes that have not seen the new primary key make others. So passes are made until one
finds none.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import asyncpg
import pydantic
from temporalio.api.workflowservice.v1 import UpdateScheduleRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import SealError, sealed_prefix
from deskhand.db.pool import Pool, transaction
from deskhand.keys.holding import schedules
from deskhand.keys.payloads import reseal
from deskhand.keys.rings import RingKind
from deskhand.runs.handling import RPC_TIMEOUT, is_unknown_run
from deskhand.runs.spool import open_order, seal_order
from deskhand.tenants.sealing import reseal_connection, reseal_secrets

BATCH = 500
"""Rows of the spool that are looked for at a time."""
MAX_PROBLEMS = 10

_TENANTS = {
    RingKind.PAYLOAD: ("webhook_secrets", reseal_secrets),
    RingKind.CREDENTIAL: ("connection", reseal_connection),
}
_OLD_ORDERS = """
SELECT id FROM spool WHERE id > $1 AND substring(sealed FROM 1 FOR length($2::bytea)) <> $2 ORDER BY id LIMIT $3
"""
_OLD_ORDER = """
SELECT id, tenant_hash, run_hash, sealed, refused_at FROM spool
WHERE id = $1 AND substring(sealed FROM 1 FOR length($2::bytea)) <> $2
FOR UPDATE SKIP LOCKED
"""
_IS_OLD = "SELECT EXISTS (SELECT FROM spool WHERE id = $1 AND substring(sealed FROM 1 FOR length($2::bytea)) <> $2)"
_RESEAL_ORDER = "UPDATE spool SET tenant_hash = $2, ticket_hash = $3, run_hash = $4, sealed = $5 WHERE id = $1"
_LET_OUT = "UPDATE spool SET refused_at = NULL, reason = NULL WHERE run_hash = $1 AND refused_at IS NOT NULL"


@dataclass(slots=True)
class Resealed:
    """What passes have done. It is right at any moment."""

    tenants: int = 0
    spooled: int = 0
    schedules: int = 0
    held: int = 0
    """Of the last pass: rows that somebody else was at."""
    problems: list[str] = field(default_factory=list)
    """Of the last pass: what cannot be opened, the first few."""

    @property
    def done(self) -> int:
        """Everything that was sealed anew."""
        return self.tenants + self.spooled + self.schedules

    def problem(self, text: str) -> None:
        """Keep it once, if there are not too many."""
        if len(self.problems) < MAX_PROBLEMS and text not in self.problems:
            self.problems.append(text)


async def reseal_rows(
    pool: Pool, kind: RingKind, ring: Keyring, so_far: Resealed, progress: Callable[[Resealed], None]
) -> bool:
    """One pass over the database, over a pool of the role `deskhand_operator`. Whether another one is needed.

    Raises:
        DatabaseUnavailableError: the database cannot be asked now; what was done is done.
    """
    before = so_far.done
    so_far.held, so_far.problems = 0, []
    await _reseal_tenants(pool, kind, ring, so_far, progress)
    if kind is RingKind.PAYLOAD:
        await _reseal_spool(pool, ring, so_far, progress)
    return so_far.done > before or so_far.held > 0


async def reseal_schedules(client: Client, ring: Keyring, so_far: Resealed) -> bool:
    """One pass over the schedules in the client's namespace. Whether another one is needed.

    Raises:
        RPCError: Temporal does not answer, or refuses.
    """
    before = so_far.schedules
    async for schedule_id, found in schedules(client):
        try:
            if not reseal(ring, found.schedule):
                continue
        except SealError as error:
            so_far.problem(f"schedule {schedule_id}: {error}")
            continue
        update = UpdateScheduleRequest(
            namespace=client.namespace,
            schedule_id=schedule_id,
            schedule=found.schedule,
            # An operator who has just changed it would otherwise lose that.
            conflict_token=found.conflict_token,
            identity=client.identity,
            request_id=str(uuid.uuid4()),
        )
        try:
            await client.workflow_service.update_schedule(update, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.FAILED_PRECONDITION and not is_unknown_run(error):
                raise
        so_far.schedules += 1
    return so_far.schedules > before


async def _reseal_tenants(
    pool: Pool, kind: RingKind, ring: Keyring, so_far: Resealed, progress: Callable[[Resealed], None]
) -> None:
    column, anew = _TENANTS[kind]
    prefix = sealed_prefix(ring.primary_id)
    is_old = f"substring({column} FROM 1 FOR length($1::bytea)) <> $1"
    async with transaction(pool) as connection:
        rows = await connection.fetch(f"SELECT tenant_id FROM tenant_configs WHERE {is_old}", prefix)  # noqa: S608 - ours
    for row in rows:
        tenant_id = row["tenant_id"]
        async with transaction(pool) as connection:
            sealed = await connection.fetchval(
                f"SELECT {column} FROM tenant_configs WHERE {is_old} AND tenant_id = $2 FOR UPDATE",  # noqa: S608 - ours
                prefix,
                tenant_id,
            )
            if sealed is None:
                continue
            try:
                resealed = anew(ring, tenant_id, sealed)
            except SealError as error:
                so_far.problem(f"tenant {tenant_id}: {error}")
                continue
            await connection.execute(
                f"UPDATE tenant_configs SET {column} = $1 WHERE tenant_id = $2",  # noqa: S608 - our own column
                resealed,
                tenant_id,
            )
        so_far.tenants += 1
        progress(so_far)


async def _reseal_spool(pool: Pool, ring: Keyring, so_far: Resealed, progress: Callable[[Resealed], None]) -> None:
    prefix = sealed_prefix(ring.primary_id)
    last = 0
    while True:
        async with transaction(pool) as connection:
            rows = await connection.fetch(_OLD_ORDERS, last, prefix, BATCH)
        for row in rows:
            await _reseal_order(pool, ring, row["id"], prefix, so_far)
            progress(so_far)
        if len(rows) < BATCH:
            return
        last = rows[-1]["id"]


async def _reseal_order(pool: Pool, ring: Keyring, row_id: int, prefix: bytes, so_far: Resealed) -> None:
    async with transaction(pool) as connection:
        row = await connection.fetchrow(_OLD_ORDER, row_id, prefix)
        if row is None:
            so_far.held += await connection.fetchval(_IS_OLD, row_id, prefix)
            return
        try:
            new = seal_order(ring, open_order(ring, row))
        except SealError as error:
            so_far.problem(f"spooled order {row_id}: {error}")
            return
        except pydantic.ValidationError:
            so_far.problem(f"spooled order {row_id}: was spooled by a version with other fields")
            return
        try:
            async with connection.transaction():
                await connection.execute(_RESEAL_ORDER, row_id, new.tenant, new.ticket, new.run, new.sealed)
        except asyncpg.UniqueViolationError:
            # A redelivery was spooled under the new key meanwhile. One of the two is enough, and it must not stay in
            # quarantine for the other one's sake.
            if row["refused_at"] is None:
                await connection.execute(_LET_OUT, new.run)
            await connection.execute("DELETE FROM spool WHERE id = $1", row_id)
        so_far.spooled += 1
