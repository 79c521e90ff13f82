"""A tenant's own history of resolved tickets: searched for a new ticket's likes, fed by resolved ones."""

from deskhand.db.pool import Pool, tenant_transaction
from workflows.contracts import ContextQuery, GatheredContext, RecordInput, SimilarTicket

# What a ticket says lies in PostgreSQL as plain text, under row-level security: it could not be searched sealed.
_SEARCH = "SELECT * FROM search_ticket_history($1, $2, $3, $4, $5, $6)"
# As the search does, it leaves out what is past the tenant's retention.
_COUNT = "SELECT count(*) FROM ticket_history WHERE resolved_at >= (SELECT kept_since())"

# The same version again changes nothing. Of two versions the later one stays, whichever comes first; the version's own
# order decides between two of the same moment, so that every order of arrival ends the same.
_UPSERT = """
INSERT INTO ticket_history AS held
    (tenant_id, tool, ticket_id, version, resolved_at, subject, description, resolution, url, language)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
    COALESCE((SELECT settings ->> 'language' FROM tenant_configs WHERE tenant_id = $1), 'english'))
ON CONFLICT (tenant_id, tool, ticket_id) DO UPDATE SET
    version = excluded.version, resolved_at = excluded.resolved_at, subject = excluded.subject,
    description = excluded.description, resolution = excluded.resolution, url = excluded.url,
    language = excluded.language
WHERE held.version <> excluded.version
    AND (held.resolved_at, held.version COLLATE "C") < (excluded.resolved_at, excluded.version COLLATE "C")
"""


class TicketHistory:
    """The history of every tenant, one tenant at a time, over a pool of the role `deskhand_app`.

    Both methods raise `deskhand.db.errors.DatabaseUnavailableError` when the database cannot be asked.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def search(self, query: ContextQuery, limit: int = 5) -> GatheredContext:
        """The tenant's earlier tickets most like this one, best first, never the ticket itself; at most `limit`.

        By full text over all that a ticket says, and by likeness of its subject. Tickets that say how they were solved
        come before equally near ones that do not. What is past the tenant's retention is neither found nor counted.
        """
        async with tenant_transaction(self._pool, query.tenant_id) as connection:
            rows = await connection.fetch(
                _SEARCH,
                *(query.tool, query.ticket_id, query.language, _storable(query.subject), _storable(query.text), limit),
            )
            searched = await connection.fetchval(_COUNT)
        return GatheredContext(similar=tuple(SimilarTicket(**row) for row in rows), searched=searched)

    async def record(self, ticket: RecordInput) -> bool:
        """Keep a resolved ticket. `False`: the history already had this version, or a later one."""
        said = ticket.ticket
        async with tenant_transaction(self._pool, ticket.tenant_id) as connection:
            status = await connection.execute(
                _UPSERT,
                *(ticket.tenant_id, ticket.tool, said.ticket_id, ticket.version, ticket.resolved_at),
                *(_storable(text) for text in (said.subject, said.description, said.resolution, said.url)),
            )
        return status == "INSERT 0 1"


def _storable(text: str) -> str:
    """PostgreSQL's text cannot hold U+0000, which JSON can."""
    return text.replace("\x00", "")
