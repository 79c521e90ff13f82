"""Tickets that no webhook told of, out of Zendesk's search: what is asked, to which second, and how far."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deskhand.pretend.zendesk import PretendZendesk
from plugins.conformance.pretend.model import PretendTicket
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    PermanentAPIError,
    PluginError,
    RateLimitError,
    ValidationError,
)
from plugins.types import EventKind
from plugins.zendesk import ZendeskPlugin
from plugins.zendesk.recent import query
from tests.support.pretend import MemoryTenants, PretendFactory
from tests.support.zendesk import NOWHERE, Zendesk

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ENOUGH = 20
"""Answers of a list that leads nowhere: a plugin that went on asking would run out of them."""


@pytest.fixture
async def zendesk(pretend: PretendFactory, tenants: MemoryTenants, http: httpx.AsyncClient) -> Zendesk:
    return Zendesk(await pretend(PretendZendesk), tenants, http)


@pytest.fixture
def asked(http: httpx.AsyncClient) -> list[httpx.Request]:
    """The requests that the plugin sends."""
    sent: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    http.event_hooks["request"].append(keep)
    return sent


def created(zendesk: Zendesk, moment: datetime, **fields: Any) -> PretendTicket:
    ticket = zendesk.ticket(**fields)
    ticket.created_at = ticket.updated_at = moment
    return ticket


async def told(plugin: ZendeskPlugin, since: datetime) -> list[dict[str, Any]]:
    return [payload async for payload in plugin.recent_tickets("acme", since)]


async def ids(zendesk: Zendesk, since: datetime) -> list[str]:
    return [payload["detail"]["id"] for payload in await told(zendesk.plugin, since)]


def answering(tenants: MemoryTenants, answers: Iterator[httpx.Response]) -> ZendeskPlugin:
    """A plugin whose requests are given these answers in turn."""
    tenants.add("acme", "zendesk", connection={"base_url": NOWHERE, "email": "deskhand@acme.example", "api_token": "t"})
    return ZendeskPlugin(tenants, httpx.AsyncClient(transport=httpx.MockTransport(lambda _: next(answers))))


def page(*tickets: Any, more: object = True, cursor: object = None) -> httpx.Response:
    return httpx.Response(200, json={"results": tickets, "meta": {"has_more": more, "after_cursor": cursor}})


def ticket(number: int) -> dict[str, Any]:
    return {"id": number, "created_at": "2026-11-24T12:00:00Z", "result_type": "ticket"}


# What is asked


@pytest.mark.parametrize(
    "since",
    [NOW, datetime.fromisoformat("2026-11-24T17:30:00+05:30"), datetime.fromisoformat("2026-11-24T04:00:00-08:00")],
)
def test_one_second_earlier_is_asked_for_in_utc(since: datetime) -> None:
    assert query(since) == "created>2026-11-24T11:59:59Z"


async def test_pages_follow_zendesks_cursor(zendesk: Zendesk, asked: list[httpx.Request]) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    tickets = [created(zendesk, since + timedelta(seconds=second // 3)) for second in range(150)]
    assert sorted(await ids(zendesk, since)) == sorted(each.id for each in tickets)
    first, second = asked
    assert first.url.path == "/api/v2/search/export"
    assert dict(first.url.params) == {
        "query": query(since.replace(microsecond=0)),
        "filter[type]": "ticket",
        "page[size]": "100",
    }
    assert set(second.url.params) == {"query", "filter[type]", "page[size]", "page[after]"}


async def test_credentials_go_to_the_tenants_own_address_alone(tenants: MemoryTenants) -> None:
    asked: list[str] = []
    body = {"results": [ticket(1)], "links": {"next": "https://elsewhere.example/api/v2/search/export?page[after]=a"}}
    pages = iter(
        [{**body, "meta": {"has_more": True, "after_cursor": "a"}}, {"results": [], "meta": {"has_more": False}}]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(200, json=next(pages))

    answering(tenants, iter(()))
    plugin = ZendeskPlugin(tenants, httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    await told(plugin, NOW)
    assert asked == ["127.0.0.1", "127.0.0.1"]


async def test_a_payload_is_an_event_without_the_texts(zendesk: Zendesk) -> None:
    new = created(zendesk, datetime.now(UTC), priority="urgent", description="Secret words")
    zendesk.vendor.resolve(new, "Done")
    (payload,) = await told(zendesk.plugin, new.created_at)
    assert "Secret" not in str(payload)
    assert zendesk.plugin.event_kind(payload) is EventKind.CREATED, "whatever became of it since"
    metadata = zendesk.plugin.extract_metadata(payload)
    assert (metadata.tenant_id, metadata.ticket_id, metadata.priority) == ("acme", new.id, "high")
    assert metadata.created_at == new.created_at.replace(microsecond=0)


# To which second


async def test_the_moment_itself_is_included_to_the_second(zendesk: Zendesk) -> None:
    since = datetime.now(UTC).replace(microsecond=700_000) - timedelta(hours=1)
    created(zendesk, since - timedelta(seconds=1))
    same = created(zendesk, since)
    later = created(zendesk, since + timedelta(seconds=1))
    assert await ids(zendesk, since) == [same.id, later.id], "Zendesk tells both without their fractions"


async def test_what_is_not_yet_indexed_is_found_by_beginning_earlier(zendesk: Zendesk) -> None:
    zendesk.vendor.index_lag = timedelta(minutes=2)
    begun = datetime.now(UTC)
    new = created(zendesk, begun)
    assert await ids(zendesk, begun - timedelta(hours=1)) == []
    zendesk.vendor.index_lag = timedelta(0)
    assert await ids(zendesk, begun - timedelta(minutes=10)) == [new.id]


# How far


async def test_a_ticket_that_says_little_is_told_nevertheless(tenants: MemoryTenants) -> None:
    rows = [{"id": 1, "created_at": None}, {"created_at": "2026-11-24T12:00:00Z"}, {"id": 2, "result_type": "user"}]
    plugin = answering(tenants, iter([page(*rows, more=False)]))
    first, second = await told(plugin, NOW)
    assert plugin.extract_metadata(first).ticket_id == "1"
    with pytest.raises(ValidationError, match=r"detail\.id"):
        plugin.extract_metadata(second)


async def test_what_is_older_is_left_out_whatever_the_search_finds(tenants: MemoryTenants) -> None:
    plugin = answering(tenants, iter([page(ticket(1), ticket(2) | {"created_at": "2026-11-24T11:59:59Z"}, more=False)]))
    assert [payload["detail"]["id"] for payload in await told(plugin, NOW)] == ["1"]


async def test_an_empty_page_may_come_before_others(tenants: MemoryTenants) -> None:
    pages = [page(ticket(1), cursor="a"), page(cursor="b"), page(ticket(2), more=False)]
    assert len(await told(answering(tenants, iter(pages)), NOW)) == 2


ENDLESS: dict[str, Callable[[], Iterator[httpx.Response]]] = {
    "the same cursor": lambda: iter([page(ticket(n), cursor="same") for n in range(3)]),
    "the same page": lambda: (page(ticket(1), cursor=f"{n}") for n in range(ENOUGH)),
    "empty pages": lambda: (page(cursor=f"{n}") for n in range(ENOUGH)),
    "no cursor": lambda: iter([page(ticket(1))]),
    "no word on whether there is more": lambda: iter([httpx.Response(200, json={"results": [ticket(1)]})]),
}


@pytest.mark.parametrize("pages", ENDLESS.values(), ids=ENDLESS)
async def test_a_list_that_leads_nowhere_is_no_end(
    tenants: MemoryTenants, pages: Callable[[], Iterator[httpx.Response]]
) -> None:
    with pytest.raises(APIError, match="leads nowhere"):
        await told(answering(tenants, pages()), NOW)


# Refusals


@pytest.mark.parametrize(
    ("answer", "meaning", "words"),
    [
        (httpx.Response(422, json={"error": "RecordInvalid"}), PermanentAPIError, "422: RecordInvalid"),
        (httpx.Response(404, html="<h1>Not found</h1>"), ConfigurationError, "no Zendesk account"),
        (httpx.Response(404, json={"error": "InvalidEndpoint"}), PermanentAPIError, "404: InvalidEndpoint"),
        (httpx.Response(429, headers={"Retry-After": "7"}), RateLimitError, "429"),
        (httpx.Response(503), APIError, "503"),
        (httpx.Response(200, html="<h1>Log in</h1>"), APIError, "not JSON"),
        (httpx.Response(200, json={"results": {}}), APIError, "without results"),
    ],
)
async def test_refusals(tenants: MemoryTenants, answer: httpx.Response, meaning: type[PluginError], words: str) -> None:
    with pytest.raises(meaning, match=words) as raised:
        await told(answering(tenants, iter([answer])), NOW)
    assert getattr(raised.value, "retry_after", 7) == 7


async def test_a_token_that_may_not_search_is_told_apart(zendesk: Zendesk) -> None:
    zendesk.be(auth="oauth")
    new = created(zendesk, datetime.now(UTC))
    assert await ids(zendesk, new.created_at) == [new.id]
    zendesk.connect(scope="tickets:read tickets:write users:read")
    with pytest.raises(AuthenticationError, match=r"403: Forbidden: .* need a scope that has read in it"):
        await ids(zendesk, new.created_at)


async def test_an_end_user_may_not_search(zendesk: Zendesk) -> None:
    zendesk.be(role="end_user")
    with pytest.raises(AuthenticationError, match="403: Forbidden"):
        await ids(zendesk, NOW)
