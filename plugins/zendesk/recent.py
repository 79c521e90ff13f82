"""Tickets created since a moment, out of Zendesk's search: what webhooks should have told of.

Sources: Zendesk's pages "Search" (Export Search Results: agents may, pages by cursor, ordered by `created_at` alone,
100 requests a minute) and "Zendesk Support search reference". The page also says that it can take a few minutes until a
new ticket is found: whoever calls again should begin some minutes before the end of the last time. The incremental
export, which would not need the search's index, is for administrators only; the plain search ends after 1,000 tickets.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from plugins.exceptions import APIError, AuthenticationError
from plugins.parsing import parse_time
from plugins.zendesk.answers import id_of
from plugins.zendesk.api import ZendeskApi
from plugins.zendesk.connection import ZendeskConnection

PAGE_SIZE = 100
"""Tickets of one page, as Zendesk recommends. Its tickets bring their descriptions, of 64 kB at most."""
MAX_IDLE_PAGES = 5
"""Pages in a row that bring nothing new, after which Zendesk is not asked any more."""


async def created_since(api: ZendeskApi, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
    """Event bodies for tickets that the agent may see, inclusive, to the second that Zendesk tells.

    In the order of creation, whichever way round Zendesk has it; by cursor, so that tickets that come and go meanwhile
    move no others. A cursor counts for an hour.

    Raises:
        PluginError: what Zendesk's refusal means; `APIError` also if its pages lead nowhere. What was read so far is
            true.
    """
    connection = await api.connection(tenant_id, ZendeskConnection)
    # Zendesk tells whole seconds: what was created in the rest of this one looks earlier than it was.
    earliest = since.replace(microsecond=0)
    params = {"query": query(earliest), "filter[type]": "ticket", "page[size]": str(PAGE_SIZE)}
    seen: set[str | None] = set()
    idle = 0
    while True:
        page = await _page(api, tenant_id, connection, params)
        ids = set()
        for ticket in page["results"]:
            if not isinstance(ticket, dict) or ticket.get("result_type", "ticket") != "ticket":
                continue
            number, created = id_of(ticket), parse_time(ticket.get("created_at"))
            ids.add(number)
            # One that is told twice does no harm, one that is left out does.
            if number not in seen and (created is None or created >= earliest):
                yield created_event(tenant_id, ticket)
        meta = page.get("meta")
        more, cursor = (meta.get("has_more"), meta.get("after_cursor")) if isinstance(meta, dict) else (None, None)
        if more is False:
            return
        idle = 0 if ids - seen else idle + 1
        # The cursor and not `links.next`: credentials go to the tenant's own address, whatever a reply says.
        if not isinstance(cursor, str) or cursor in ("", params.get("page[after]")) or idle > MAX_IDLE_PAGES:
            raise APIError(f"{api.tool_type}: the list of tickets does not say that it ends, and leads nowhere")
        params["page[after]"] = cursor
        seen = ids


def query(earliest: datetime) -> str:
    """What to search for. Strictly after the second before: of `>=` some report that it is not understood."""
    return f"created>{(earliest.astimezone(UTC) - timedelta(seconds=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}"


async def _page(
    api: ZendeskApi, tenant_id: str, connection: ZendeskConnection, params: Mapping[str, str]
) -> dict[str, Any]:
    response = await api.call(tenant_id, connection, "GET", "search/export", params=params)
    api.missing(tenant_id, response)
    if response.status_code == 403 and connection.oauth:
        # The list of narrower scopes has none for searching; that `read` is needed is not confirmed.
        said = f"{api.tool_type} answered 403: {api.error_words(response)}"
        raise AuthenticationError(f"{said} (searching for tickets may need a scope that has read in it)")
    api.success(response, "results", of=list)
    return api.json_object(response)


def created_event(tenant_id: str, ticket: Mapping[str, Any]) -> dict[str, Any]:
    """What a webhook says that is subscribed to new tickets, without the texts: `get_ticket` reads them."""
    number = id_of(ticket)
    return {
        "tenant_id": tenant_id,
        "type": "zen:event-type:ticket.created",
        "subject": f"zen:ticket:{number}",
        "detail": {"id": number, "priority": ticket.get("priority"), "created_at": ticket.get("created_at")},
    }
