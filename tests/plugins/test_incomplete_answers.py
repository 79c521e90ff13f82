"""Answers that do not say all: no ticket is given up for them, and no second note written."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from plugins.conformance.tenants import MemoryTenants
from plugins.exceptions import APIError, ConfigurationError
from plugins.http import HttpPlugin
from plugins.jira import JiraPlugin
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
from plugins.zendesk import ZendeskPlugin

REF = "dh-0123456789ab"
SUCCESS = {"status_code": 2000, "status": "success"}
TICKET = {"id": 7, "updated_at": "2026-11-24T12:00:00Z"}

ZENDESK = {"base_url": "https://acme.zendesk.example", "email": "a@acme.example", "api_token": "a-token"}
JIRA = {"base_url": "https://acme.atlassian.example", "email": "a@acme.example", "api_token": "a-token"}
SDP = {"base_url": "https://helpdesk.acme.example", "api_key": "a-key"}


async def asked(kind: type[HttpPlugin], connection: dict[str, str], vendor: Callable[[httpx.Request], Any]) -> Any:
    """Whether the ticket has our note, by a tool that answers like this; JSON, or a whole response."""

    def answer(request: httpx.Request) -> httpx.Response:
        said = vendor(request)
        return said if isinstance(said, httpx.Response) else httpx.Response(200, json=said)

    tenants = MemoryTenants()
    tenants.add("acme", kind.__tool_type__, connection=connection)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        return await kind(tenants, http).has_note("acme", "HELP-1" if kind is JiraPlugin else "7", REF)


@pytest.mark.parametrize(
    ("paging", "found"),
    [
        ({"meta": {"has_more": False}}, False),
        ({}, False),
        ({"next_page": None}, False),
        ({"next_page": "https://acme.zendesk.example/page/2"}, None),
        ({"meta": {"has_more": True}}, None),
    ],
    ids=str,
)
async def test_zendesk_says_in_several_ways_that_there_is_more(paging: dict[str, Any], found: bool | None) -> None:
    def vendor(request: httpx.Request) -> Any:
        return {"comments": [], **paging} if request.url.path.endswith("comments") else {"ticket": TICKET}

    assert await asked(ZendeskPlugin, ZENDESK, vendor) is found


def notes(count: int, **info: Any) -> dict[str, Any]:
    rows = [{"id": str(number), "description": "x"} for number in range(count)]
    return {"notes": rows, "response_status": SUCCESS, **info}


async def test_a_full_page_of_servicedesk_plus_that_does_not_say_so_may_not_be_the_last() -> None:
    assert await asked(ServiceDeskPlusPlugin, SDP, lambda _: notes(99)) is False
    assert await asked(ServiceDeskPlusPlugin, SDP, lambda _: notes(100, list_info={"has_more_rows": False})) is False
    asked_for: list[str] = []

    def endless(request: httpx.Request) -> Any:
        asked_for.append(str(request.url))
        return notes(100)

    assert await asked(ServiceDeskPlusPlugin, SDP, endless) is None
    assert len(set(asked_for)) > 1


async def test_a_note_of_servicedesk_plus_without_text_and_number_cannot_be_looked_at() -> None:
    page = {"notes": [{"id": None}], "response_status": SUCCESS}
    assert await asked(ServiceDeskPlusPlugin, SDP, lambda _: page) is None


@pytest.mark.parametrize("call", ["get_ticket", "update_ticket", "has_note"])
async def test_a_page_that_says_404_is_no_missing_request(call: str) -> None:
    tenants = MemoryTenants()
    tenants.add("acme", "servicedesk_plus", connection=SDP)
    page = httpx.MockTransport(lambda _: httpx.Response(404, html="<h1>Not Found</h1>"))
    async with httpx.AsyncClient(transport=page) as http:
        more = () if call == "get_ticket" else ("text",)
        with pytest.raises(ConfigurationError, match="base_url"):
            await getattr(ServiceDeskPlusPlugin(tenants, http), call)("acme", "7", *more)


async def test_a_page_that_is_longer_than_was_asked_for_is_not_read() -> None:
    with pytest.raises(APIError, match="longer than was asked for"):
        await asked(ServiceDeskPlusPlugin, SDP, lambda _: notes(101))
    comments = json.dumps({"comments": [{}] * 101, "total": 101}).encode()
    with pytest.raises(APIError, match="longer than was asked for"):
        await asked(JiraPlugin, JIRA, lambda _: httpx.Response(200, content=comments))
