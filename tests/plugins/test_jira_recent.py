"""Issues that no webhook told of, out of Jira's search: what is asked, in whose time, and how far."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deskhand.pretend.jira import PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.model import PretendTicket
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    PermanentAPIError,
    PluginError,
    RateLimitError,
    ValidationError,
)
from plugins.jira import JiraPlugin
from plugins.jira.recent import jql
from plugins.types import EventKind
from tests.support.jira import Jira
from tests.support.pretend import MemoryTenants, PretendFactory

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENOUGH = 20
"""Answers of a list that leads nowhere: a plugin that went on asking would run out of them."""
SITE = {"base_url": "https://acme.atlassian.net", "email": "deskhand@acme.example", "api_token": "t"}


@pytest.fixture
async def jira(
    pretend: PretendFactory,
    control: Callable[[PretendVendor], Control],
    tenants: MemoryTenants,
    http: httpx.AsyncClient,
) -> Jira:
    vendor = await pretend(PretendJira)
    return await Jira.connected(vendor, control(vendor), tenants, http)


@pytest.fixture
def asked(http: httpx.AsyncClient) -> list[httpx.Request]:
    """The requests that the plugin sends."""
    sent: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    http.event_hooks["request"].append(keep)
    return sent


def created(jira: Jira, moment: datetime, **fields: Any) -> PretendTicket:
    ticket = jira.vendor.add_ticket({"announce": False, **fields})
    ticket.created_at = moment
    return ticket


async def told(plugin: JiraPlugin, since: datetime) -> list[dict[str, Any]]:
    return [payload async for payload in plugin.recent_tickets("acme", since)]


async def keys(jira: Jira, since: datetime) -> list[str]:
    return [payload["issue"]["key"] for payload in await told(jira.plugin, since)]


def answering(tenants: MemoryTenants, answers: Iterator[httpx.Response]) -> JiraPlugin:
    """A plugin whose requests are given these answers in turn."""
    tenants.add("acme", "jira", connection=SITE)
    return JiraPlugin(tenants, httpx.AsyncClient(transport=httpx.MockTransport(lambda _: next(answers))))


def page(*issues: Any, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"issues": issues, **more})


def issue(number: int) -> dict[str, Any]:
    return {"id": str(number), "key": f"HELP-{number}", "fields": {"created": "2026-11-24T12:00:00.000+0000"}}


# What is asked


@pytest.mark.parametrize(
    ("since", "minutes"),
    [
        (NOW, 10),
        (NOW - timedelta(minutes=5), 15),
        (NOW - timedelta(minutes=5, microseconds=1), 16),
        (NOW - timedelta(days=30), 43210),
        (datetime.fromisoformat("2026-11-24T17:25:00+05:30"), 15),
        (NOW + timedelta(days=1), 1),
    ],
)
def test_time_is_counted_back_from_now_with_a_margin(since: datetime, minutes: int) -> None:
    """A date would be read in the time zone of the account's profile."""
    assert jql(since, NOW) == f'created >= "-{minutes}m" ORDER BY created ASC'


async def test_pages_follow_jiras_token(jira: Jira, asked: list[httpx.Request]) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    tickets = [created(jira, since + timedelta(seconds=second)) for second in range(150)]
    assert await keys(jira, since) == [ticket.id for ticket in tickets], "oldest first"
    first, second = asked
    assert {request.method for request in asked} == {"GET"}, "a search that is repeated changes nothing"
    assert first.url.path == "/rest/api/3/search/jql"
    assert dict(first.url.params) | {"jql": ""} == {"jql": "", "fields": "created,priority", "maxResults": "100"}
    assert set(second.url.params) == {"jql", "fields", "maxResults", "nextPageToken"}
    assert second.url.params["jql"] == first.url.params["jql"], "the token is for this search"


async def test_a_payload_is_a_native_event_without_the_texts(jira: Jira) -> None:
    ticket = created(jira, datetime.now(UTC), priority="High", description="Secret words")
    jira.vendor.resolve(ticket, "Done")
    (payload,) = await told(jira.plugin, ticket.created_at - timedelta(minutes=1))
    assert "Secret" not in str(payload)
    assert payload["webhookEvent"] == "jira:issue_created"
    assert jira.plugin.event_kind(payload) is EventKind.CREATED, "whatever became of it since"
    metadata = jira.plugin.extract_metadata(payload)
    assert (metadata.tenant_id, metadata.ticket_id, metadata.priority) == ("acme", ticket.id, "high")
    assert metadata.created_at == ticket.created_at.replace(microsecond=ticket.created_at.microsecond // 1000 * 1000)


@pytest.mark.parametrize("kind", ["classic", "scoped", "oauth"])
async def test_each_kind_of_token_searches_at_its_own_address(jira: Jira, kind: str) -> None:
    await jira.be(kind=kind)
    ticket = created(jira, datetime.now(UTC))
    assert await keys(jira, ticket.created_at) == [ticket.id]


# In whose time


@pytest.mark.parametrize("hours", [-12, -5, 0, 14])
async def test_the_accounts_time_zone_does_not_matter(jira: Jira, hours: int) -> None:
    await jira.be(utc_offset_hours=hours)
    since = datetime.now(UTC).replace(microsecond=500_000) - timedelta(hours=3)
    created(jira, since - timedelta(hours=1))
    ticket = created(jira, since)
    assert await keys(jira, since) == [ticket.id]


async def test_the_moment_itself_is_included_to_the_millisecond(jira: Jira) -> None:
    since = datetime.now(UTC).replace(second=30, microsecond=291_700) - timedelta(hours=1)
    created(jira, since - timedelta(milliseconds=1))
    same = created(jira, since)
    later = created(jira, since + timedelta(seconds=1))
    assert await keys(jira, since) == [same.id, later.id]


async def test_only_what_the_account_may_see(jira: Jira) -> None:
    ticket = created(jira, datetime.now(UTC))
    await jira.be(may_browse=False)
    assert await keys(jira, ticket.created_at) == []


# How far


async def test_an_issue_that_says_little_is_told_nevertheless(tenants: MemoryTenants) -> None:
    """What is told twice does no harm; whoever reads it names the field that is missing."""
    plugin = answering(tenants, iter([page({"key": "HELP-1", "fields": {"created": "yesterday"}}, {"id": "2"}, 5)]))
    first, second, third = await told(plugin, NOW)
    assert plugin.extract_metadata(first | {"issue": {"key": "HELP-1"}}).ticket_id == "HELP-1"
    for odd in (second, third):
        with pytest.raises(ValidationError, match=r"issue\.key: is missing"):
            plugin.extract_metadata(odd)


async def test_an_empty_page_may_come_before_others(tenants: MemoryTenants) -> None:
    pages = [page(issue(1), nextPageToken="a"), page(nextPageToken="b"), page(issue(2), isLast=True)]
    assert [payload["issue"]["key"] for payload in await told(answering(tenants, iter(pages)), NOW)] == [
        "HELP-1",
        "HELP-2",
    ]


ENDLESS: dict[str, Callable[[], Iterator[httpx.Response]]] = {
    "the same token": lambda: iter([page(issue(n), nextPageToken="same") for n in range(3)]),
    "the same page": lambda: (page(issue(1), nextPageToken=f"{n}") for n in range(ENOUGH)),
    "empty pages": lambda: (page(nextPageToken=f"{n}") for n in range(ENOUGH)),
    "no token": lambda: iter([page(issue(1), isLast=False)]),
    "a token that is none": lambda: iter([page(issue(1), nextPageToken=5)]),
}


@pytest.mark.parametrize("pages", ENDLESS.values(), ids=ENDLESS)
async def test_a_list_that_leads_nowhere_is_no_end(
    tenants: MemoryTenants, pages: Callable[[], Iterator[httpx.Response]]
) -> None:
    with pytest.raises(APIError, match="leads to none"):
        await told(answering(tenants, pages()), NOW)


# Refusals

GONE = {"errorMessages": ["The requested API has been removed."], "errors": {}}


@pytest.mark.parametrize(
    ("answer", "meaning", "words"),
    [
        (httpx.Response(400, json={"errorMessages": ["Unbounded JQL"]}), PermanentAPIError, "400: Unbounded JQL"),
        (httpx.Response(410, json=GONE), PermanentAPIError, "410: The requested API has been removed"),
        (httpx.Response(404, html="<h1>No site</h1>"), ConfigurationError, "base_url"),
        (httpx.Response(404, json={"errorMessages": ["No"]}), ConfigurationError, "base_url"),
        (httpx.Response(429, headers={"Retry-After": "7"}), RateLimitError, "429"),
        (httpx.Response(503), APIError, "503"),
        (httpx.Response(200, html="<h1>Log in</h1>"), APIError, "not JSON"),
        (httpx.Response(200, json={"issues": {}}), APIError, "holds no list"),
        (
            httpx.Response(200, json={"issues": []}, headers={"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}),
            AuthenticationError,
            "as to a stranger",
        ),
    ],
)
async def test_refusals(tenants: MemoryTenants, answer: httpx.Response, meaning: type[PluginError], words: str) -> None:
    """A stranger is told that there are no issues, which must not pass for the truth."""
    with pytest.raises(meaning, match=words) as raised:
        await told(answering(tenants, iter([answer])), NOW)
    assert getattr(raised.value, "retry_after", 7) == 7
