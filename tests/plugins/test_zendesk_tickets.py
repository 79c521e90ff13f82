"""Zendesk's tickets as they are read and described."""

import httpx
import pytest

from deskhand.pretend.zendesk import PretendZendesk
from plugins.exceptions import APIError, ConfigurationError
from plugins.rendering import html_to_text
from plugins.types import TenantSettings, TicketContext
from plugins.zendesk import ZendeskPlugin, answers
from tests.support.pretend import MemoryTenants, PretendFactory
from tests.support.zendesk import NOTE, REF, Zendesk, answering


@pytest.fixture
async def zendesk(pretend: PretendFactory, tenants: MemoryTenants, http: httpx.AsyncClient) -> Zendesk:
    return Zendesk(await pretend(PretendZendesk), tenants, http)


async def seen(zendesk: Zendesk, number: str) -> TicketContext:
    plugin = zendesk.plugin
    ticket = await plugin.get_ticket("acme", number)
    assert ticket is not None
    return plugin.describe(ticket, plugin.extract_metadata({"tenant_id": "acme", "ticket_id": number}))


async def test_a_ticket_as_a_technician_sees_it(zendesk: Zendesk, http: httpx.AsyncClient) -> None:
    ticket = zendesk.ticket()
    context = await seen(zendesk, ticket.id)
    assert (context.subject, context.description, context.status) == ("Printer", "On fire", "new")
    assert (context.priority, context.category) == ("high", "incident")
    assert context.created_at == ticket.created_at.replace(microsecond=0)
    assert "Printer" in (await http.get(context.url)).text


async def test_a_tenants_own_priorities_count_for_the_ticket_too(zendesk: Zendesk) -> None:
    zendesk.connect(TenantSettings(priorities={"urgent": "low"}))
    assert (await seen(zendesk, zendesk.ticket().id)).priority == "low"


async def test_the_solution_is_the_last_word_of_an_agent(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    await zendesk.update(ticket)
    assert (await seen(zendesk, ticket.id)).resolution == "", "what is open has no solution"

    zendesk.vendor.resolve(ticket, "Unplugged it.")
    zendesk.comment(ticket, "<p>Thanks!</p>", "901")
    await zendesk.update(ticket)
    context = await seen(zendesk, ticket.id)
    assert context.resolution == "Unplugged it.", "neither our own note nor the requester's thanks"
    texts = [comment.text for comment in context.comments]
    assert "On fire" not in texts, "the first comment is the description"
    assert {"Thanks!", "Unplugged it."} <= set(texts)
    assert [comment.private for comment in context.comments if REF in comment.text] == [True, True]


async def test_a_ticket_is_not_half_read(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    zendesk.fault("list_notes", "status", status=503, times=1)
    with pytest.raises(APIError):
        await zendesk.plugin.get_ticket("acme", ticket.id)
    zendesk.fault("list_notes", "status", status=404, times=1)
    assert await zendesk.plugin.get_ticket("acme", ticket.id) is None, "deleted between the two requests"


def test_what_the_ticket_does_not_say_comes_from_the_webhook(tenants: MemoryTenants, http: httpx.AsyncClient) -> None:
    plugin = ZendeskPlugin(tenants, http)
    body = {"tenant_id": "acme", "ticket_id": 7, "description": "From the webhook", "priority": "high"}
    context = plugin.describe({"subject": None, "status": 3}, plugin.extract_metadata(body))
    assert (context.description, context.priority, context.subject, context.url) == ("From the webhook", "high", "", "")


async def test_one_ticket_has_one_identity(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    metadata = zendesk.plugin.extract_metadata({"tenant_id": "acme", "ticket_id": f" 00{ticket.id} "})
    assert metadata.ticket_id == ticket.id
    assert await zendesk.plugin.update_ticket("acme", f"00{ticket.id}", NOTE) is True


NO_HELP_DESK = {"error": {"title": "No help desk at acme.zendesk.com", "message": "There is no help desk here."}}


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(404, html="<h1>Not found</h1>"), httpx.Response(404, json=NO_HELP_DESK), httpx.Response(404)],
    ids=["page", "JSON", "nothing"],
)
async def test_an_address_without_an_account_is_no_missing_ticket(
    tenants: MemoryTenants, answer: httpx.Response
) -> None:
    """A run that is told so waits for the operator; one that is told of a missing ticket ends."""
    plugin = answering(tenants, answer)
    for call in (
        plugin.get_ticket("acme", "7"),
        plugin.has_note("acme", "7", REF),
        plugin.update_ticket("acme", "7", NOTE),
    ):
        with pytest.raises(ConfigurationError, match="tenant acme: base_url: there is no Zendesk account"):
            await call


@pytest.mark.parametrize(
    "error",
    [
        {"error": "RecordNotFound", "description": "Not found"},
        {"error": "InvalidEndpoint", "description": "Not found"},
        {"error": {"title": "Not found", "message": "There is no such ticket"}},
    ],
    ids=["record", "endpoint", "title"],
)
async def test_a_ticket_that_zendesk_does_not_have(tenants: MemoryTenants, error: object) -> None:
    plugin = answering(tenants, httpx.Response(404, json=error))
    assert await plugin.get_ticket("acme", "7") is None
    assert await plugin.has_note("acme", "7", REF) is False
    assert await plugin.update_ticket("acme", "7", NOTE) is False


@pytest.mark.parametrize("status", [200, 422, 500])
async def test_json_that_is_nested_too_deeply_is_no_answer(tenants: MemoryTenants, status: int) -> None:
    plugin = answering(tenants, httpx.Response(status, content=b"[" * 100_000))
    for call in (plugin.get_ticket("acme", "7"), plugin.update_ticket("acme", "7", NOTE)):
        with pytest.raises(APIError, match=f"answered {status}"):
            await call


def test_of_a_huge_ticket_only_the_beginning_of_each_text_is_read(
    tenants: MemoryTenants, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(html: str, *, limit: int | None = None) -> str:
        read.append(html_to_text(html, limit=limit))
        return read[-1]

    monkeypatch.setattr("plugins.zendesk.answers.html_to_text", counted)
    fix = "".join(f"<p>fix {number}</p>" for number in range(5_000))
    ours = "<p>long</p>" * 5_000 + f"<p>ref {REF}</p>"
    comments = [{"html_body": ours, "author_id": 3}] * 2 + [{"html_body": fix, "author_id": 2}] * 8
    ticket = {
        "status": "solved",
        "requester_id": 1,
        "description": "line\n" * 200_000,
        answers.EXTRA: {"comments": comments * 20},
    }
    plugin = ZendeskPlugin(tenants, http)
    context = plugin.describe(ticket, plugin.extract_metadata({"tenant_id": "acme", "ticket_id": 7}))
    assert context.description.startswith("line\nline")
    assert context.resolution.startswith("fix 0\n\nfix 1"), "the reference at the end of a long note is seen"
    assert len(context.comments) == len(read) == 10, "each is read once"
    assert max(map(len, read)) <= answers.MAX_COMMENT


def test_a_long_first_comment_is_still_known_as_the_description(
    tenants: MemoryTenants, http: httpx.AsyncClient
) -> None:
    text = "On fire. " * 5_000
    ticket = {"description": text, answers.EXTRA: {"comments": [{"plain_body": text}, {"plain_body": "Hello"}]}}
    plugin = ZendeskPlugin(tenants, http)
    context = plugin.describe(ticket, plugin.extract_metadata({"tenant_id": "acme", "ticket_id": 7}))
    assert [comment.text for comment in context.comments] == ["Hello"]
