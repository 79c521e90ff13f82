"""How a Zendesk tenant is connected: an OAuth client or an API token, and what a check says of it."""

from typing import Any

import httpx
import pytest

from deskhand.pretend.zendesk import PretendZendesk
from plugins.exceptions import AuthenticationError, ConfigurationError
from plugins.types import ConnectionReport, TenantSettings
from tests.support.pretend import MemoryTenants, PretendFactory
from tests.support.zendesk import REF, Zendesk, answering

OAUTH, API_TOKEN = {"auth": "oauth"}, {"auth": "api_token"}
WAYS = [pytest.param(OAUTH, id="oauth"), pytest.param(API_TOKEN, id="api_token")]


@pytest.fixture
async def zendesk(pretend: PretendFactory, tenants: MemoryTenants, http: httpx.AsyncClient) -> Zendesk:
    return Zendesk(await pretend(PretendZendesk), tenants, http)


# What may be given


@pytest.mark.parametrize(
    ("account", "changed", "named"),
    [
        (API_TOKEN, {"base_url": "ftp://acme.example"}, "base_url"),
        (API_TOKEN, {"base_url": "https://acme.zendesk.com/api/v2"}, "base_url"),
        (API_TOKEN, {"base_url": "https://me:planted@acme.example"}, "base_url"),
        (API_TOKEN, {"email": "nobody"}, "email"),
        (API_TOKEN, {"api_token": ""}, "api_token"),
        (API_TOKEN, {"api_tokn": "planted"}, "api_tokn"),
        (
            API_TOKEN,
            {"email": None},
            "email: is missing; give either client_id and client_secret .*, or email and api_t",
        ),
        (API_TOKEN, {"api_token": None}, "api_token: is missing; give either"),
        (API_TOKEN, {"email": None, "api_token": None}, "client_id, client_secret: are missing; give either"),
        (API_TOKEN, {"client_id": "x"}, "client_id, email, api_token: do not go together; give either"),
        (OAUTH, {"email": "deskhand@acme.example"}, "client_id, client_secret, email: do not go together"),
        (OAUTH, {"client_secret": None}, "client_secret: is missing; give either"),
        (OAUTH, {"client_id": None}, "client_id: is missing; give either"),
        (OAUTH, {"client_secret": "planted secret"}, "client_secret"),
        (OAUTH, {"scope": "everything!"}, "scope"),
    ],
)
async def test_one_way_to_sign_in_is_given_whole(
    zendesk: Zendesk, account: dict[str, Any], changed: dict[str, Any], named: str
) -> None:
    zendesk.be(**account)
    zendesk.connect(**changed)
    with pytest.raises(ConfigurationError, match=f"^tenant acme: .*{named}") as refused:
        await zendesk.plugin.get_ticket("acme", "7")
    assert "planted" not in str(refused.value)
    assert zendesk.asked() == []


# Access tokens


async def test_a_wrong_client_is_refused_in_the_vendors_words_and_not_quoted(zendesk: Zendesk) -> None:
    zendesk.be(**OAUTH)
    zendesk.connect(client_secret="planted")
    with pytest.raises(
        AuthenticationError, match="zendesk answered 401 when asked for a token: invalid_client"
    ) as seen:
        await zendesk.plugin.get_ticket("acme", "7")
    assert "planted" not in str(seen.value)


async def test_a_scope_that_the_client_may_not_ask_for(zendesk: Zendesk) -> None:
    zendesk.be(**OAUTH, allowed_scopes="read")
    with pytest.raises(AuthenticationError, match="400 when asked for a token: invalid_scope"):
        await zendesk.plugin.get_ticket("acme", "7")


async def test_another_scope_needs_another_token(zendesk: Zendesk) -> None:
    zendesk.be(**OAUTH)
    ticket = zendesk.ticket()
    zendesk.connect(scope="read")
    assert await zendesk.has_note(ticket) is False
    with pytest.raises(AuthenticationError, match="403"):
        await zendesk.update(ticket)
    zendesk.connect(scope="tickets:read tickets:write")
    assert await zendesk.update(ticket) is True
    assert zendesk.vendor.tokens.issued == 2


async def test_a_token_that_dies_between_look_and_write_is_renewed(zendesk: Zendesk) -> None:
    zendesk.be(**OAUTH)
    ticket = zendesk.ticket()
    assert await zendesk.has_note(ticket) is False
    zendesk.vendor.tokens.expire()
    zendesk.asked()
    assert await zendesk.update(ticket) is True
    assert zendesk.asked() == ["post_note", "token", "post_note"]
    assert len(ticket.notes) == 1


# Checking


async def checked(zendesk: Zendesk) -> tuple[ConnectionReport, str, str]:
    """The report, and what it found wrong and open, with what to do."""
    report = await zendesk.plugin.check_connection("acme")
    wrong = [f"{finding.what} -> {finding.mend}" for finding in report.findings if finding.ok is False]
    undecided = [f"{finding.what} -> {finding.mend}" for finding in report.findings if finding.ok is None]
    return report, "\n".join(wrong), "\n".join(undecided)


@pytest.mark.parametrize("account", WAYS)
@pytest.mark.parametrize("role", ["agent", "admin"])
async def test_a_connection_that_works(zendesk: Zendesk, account: dict[str, Any], role: str) -> None:
    zendesk.be(**account, role=role)
    report, wrong, undecided = await checked(zendesk)
    assert (report.ok, wrong) == (True, "")
    assert zendesk.account.id in report.account
    assert [finding.what for finding in report.findings if finding.ok] == [
        f"signed in as {report.account}",
        "tickets can be read",
        f"the user is an {role}, who may write private notes",
    ]
    assert f"set own_account_id to {zendesk.account.id}" in undecided
    assert ("ends on 30 April 2027" in undecided) is (account == API_TOKEN)
    zendesk.own_account_known()
    assert "own_account_id" not in str(await zendesk.plugin.check_connection("acme"))
    assert {entry.method for entry in zendesk.vendor.log if entry.operation != "token"} == {"GET"}


@pytest.mark.parametrize(
    ("account", "changed", "mend"),
    [
        (API_TOKEN, {"api_token": "planted"}, "see that api_token is active and email is its agent's"),
        (OAUTH, {"client_secret": "planted"}, "compare client_id and client_secret with Admin Center"),
        (OAUTH, {"client_id": "planted"}, "compare client_id and client_secret with Admin Center"),
        (OAUTH, {"scope": "everything"}, "allow the scopes that scope names"),
    ],
)
async def test_wrong_credentials(zendesk: Zendesk, account: dict[str, Any], changed: dict[str, Any], mend: str) -> None:
    zendesk.be(**account)
    zendesk.connect(**changed)
    report, wrong, _ = await checked(zendesk)
    assert not report.ok
    assert mend in wrong
    assert "planted" not in str(report)


@pytest.mark.parametrize("account", WAYS)
async def test_an_end_user_may_neither_read_nor_write(zendesk: Zendesk, account: dict[str, Any]) -> None:
    zendesk.be(**account, role="end_user")
    _, wrong, _ = await checked(zendesk)
    assert "zendesk answered 403: Forbidden" in wrong
    assert "the user is no agent: it cannot write private notes -> make the user an agent" in wrong


@pytest.mark.parametrize(("role", "words"), [("light_agent", "is a light agent"), ("custom", "own role")])
async def test_roles_of_which_zendesk_does_not_tell_all(zendesk: Zendesk, role: str, words: str) -> None:
    zendesk.be(role=role)
    report, _, undecided = await checked(zendesk)
    assert report.ok
    assert words in undecided


async def test_an_agent_who_sees_some_tickets_only(tenants: MemoryTenants) -> None:
    user = {"id": 5, "name": 7, "role": "agent", "ticket_restriction": "groups"}
    plugin = answering(tenants, httpx.Response(200, json={"user": user, "tickets": []}))
    report = await plugin.check_connection("acme")
    assert report.account == "unnamed (user 5)"
    assert any("sees only some of the tickets" in finding.what for finding in report.findings)


@pytest.mark.parametrize(
    ("scope", "wrong", "undecided"),
    [
        ("read", "tokens are asked for that may not write -> set scope to read write", ""),
        ("write users:read", "zendesk answered 403", ""),
        ("tickets:read tickets:write", "", "does not say who we are with this scope -> add users:read to scope"),
        ("tickets:read tickets:write users:read", "", ""),
    ],
)
async def test_what_a_scope_leaves_out(zendesk: Zendesk, scope: str, wrong: str, undecided: str) -> None:
    zendesk.be(**OAUTH)
    zendesk.connect(TenantSettings(own_account_id=zendesk.account.id), scope=scope)
    report, seen_wrong, seen_undecided = await checked(zendesk)
    assert wrong in seen_wrong
    assert undecided in seen_undecided
    assert report.ok is (not wrong)
    assert bool(seen_undecided) is bool(undecided)


async def test_an_api_token_that_may_not_even_say_whose_it_is(zendesk: Zendesk) -> None:
    zendesk.fault("other", "status", status=403)
    report, wrong, _ = await checked(zendesk)
    assert not report.ok
    assert "zendesk answered 403: Forbidden" in wrong
    assert "see that api_token is active" in wrong


async def test_credentials_that_do_not_arrive(tenants: MemoryTenants) -> None:
    plugin = answering(tenants, httpx.Response(200, json={"user": {"id": None, "name": "Anonymous user"}}))
    report = await plugin.check_connection("acme")
    assert not report.ok
    assert "as if to a stranger" in report.findings[-1].what


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, html="<h1>Not found</h1>"),
        httpx.Response(404, json={"error": {"title": "No help desk at acme.zendesk.com", "message": "…"}}),
        httpx.Response(200, html="<h1>Welcome</h1>"),
        httpx.Response(200, json={"accountId": "1"}),
        httpx.Response(302, headers={"Location": "https://www.zendesk.com/"}),
    ],
    ids=["page", "no help desk", "a site", "another tool", "redirect"],
)
async def test_an_address_where_there_is_no_account(
    tenants: MemoryTenants, zendesk: Zendesk, answer: httpx.Response
) -> None:
    seen: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as http:
        zendesk.plugin.http = http
        report, wrong, _ = await checked(zendesk)
    assert not report.ok
    assert "there is no Zendesk account at base_url" in wrong
    assert "give base_url as https://<subdomain>.zendesk.com" in wrong
    assert ["authorization" in request.headers for request in seen] == [False], "strangers are not shown credentials"


@pytest.mark.parametrize(
    ("status", "mend"), [(503, "ask whoever runs the tool"), (429, "try again later")], ids=["down", "busy"]
)
async def test_a_zendesk_that_does_not_answer_now(zendesk: Zendesk, status: int, mend: str) -> None:
    zendesk.fault("any", "status", status=status)
    report, wrong, _ = await checked(zendesk)
    assert not report.ok
    assert mend in wrong
    assert "base_url" not in wrong


async def test_a_connection_that_is_not_whole(zendesk: Zendesk) -> None:
    zendesk.connect(email=None)
    report, wrong, _ = await checked(zendesk)
    assert not report.ok
    assert "email: is missing; give either" in wrong


async def test_a_check_leaves_no_trace(zendesk: Zendesk) -> None:
    ticket = zendesk.ticket()
    await zendesk.plugin.check_connection("acme")
    assert ticket.notes == []
    assert await zendesk.plugin.has_note("acme", ticket.id, REF) is False
