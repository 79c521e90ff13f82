"""Rows of the ticket history, removed."""

from datetime import datetime

from deskhand.db.pool import Pool, transaction
from deskhand.forgetting.sought import Sought

BATCH = 500
"""Rows that are read, or deleted, in one transaction."""

_PAGE = """
SELECT tool, ticket_id, version, subject, description, resolution, url FROM ticket_history
WHERE tenant_id = $1 AND (tool, ticket_id) > ($2, $3) ORDER BY tool, ticket_id LIMIT $4
"""
_DELETE = """
DELETE FROM ticket_history USING unnest($2::text[], $3::text[]) AS gone (tool, ticket_id)
WHERE tenant_id = $1 AND ticket_history.tool = gone.tool AND ticket_history.ticket_id = gone.ticket_id
"""
_DELETE_SOME = """
DELETE FROM ticket_history WHERE tenant_id = $1 AND (tool, ticket_id) IN (
    SELECT tool, ticket_id FROM ticket_history
    WHERE tenant_id = $1 AND resolved_at < COALESCE($2::timestamptz, 'infinity') LIMIT $3
)
"""
_COUNT = (
    "SELECT count(*) FROM ticket_history WHERE tenant_id = $1 AND resolved_at < COALESCE($2::timestamptz, 'infinity')"
)

Row = tuple[str, str]
"""A row's tool and ticket."""


class TenantHistory:
    """One tenant's history, over a pool of the role `deskhand_operator`.

    Every method raises `DatabaseUnavailableError` when the database cannot be asked.
    """

    def __init__(self, pool: Pool, tenant_id: str) -> None:
        self._pool = pool
        self._tenant = tenant_id

    async def find(self, sought: Sought) -> list[Row]:
        """The rows that are meant: every row is read, a batch at a time."""
        found: list[Row] = []
        after: Row = ("", "")
        while True:
            async with transaction(self._pool) as connection:
                rows = await connection.fetch(_PAGE, self._tenant, *after, BATCH)
            for row in rows:
                after = (row["tool"], row["ticket_id"])
                said = (row["version"], row["subject"], row["description"], row["resolution"], row["url"])
                if sought.in_row(row["ticket_id"], said):
                    found.append(after)
            if len(rows) < BATCH:
                return found

    async def delete(self, rows: list[Row]) -> int:
        """Delete these rows; how many there were."""
        done = 0
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            async with transaction(self._pool) as connection:
                status = await connection.execute(
                    _DELETE, self._tenant, [tool for tool, _ in some], [ticket for _, ticket in some]
                )
            done += int(status.rpartition(" ")[2])
        return done

    async def count(self, before: datetime | None = None) -> int:
        """How many rows there are; with `before`, of tickets that were resolved before that."""
        async with transaction(self._pool) as connection:
            return int(await connection.fetchval(_COUNT, self._tenant, before))

    async def delete_some(self, before: datetime | None = None) -> int:
        """Delete at most `BATCH` rows, as `count` means them; how many there were."""
        async with transaction(self._pool) as connection:
            status = await connection.execute(_DELETE_SOME, self._tenant, before, BATCH)
        return int(status.rpartition(" ")[2])
