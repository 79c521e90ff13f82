"""Issues created since a moment, oldest first, out of Jira's search: what webhooks should have told of.

Oldest first, since what is created meanwhile comes after all that is still to be read.

Source: `GET /rest/api/3/search/jql` in Atlassian's OpenAPI document of the platform API v3: pages by token, JQL that
restricts something, only the fields that are asked for. Atlassian also says there that the newest changes may not be
found yet: whoever calls again should begin some minutes before the end of the last time.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from plugins.exceptions import APIError
from plugins.jira.api import API, JiraApi
from plugins.jira.values import mapping, string
from plugins.parsing import parse_time

PAGE = 100
FIELDS = "created,priority"
"""No texts: `get_ticket` reads them, and a page of long ones would be larger than an answer may be."""

MARGIN = timedelta(minutes=10)
"""How much earlier is asked for than is wanted: Jira counts from its own clock, in minutes."""
MAX_IDLE_PAGES = 5
"""Pages in a row that bring nothing new, after which Jira is not asked any more. Whether it leaves what the account may
not see out of a page after that was cut, so that an empty one may come before others, is not confirmed."""


async def created_since(api: JiraApi, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
    """Native bodies for issues that the account may see, inclusive, to the millisecond that Jira tells.

    Raises:
        PluginError: what Jira's refusal means; `APIError` also if its pages lead nowhere. What was read so far is true.
    """
    # Jira tells milliseconds: what was created in the rest of this one looks earlier than it was.
    earliest = since - timedelta(microseconds=since.microsecond % 1000)
    params = {"jql": jql(since, datetime.now(UTC)), "fields": FIELDS, "maxResults": str(PAGE)}
    seen: set[str] = set()
    idle = 0
    while True:
        page = await _page(api, tenant_id, params)
        keys = set()
        for issue in page["issues"]:
            key = string(mapping(issue).get("key"))
            keys.add(key)
            created = parse_time(mapping(mapping(issue).get("fields")).get("created"))
            # One that is told twice does no harm, one that is left out does.
            if key not in seen and (created is None or created >= earliest):
                yield native_event(tenant_id, mapping(issue))
        token = page.get("nextPageToken")
        if not token and page.get("isLast") is not False:
            return
        idle = 0 if keys - seen else idle + 1
        if not isinstance(token, str) or token in ("", params.get("nextPageToken")) or idle > MAX_IDLE_PAGES:
            raise APIError(f"{api.tool_type}: the list of issues says that there are more, and leads to none")
        params["nextPageToken"] = token
        seen = keys


def jql(since: datetime, now: datetime) -> str:
    """What to search for, counted back from now.

    A date would be read in the time zone of the account's profile, which is not ours to know; both count in minutes.
    """
    minutes = -(-(now - since + MARGIN) // timedelta(minutes=1))
    return f'created >= "-{max(minutes, 1)}m" ORDER BY created ASC'


async def _page(api: JiraApi, tenant_id: str, params: Mapping[str, str]) -> dict[str, Any]:
    response = await api.call(tenant_id, "GET", f"{API}/search/jql", params=params)
    if api.missing(tenant_id, response):
        raise api.no_jira(tenant_id, response)
    page = api.answer(response)
    if not isinstance(page.get("issues"), list):
        raise APIError(f"{api.tool_type}: the list of issues holds no list")
    return page


def native_event(tenant_id: str, issue: Mapping[str, Any]) -> dict[str, Any]:
    """What an admin webhook says when an issue is created, without the texts: whatever became of it since."""
    fields = mapping(issue.get("fields"))
    return {
        "tenant_id": tenant_id,
        "webhookEvent": "jira:issue_created",
        "issue": {
            "id": issue.get("id"),
            "key": issue.get("key"),
            "fields": {"created": fields.get("created"), "priority": fields.get("priority")},
        },
    }
