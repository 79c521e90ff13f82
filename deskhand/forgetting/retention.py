"""What is older than its tenant wants it kept, removed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client

from deskhand.crypto.keyring import Keys
from deskhand.db.pool import Pool, transaction
from deskhand.forgetting.history import TenantHistory
from deskhand.forgetting.removed import Removed
from deskhand.forgetting.runs import TenantRuns
from deskhand.forgetting.spooled import TenantSpool
from deskhand.runs.pacing import Pace

PER_SECOND = 10.0
"""How many runs Temporal is told to delete a second: it has tickets to see to."""

# The database's clock, as the search goes by it.
_LIMITS = """
SELECT tenant_id, days, now() - make_interval(days => days) AS before
FROM tenant_configs, LATERAL (SELECT (settings ->> 'retention_days')::integer AS days) AS kept
WHERE days IS NOT NULL ORDER BY tenant_id
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """How far back one tenant is remembered."""

    tenant_id: str
    days: int
    before: datetime
    """What is older than this goes."""


async def limits(pool: Pool) -> list[Limit]:
    """The tenants that have a retention time, over a pool of the role `deskhand_operator`.

    Raises:
        DatabaseUnavailableError: the database cannot be asked now.
    """
    async with transaction(pool) as connection:
        return [Limit(**row) for row in await connection.fetch(_LIMITS)]


async def sweep_database(
    pool: Pool, payload_keys: Keys, limit: Limit, removed: Removed, *, dry_run: bool = False
) -> None:
    """Remove what one tenant has too old in the database: rows of its history, and orders in the spool's quarantine.

    Orders that wait are left: they go to Temporal as soon as it takes them. `removed` is right at any moment.

    Raises:
        DatabaseUnavailableError: the database cannot be asked now.
    """
    history, spool = TenantHistory(pool, limit.tenant_id), TenantSpool(pool, payload_keys, limit.tenant_id)
    if dry_run:
        removed.history = await history.count(limit.before)
        removed.spooled = await spool.count_quarantined(limit.before)
        return
    while done := await history.delete_some(limit.before):
        removed.history += done
    while done := await spool.delete_quarantined(limit.before):
        removed.spooled += done


async def sweep_runs(
    client: Client,
    limit: Limit,
    removed: Removed,
    pace: Pace,
    *,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Have the executions deleted that ended too long ago, at a bounded rate; Temporal does so within about a minute.

    Open runs are left, however old: they end within days. `removed` is right at any moment.

    Raises:
        RPCError: Temporal does not answer, or refuses.
    """
    runs = TenantRuns(client, limit.tenant_id)
    if dry_run:
        removed.runs = await runs.count_closed_before(limit.before)
        return
    async for run in runs.closed_before(limit.before):
        await pace.turn()
        removed.runs += await runs.delete(run)
        progress(removed.runs)
