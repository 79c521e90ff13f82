"""Requests created since a moment, newest first: what webhooks should have told of, which come once or never.

Newest first, and as far back as needed: sorting and paging a list is documented for every edition ("Input Data" of the
API v3: at most 100 rows a page), while conditions on `created_time` are spelt differently from one to the next. Pages
go by number, so what comes and goes meanwhile moves the rows: new requests push some onto the next page again, which
does no harm, and deleted ones would pull some past it. So each page begins a few rows before the end of the last one.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from plugins.exceptions import APIError, ConfigurationError
from plugins.parsing import parse_time
from plugins.servicedesk_plus import answers
from plugins.servicedesk_plus.answers import Answer
from plugins.servicedesk_plus.api import ServiceDeskPlusApi, compact
from plugins.servicedesk_plus.connection import ServiceDeskPlusConnection

PAGE_SIZE = 100
"""Rows of one page, the API's maximum."""
OVERLAP = 10
"""Rows of a page that are on the page before as well: as many requests may be deleted between the two."""
SORTED = {"sort_field": "created_time", "sort_order": "desc"}


async def created_since(api: ServiceDeskPlusApi, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
    """Flat bodies for requests that the technician may see, inclusive, to the millisecond.

    Whether the list leaves out any of them by itself, as the views of the user interface do, is not confirmed.

    Raises:
        PluginError: what ServiceDesk Plus's refusal means; `APIError` also if the list is not sorted, leads nowhere, or
            changed so much meanwhile that some were not seen. What was read so far is true.
    """
    connection = await api.connection(tenant_id, ServiceDeskPlusConnection)
    earliest = since - timedelta(microseconds=since.microsecond % 1000)
    seen: set[str | None] = set()
    begin = 1
    while True:
        body, rows = await _page(api, tenant_id, connection, begin)
        ids = {answers.id_of(row) for row in rows}
        if seen and rows and seen.isdisjoint(ids):
            raise APIError(f"{api.tool_type}: more than {OVERLAP} requests went away while they were listed: try again")
        last: datetime | None = None
        for row in rows:
            created = parse_time(row.get("created_time"))
            if created is not None:
                if last is not None and created > last:
                    raise APIError(f"{api.tool_type}: the list of requests is not sorted by created_time")
                last = created
                if created < earliest:
                    return
            # One that is told twice does no harm, one that is left out does.
            if answers.id_of(row) not in seen:
                yield flat_event(tenant_id, row)
        if answers.is_last_page(body, rows, PAGE_SIZE):
            return
        if ids <= seen or last is None:
            raise APIError(f"{api.tool_type}: the list of requests says that there are more, and brings nothing new")
        begin += max(1, len(rows) - OVERLAP)
        seen = ids


async def _page(
    api: ServiceDeskPlusApi, tenant_id: str, connection: ServiceDeskPlusConnection, begin: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    params = {"input_data": compact({"list_info": {"row_count": PAGE_SIZE, "start_index": begin, **SORTED}})}
    response = await api.call(tenant_id, connection, "GET", connection.url(), params=params)
    answer = Answer.of(response)
    if answer.not_found:
        # A list is there even if it is empty.
        raise ConfigurationError(
            f"tenant {tenant_id}: base_url, resource_path: {api.tool_type} answered {answer.http_status} for "
            f"{connection.resource_path}: is the address right?"
        )
    body = api.body(response, answer)
    rows = body.get("requests")
    if rows is None and answer.code is not None:
        rows = []  # the API leaves an empty list out
    if not isinstance(rows, list):
        raise APIError(f"{api.tool_type} answered {response.status_code} without requests")
    return body, [row for row in rows if isinstance(row, dict)]


def flat_event(tenant_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The body that the documentation suggests for new requests, without the texts: `get_ticket` reads them."""
    return {
        "tenant_id": tenant_id,
        "event": "ticket_created",
        "ticket_id": request.get("id"),
        "priority": request.get("priority"),
        "created_at": request.get("created_time"),
    }
