"""Requests that no webhook told of, out of ServiceDesk Plus's list: what is asked, in which order, and how far."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
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
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
from plugins.servicedesk_plus.recent import OVERLAP, PAGE_SIZE
from plugins.types import EventKind
from tests.support.pretend import MemoryTenants, PretendFactory

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MILLISECONDS = 1_795_521_600_000
"""The same moment, as the API has it."""
ENOUGH = 20
"""Answers of a list that leads nowhere: a plugin that went on asking would run out of them."""
EDITIONS = list(PretendServiceDeskPlus.editions)


class Desk:
    """A tenant `acme`, and the pretend tool that it is connected to."""

    def __init__(self, vendor: PretendServiceDeskPlus, tenants: MemoryTenants, http: httpx.AsyncClient) -> None:
        self.vendor = vendor
        self.plugin = ServiceDeskPlusPlugin(tenants, http)
        self._tenants = tenants
        self.be("on_premises")

    def be(self, edition: str, **account: Any) -> None:
        """Connect the tenant as a new account of this edition."""
        made = self.vendor.add_account({**self.vendor.editions[edition], **account})
        self._tenants.add("acme", "servicedesk_plus", connection=made.connection)

    def created(self, moment: datetime, **fields: Any) -> PretendTicket:
        """A request that was created then."""
        ticket = self.vendor.add_ticket({"announce": False, **fields})
        ticket.created_at = ticket.updated_at = moment
        return ticket

    async def ids(self, since: datetime, after_first: Callable[[], None] = lambda: None) -> list[str]:
        """The requests that are told, in order."""
        found: list[str] = []
        async for payload in self.plugin.recent_tickets("acme", since):
            found.append(payload["ticket_id"])
            if len(found) == 1:
                after_first()
        return found


@pytest.fixture
async def desk(pretend: PretendFactory, tenants: MemoryTenants, http: httpx.AsyncClient) -> Desk:
    return Desk(await pretend(PretendServiceDeskPlus), tenants, http)


@pytest.fixture
def asked(http: httpx.AsyncClient) -> list[httpx.Request]:
    """The requests that the plugin sends."""
    sent: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        sent.append(request)

    http.event_hooks["request"].append(keep)
    return sent


def answering(tenants: MemoryTenants, answers: Iterator[httpx.Response]) -> ServiceDeskPlusPlugin:
    """A plugin whose requests are given these answers in turn."""
    tenants.add("acme", "servicedesk_plus", connection={"base_url": "http://127.0.0.1:9", "api_key": "k"})
    return ServiceDeskPlusPlugin(tenants, httpx.AsyncClient(transport=httpx.MockTransport(lambda _: next(answers))))


async def told(plugin: ServiceDeskPlusPlugin) -> list[dict[str, Any]]:
    return [payload async for payload in plugin.recent_tickets("acme", NOW)]


def page(*requests: Any, **info: Any) -> httpx.Response:
    success = [{"status_code": 2000, "status": "success"}]
    return httpx.Response(200, json={"requests": requests, "list_info": info, "response_status": success})


def row(number: int, milliseconds: object = MILLISECONDS) -> dict[str, Any]:
    return {"id": str(number), "created_time": {"value": str(milliseconds), "display_value": "today"}}


# What is asked


async def test_the_list_is_asked_for_newest_first(desk: Desk, asked: list[httpx.Request]) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    tickets = [desk.created(since + timedelta(seconds=second)) for second in range(150)]
    assert await desk.ids(since) == [ticket.id for ticket in reversed(tickets)], "each once, though pages overlap"
    assert [request.url.path for request in asked] == ["/api/v3/requests"] * 2
    lists = []
    for request in asked:
        assert not request.content, "list_info goes into the address"
        (given,) = parse_qs(request.url.query.decode())["input_data"]
        lists.append(json.loads(given))
    sorting = {"row_count": 100, "sort_field": "created_time", "sort_order": "desc"}
    assert lists == [{"list_info": {**sorting, "start_index": begin}} for begin in (1, 91)]


@pytest.mark.parametrize("edition", EDITIONS)
async def test_each_edition_has_its_list(desk: Desk, edition: str) -> None:
    desk.be(edition)
    ticket = desk.created(datetime.now(UTC))
    assert await desk.ids(ticket.created_at) == [ticket.id]


async def test_no_more_pages_than_are_needed(desk: Desk, asked: list[httpx.Request]) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    for minute in range(250):
        desk.created(since - timedelta(minutes=minute + 1))
    new = [desk.created(since + timedelta(minutes=minute)).id for minute in range(3)]
    assert await desk.ids(since) == new[::-1]
    assert len(asked) == 1


async def test_a_payload_is_flat_and_without_the_texts(desk: Desk) -> None:
    ticket = desk.created(datetime.now(UTC), priority="High", description="Secret words")
    desk.vendor.resolve(ticket, "Done")
    (payload,) = [payload async for payload in desk.plugin.recent_tickets("acme", ticket.created_at)]
    assert "Secret" not in str(payload)
    assert payload["event"] == "ticket_created"
    assert desk.plugin.event_kind(payload) is EventKind.CREATED, "whatever became of it since"
    metadata = desk.plugin.extract_metadata(payload)
    assert (metadata.tenant_id, metadata.ticket_id, metadata.priority) == ("acme", ticket.id, "high")
    assert abs(metadata.created_at - ticket.created_at) <= timedelta(milliseconds=1)


# How far


async def test_the_moment_itself_is_included_to_the_millisecond(desk: Desk) -> None:
    since = datetime.now(UTC).replace(microsecond=291_300) - timedelta(hours=1)
    desk.created(since - timedelta(milliseconds=1))
    same = desk.created(since)
    later = desk.created(since + timedelta(milliseconds=1))
    assert await desk.ids(since) == [later.id, same.id]
    there = since.astimezone(datetime.fromisoformat("2026-01-01T00:00:00+05:30").tzinfo)
    assert await desk.ids(there) == [later.id, same.id]


async def test_a_storm_that_was_created_in_one_moment(desk: Desk) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    storm = {desk.created(since).id for _ in range(3 * PAGE_SIZE)}
    assert set(await desk.ids(since)) == storm


async def test_new_requests_push_none_out_of_sight(desk: Desk) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    tickets = {desk.created(since + timedelta(seconds=second)).id for second in range(150)}

    def storm() -> None:
        for _ in range(20):
            desk.created(datetime.now(UTC))

    assert set(await desk.ids(since, storm)) == tickets


def delete_newest(desk: Desk, tickets: list[PretendTicket], number: int) -> Callable[[], None]:
    def delete() -> None:
        for ticket in tickets[-number:]:
            del desk.vendor.tickets[ticket.id]

    return delete


async def test_deleted_requests_pull_none_out_of_sight(desk: Desk) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    tickets = [desk.created(since + timedelta(seconds=second)) for second in range(150)]
    few = OVERLAP - 1
    assert set(await desk.ids(since, delete_newest(desk, tickets, few))) == {ticket.id for ticket in tickets}


async def test_that_some_may_have_been_missed_is_said(desk: Desk) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    tickets = [desk.created(since + timedelta(seconds=second)) for second in range(150)]
    with pytest.raises(APIError, match="went away while they were listed: try again"):
        await desk.ids(since, delete_newest(desk, tickets, OVERLAP + 1))


async def test_a_list_that_is_not_sorted_has_no_end_that_could_be_known(tenants: MemoryTenants) -> None:
    rows = [row(1, MILLISECONDS), row(2, MILLISECONDS + 1)]
    with pytest.raises(APIError, match="not sorted by created_time"):
        await told(answering(tenants, iter([page(*rows, has_more_rows=False)])))


async def test_a_field_that_it_does_not_sort_by(desk: Desk) -> None:
    desk.vendor.sorts_requests_by = "id"
    with pytest.raises(PermanentAPIError, match="code 4001: Invalid sort field"):
        await desk.ids(NOW)


async def test_a_request_that_says_little_is_told_nevertheless(tenants: MemoryTenants) -> None:
    rows = [row(1) | {"created_time": None}, {"created_time": {"value": str(MILLISECONDS)}}, 5]
    plugin = answering(tenants, iter([page(*rows, has_more_rows=False)]))
    first, second = await told(plugin)
    assert plugin.extract_metadata(first).ticket_id == "1"
    with pytest.raises(ValidationError, match="ticket_id"):
        plugin.extract_metadata(second)


@pytest.mark.parametrize("time", [MILLISECONDS, str(MILLISECONDS), {"value": MILLISECONDS}])
async def test_times_in_each_spelling(tenants: MemoryTenants, time: object) -> None:
    older = row(2, MILLISECONDS - 1)
    plugin = answering(tenants, iter([page(row(1) | {"created_time": time}, older, has_more_rows=True)]))
    assert [payload["ticket_id"] for payload in await told(plugin)] == ["1"]


async def test_an_empty_list_may_be_left_out(tenants: MemoryTenants) -> None:
    success = {"response_status": [{"status_code": 2000, "status": "success"}], "list_info": {"row_count": 0}}
    assert await told(answering(tenants, iter([httpx.Response(200, json=success)]))) == []


async def test_a_full_page_that_does_not_say_may_have_another(tenants: MemoryTenants) -> None:
    full = [row(number) for number in range(PAGE_SIZE)]
    rest = [*full[-OVERLAP:], row(1_000)]
    assert len(await told(answering(tenants, iter([page(*full), page(*rest)])))) == PAGE_SIZE + 1


ENDLESS: dict[str, Callable[[], Iterator[httpx.Response]]] = {
    "the same page": lambda: (page(row(1), row(2), has_more_rows=True) for _ in range(ENOUGH)),
    "empty pages": lambda: (page(has_more_rows=True) for _ in range(ENOUGH)),
    "no times": lambda: iter([page(row(1) | {"created_time": None}, has_more_rows=True)]),
}


@pytest.mark.parametrize("pages", ENDLESS.values(), ids=ENDLESS)
async def test_a_list_that_leads_nowhere_is_no_end(
    tenants: MemoryTenants, pages: Callable[[], Iterator[httpx.Response]]
) -> None:
    with pytest.raises(APIError, match="brings nothing new"):
        await told(answering(tenants, pages()))


# Refusals


def failure(http_status: int, code: int) -> httpx.Response:
    messages = [{"status_code": code, "type": "failed", "message": "No"}]
    status = {"status_code": 4000, "status": "failed", "messages": messages}
    return httpx.Response(http_status, json={"response_status": status})


@pytest.mark.parametrize(
    ("answer", "meaning", "words"),
    [
        (failure(401, 4022), AuthenticationError, "code 4022"),
        (failure(200, 4022), AuthenticationError, "code 4022"),
        (failure(403, 4002), AuthenticationError, "code 4002"),
        (failure(400, 4015), RateLimitError, "code 4015"),
        (failure(429, 4015), RateLimitError, "code 4015"),
        (failure(404, 4007), ConfigurationError, "base_url, resource_path: .* is the address right"),
        (failure(400, 4001), PermanentAPIError, "code 4001"),
        (failure(500, 4004), APIError, "code 4004"),
        (httpx.Response(200, html="<h1>Log in</h1>"), APIError, "not JSON"),
        (httpx.Response(200, json={}), APIError, "without requests"),
    ],
)
async def test_refusals(tenants: MemoryTenants, answer: httpx.Response, meaning: type[PluginError], words: str) -> None:
    with pytest.raises(meaning, match=words):
        await told(answering(tenants, iter([answer])))


async def test_a_technician_who_may_not_read(desk: Desk) -> None:
    desk.be("on_premises", may_read=False)
    with pytest.raises(AuthenticationError, match="code 4002"):
        await desk.ids(NOW)
