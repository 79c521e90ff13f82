"""The lists of the pretend tools refuse what the real ones refuse, and go by the vendor's own pages."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from deskhand.pretend.jira import PretendJira
from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from deskhand.pretend.zendesk import PretendZendesk
from plugins.conformance.pretend.vendor import PretendVendor
from tests.support.pretend import PretendFactory

SECRET = "a-marked-test-token"


def fill(vendor: PretendVendor, number: int) -> list[str]:
    """Tickets a minute apart, the oldest first."""
    tickets = [vendor.add_ticket({"announce": False}) for _ in range(number)]
    for age, ticket in enumerate(reversed(tickets)):
        ticket.created_at -= timedelta(minutes=age)
    return [ticket.id for ticket in tickets]


# Jira


@pytest.fixture
async def jira(pretend: PretendFactory) -> PretendJira:
    vendor = await pretend(PretendJira)
    vendor.add_account({"api_token": SECRET, "utc_offset_hours": 5})
    return vendor


async def search(http: httpx.AsyncClient, jira: PretendJira, path: str = "search/jql", **params: str) -> httpx.Response:
    auth = ("deskhand@acme.example", SECRET)
    return await http.get(f"{jira.origin}/rest/api/3/{path}", params=params, auth=auth)


@pytest.mark.parametrize("jql", ["", "ORDER BY created ASC", "order by rank"])
async def test_jira_takes_no_search_without_a_restriction(http: httpx.AsyncClient, jira: PretendJira, jql: str) -> None:
    answer = await search(http, jira, jql=jql)
    assert answer.status_code == 400
    assert answer.json()["errorMessages"][0].startswith("Unbounded JQL queries are not allowed here.")


@pytest.mark.parametrize(
    "params",
    [
        {"jql": "created >= -1h"},
        {"jql": 'created >= "yesterday"'},
        {"jql": 'created >= "-1h"', "maxResults": "0"},
        {"jql": 'created >= "-1h"', "maxResults": "many"},
        {"jql": 'created >= "-1h"', "nextPageToken": "made up"},
    ],
)
async def test_jira_refuses(http: httpx.AsyncClient, jira: PretendJira, params: dict[str, str]) -> None:
    assert (await search(http, jira, **params)).status_code == 400


async def test_jiras_old_search_is_gone(http: httpx.AsyncClient, jira: PretendJira) -> None:
    assert (await search(http, jira, "search", jql='created >= "-1h"')).status_code == 410


async def test_jiras_pages(http: httpx.AsyncClient, jira: PretendJira) -> None:
    keys = fill(jira, 60)
    asked = {"jql": 'created >= "-1d" ORDER BY created DESC', "fields": "created"}
    first = (await search(http, jira, **asked, startAt="50")).json()
    assert (len(first["issues"]), first["isLast"]) == (50, False), "startAt is not read"
    assert all(set(issue["fields"]) == {"created"} for issue in first["issues"])
    second = (await search(http, jira, **asked, nextPageToken=first["nextPageToken"])).json()
    assert (second["isLast"], "nextPageToken" in second) == (True, False)
    assert [issue["key"] for issue in (*first["issues"], *second["issues"])] == keys[::-1]


async def test_jira_tells_nothing_but_ids_unless_asked(http: httpx.AsyncClient, jira: PretendJira) -> None:
    fill(jira, 1)
    (issue,) = (await search(http, jira, jql='created >= "-1d"')).json()["issues"]
    assert set(issue) == {"id"}


async def test_jira_reads_dates_in_the_accounts_time_zone(http: httpx.AsyncClient, jira: PretendJira) -> None:
    ticket = jira.add_ticket({"announce": False})
    for hours, found in ((5, 1), (6, 0)):
        local = ticket.created_at + timedelta(hours=hours) - timedelta(minutes=2)
        answer = await search(http, jira, jql=f'created >= "{local:%Y-%m-%d %H:%M}"')
        assert len(answer.json()["issues"]) == found


# Zendesk


@pytest.fixture
async def zendesk(pretend: PretendFactory) -> PretendZendesk:
    vendor = await pretend(PretendZendesk)
    vendor.add_account({"api_token": SECRET})
    return vendor


async def export(http: httpx.AsyncClient, zendesk: PretendZendesk, **params: str) -> httpx.Response:
    auth = ("deskhand@acme.example/token", SECRET)
    return await http.get(f"{zendesk.origin}/api/v2/search/export.json", params=params, auth=auth)


SINCE = "created>2026-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"query": SINCE}, "filter[type] must be"),
        ({"query": f"type:ticket {SINCE}", "filter[type]": "ticket"}, "type is not allowed in the query"),
        ({"query": SINCE, "filter[type]": "ticket", "page[size]": "1001"}, "page[size] must be"),
        ({"query": SINCE, "filter[type]": "ticket", "page[size]": "0"}, "page[size] must be"),
        ({"query": SINCE, "filter[type]": "ticket", "page[after]": "made up"}, "page[after] is invalid"),
        ({"query": "created>yesterday", "filter[type]": "ticket"}, "knows created> and created<"),
        ({"filter[type]": "ticket"}, "knows created> and created<"),
    ],
)
async def test_zendesk_refuses(
    http: httpx.AsyncClient, zendesk: PretendZendesk, params: dict[str, str], words: str
) -> None:
    answer = await export(http, zendesk, **params)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


async def test_zendesks_pages(http: httpx.AsyncClient, zendesk: PretendZendesk) -> None:
    ids = fill(zendesk, 5)
    found: list[str] = []
    params = {"query": SINCE, "filter[type]": "ticket", "page[size]": "2"}
    for more in (True, True, False):
        body = (await export(http, zendesk, **params)).json()
        found += [str(row["id"]) for row in body["results"]]
        assert (body["meta"]["has_more"], body["links"]["next"] is not None) == (more, more)
        params["page[after]"] = body["meta"]["after_cursor"]
    assert found == ids


async def test_zendesk_does_not_find_what_is_not_yet_indexed(http: httpx.AsyncClient, zendesk: PretendZendesk) -> None:
    ids = fill(zendesk, 5)
    zendesk.index_lag = timedelta(minutes=3, seconds=-10)
    body = (await export(http, zendesk, **{"query": SINCE, "filter[type]": "ticket"})).json()
    assert [str(row["id"]) for row in body["results"]] == ids[:2]


# ServiceDesk Plus


@pytest.fixture
async def sdp(pretend: PretendFactory) -> PretendServiceDeskPlus:
    vendor = await pretend(PretendServiceDeskPlus)
    vendor.add_account({"api_key": SECRET})
    return vendor


async def listed(http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, **info: Any) -> dict[str, Any]:
    headers = {"Accept": "application/vnd.manageengine.sdp.v3+json", "authtoken": SECRET}
    params = {"input_data": json.dumps({"list_info": info})}
    answer = await http.get(f"{sdp.origin}/api/v3/requests", headers=headers, params=params)
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"sort_field": "creation"}, "Invalid sort field"),
        ({"rows": 5}, "EXTRA_KEY_FOUND_IN_JSON"),
        ({"search_criteria": []}, "EXTRA_KEY_FOUND_IN_JSON"),
    ],
)
async def test_servicedesk_plus_refuses(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus, info: dict[str, Any], words: str
) -> None:
    (message,) = (await listed(http, sdp, **info))["response_status"]["messages"]
    assert (message["status_code"], message["message"]) == (4001, words)


async def test_servicedesk_plus_sorts_by_when_requests_were_created(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus
) -> None:
    ids = fill(sdp, 5)
    sdp.tickets[ids[2]].created_at -= timedelta(days=1)
    body = await listed(http, sdp, sort_field="created_time", sort_order="desc", row_count=3)
    assert [row["id"] for row in body["requests"]] == [ids[4], ids[3], ids[1]]
    assert body["list_info"]["has_more_rows"] is True
    rest = await listed(http, sdp, sort_field="created_time", sort_order="desc", row_count=3, start_index=4)
    assert [row["id"] for row in rest["requests"]] == [ids[0], ids[2]]
    assert rest["list_info"]["has_more_rows"] is False


async def test_servicedesk_plus_gives_a_hundred_rows_at_most(
    http: httpx.AsyncClient, sdp: PretendServiceDeskPlus
) -> None:
    fill(sdp, 120)
    assert len((await listed(http, sdp, row_count=500))["requests"]) == 100
    assert len((await listed(http, sdp))["requests"]) == 10
