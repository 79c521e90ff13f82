"""Orders of one tenant in the spool, removed."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pydantic

from deskhand.crypto.keyring import Keys
from deskhand.crypto.sealing import Purpose, SealError, keyed_hash, sealed_prefix
from deskhand.db.pool import Pool, transaction
from deskhand.forgetting.sought import Mention, Sought, Ticket
from deskhand.runs.spool import open_order

BATCH = 100
"""Rows that are opened, or deleted, in one transaction: each may be as large as a delivery."""

_PAGE = """
SELECT id, tenant_hash, run_hash, sealed FROM spool
WHERE tenant_hash = ANY ($1::bytea[]) AND id > $2 ORDER BY id LIMIT $3
"""
_DELETE = "DELETE FROM spool WHERE id = ANY ($1::bigint[])"
_OLD = """
FROM spool WHERE tenant_hash = ANY ($1::bytea[]) AND refused_at IS NOT NULL AND spooled_at < $2
"""
_COUNT_OLD = f"SELECT count(*) {_OLD}"
_DELETE_OLD = f"DELETE FROM spool WHERE id IN (SELECT id {_OLD} ORDER BY id LIMIT $3)"  # noqa: S608 - constants
_OF_TICKET = "SELECT id FROM spool WHERE ticket_hash = ANY ($1::bytea[])"
_FOREIGN = """
SELECT count(*) FROM spool WHERE NOT EXISTS (
    SELECT FROM unnest($1::bytea[]) AS known (prefix) WHERE substring(sealed FROM 1 FOR length(prefix)) = prefix
)
"""


@dataclass(slots=True)
class FoundOrders:
    """What a look into the spool came to."""

    ids: list[int] = field(default_factory=list)
    """The rows that are meant."""
    unopened: int = 0
    """The tenant's rows that do not open, so that nobody knows."""


class TenantSpool:
    """One tenant's orders in the spool, over a pool of the role `deskhand_operator`.

    Every method raises `DatabaseUnavailableError` when the database cannot be asked.
    """

    def __init__(self, pool: Pool, payload_keys: Keys, tenant_id: str) -> None:
        self._pool = pool
        self._keys = payload_keys
        self._tenant = tenant_id

    async def find(self, sought: Sought) -> FoundOrders:
        """The orders that are meant: a ticket's by their hash, under every key of the ring; a person's, by opening all
        of the tenant's.
        """
        if isinstance(sought, Ticket):
            return await self._of_ticket(sought)
        return await self._paged(lambda row: self._mentions(row, sought))

    async def all(self) -> list[int]:
        """The tenant's orders, none of them opened."""
        return (await self._paged(lambda _: True)).ids

    async def foreign(self) -> int:
        """How many orders, of whichever tenant, are sealed with keys that are not in the ring."""
        prefixes = [sealed_prefix(key) for key in self._keys.current().ids]
        async with transaction(self._pool) as connection:
            return int(await connection.fetchval(_FOREIGN, prefixes))

    async def delete(self, ids: Iterable[int]) -> int:
        """Delete these rows; how many there were. One that a drainer holds is waited for: its run has then started."""
        left, done = list(ids), 0
        while left:
            some, left = left[:BATCH], left[BATCH:]
            async with transaction(self._pool) as connection:
                status = await connection.execute(_DELETE, some)
            done += int(status.rpartition(" ")[2])
        return done

    async def count_quarantined(self, before: datetime) -> int:
        """How many orders in quarantine were spooled before this."""
        async with transaction(self._pool) as connection:
            return int(await connection.fetchval(_COUNT_OLD, self._hashes("tenant", self._tenant), before))

    async def delete_quarantined(self, before: datetime) -> int:
        """Delete at most `BATCH` orders in quarantine that were spooled before this; how many there were."""
        async with transaction(self._pool) as connection:
            status = await connection.execute(_DELETE_OLD, self._hashes("tenant", self._tenant), before, BATCH)
        return int(status.rpartition(" ")[2])

    async def _of_ticket(self, ticket: Ticket) -> FoundOrders:
        hashes = self._hashes("ticket", ticket.tool, self._tenant, ticket.id)
        async with transaction(self._pool) as connection:
            return FoundOrders([row["id"] for row in await connection.fetch(_OF_TICKET, hashes)])

    async def _paged(self, meant: Callable[[Any], bool | None]) -> FoundOrders:
        found, after = FoundOrders(), 0
        while True:
            async with transaction(self._pool) as connection:
                rows = await connection.fetch(_PAGE, self._hashes("tenant", self._tenant), after, BATCH)
            for row in rows:
                after = row["id"]
                verdict = meant(row)
                if verdict is None:
                    found.unopened += 1
                elif verdict:
                    found.ids.append(after)
            if len(rows) < BATCH:
                return found

    def _mentions(self, row: Any, sought: Sought) -> bool | None:
        """Whether a row does; `None`: it cannot be read."""
        try:
            order = open_order(self._keys, row)
        except (SealError, pydantic.ValidationError):
            return None
        return sought.mention_in(order.model_dump(mode="json")) is not Mention.NONE

    def _hashes(self, *parts: str) -> list[bytes]:
        """The keyed hash under every key of the ring."""
        return [keyed_hash(ring, Purpose.SPOOL, *parts) for ring in self._keys.current().each()]
