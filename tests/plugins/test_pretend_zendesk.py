"""The pretend Zendesk refuses what Zendesk refuses, and does to a comment what Zendesk does."""

from typing import Any

import httpx
import pytest

from deskhand.pretend.zendesk import PretendZendesk
from deskhand.pretend.zendesk_bodies import MAX_BODY_BYTES
from tests.support.pretend import PretendFactory

AUTH = ("deskhand@acme.example/token", "a-marked-test-token")


@pytest.fixture
async def zendesk(pretend: PretendFactory, http: httpx.AsyncClient) -> PretendZendesk:
    vendor = await pretend(PretendZendesk)
    account = {"email": "deskhand@acme.example", "api_token": AUTH[1]}
    (await http.post(f"{vendor.origin}/_pretend/accounts", json=account)).raise_for_status()
    return vendor


@pytest.fixture
async def api(zendesk: PretendZendesk, http: httpx.AsyncClient) -> str:
    """The address of a ticket in the API."""
    ticket = {"subject": "Printer", "description": "On fire"}
    created = (await http.post(f"{zendesk.origin}/_pretend/tickets", json=ticket)).json()
    assert created["announced"] is None
    return f"{zendesk.origin}/api/v2/tickets/{created['ticket_id']}"


async def comment(http: httpx.AsyncClient, api: str, **fields: Any) -> httpx.Response:
    return await http.put(api, auth=AUTH, json={"ticket": {"comment": fields}})


async def stored(http: httpx.AsyncClient, zendesk: PretendZendesk) -> list[dict[str, Any]]:
    tickets = (await http.get(f"{zendesk.origin}/_pretend/tickets")).json()["tickets"]
    notes: list[dict[str, Any]] = tickets[0]["notes"]
    return notes


@pytest.mark.parametrize(
    "auth", [None, ("deskhand@acme.example", AUTH[1]), (AUTH[0], "wrong")], ids=["none", "no /token", "wrong token"]
)
async def test_strangers(http: httpx.AsyncClient, api: str, auth: tuple[str, str] | None) -> None:
    answer = await http.get(api, auth=auth)
    assert (answer.status_code, answer.json()) == (401, {"error": "Couldn't authenticate you"})
    bearer = await http.get(api, headers={"Authorization": f"Bearer {AUTH[1]}"})
    assert bearer.status_code == 401


async def test_paths_with_and_without_suffix(http: httpx.AsyncClient, api: str) -> None:
    plain, suffixed = await http.get(api, auth=AUTH), await http.get(f"{api}.json", auth=AUTH)
    assert plain.json() == suffixed.json()
    assert plain.json()["ticket"]["priority"] is None
    assert suffixed.cookies["pretend-session"]


async def test_a_comment_is_public_unless_it_says_otherwise(
    http: httpx.AsyncClient, zendesk: PretendZendesk, api: str
) -> None:
    first = await comment(http, api, html_body="<p>Hello</p>")
    second = await comment(http, api, html_body="<p>Hello</p>", public=False)
    events = [answer.json()["audit"]["events"][0] for answer in (first, second)]
    assert [event["public"] for event in events] == [True, False]
    notes = await stored(http, zendesk)
    assert [(note["id"], note["private"]) for note in notes] == [
        (str(events[0]["id"]), False),
        (str(events[1]["id"]), True),
    ]


async def test_a_public_comment_can_be_made_private(http: httpx.AsyncClient, zendesk: PretendZendesk, api: str) -> None:
    note_id = (await comment(http, api, html_body="Hello")).json()["audit"]["events"][0]["id"]
    answer = await http.put(f"{api}/comments/{note_id}/make_private", auth=AUTH, json={})
    assert answer.status_code == 200
    assert [note["private"] for note in await stored(http, zendesk)] == [True]
    unknown = await http.put(f"{api}/comments/1/make_private", auth=AUTH, json={})
    assert unknown.status_code == 404


async def test_placeholders_are_filled_in_scripts_and_excess_taken_out(
    http: httpx.AsyncClient, zendesk: PretendZendesk, api: str
) -> None:
    await comment(
        http, api, html_body="<p>{{ticket.title}}{{ nonsense }}{% if x %}<script>1</script></p>" + "x" * 70_000
    )
    (note,) = await stored(http, zendesk)
    assert note["body"].startswith("<p>Printer</p>xxx")
    assert len(note["body"]) == MAX_BODY_BYTES


async def test_a_body_that_is_not_sent_as_json_is_not_read(
    http: httpx.AsyncClient, zendesk: PretendZendesk, api: str
) -> None:
    answer = await http.put(api, auth=AUTH, content=b'{"ticket": {"comment": {"body": "x"}}}')
    assert answer.status_code == 400
    assert await stored(http, zendesk) == []


async def test_a_closed_ticket(http: httpx.AsyncClient, zendesk: PretendZendesk, api: str) -> None:
    number = api.rpartition("/")[2]
    (await http.post(f"{zendesk.origin}/_pretend/tickets/{number}/close")).raise_for_status()
    answer = await comment(http, api, html_body="Hello", public=False)
    assert answer.status_code == 422
    assert answer.json()["details"]["status"][0]["description"] == "Status: closed prevents ticket update"


async def test_a_safe_update_of_an_outdated_ticket(http: httpx.AsyncClient, zendesk: PretendZendesk, api: str) -> None:
    changes = {"comment": {"body": "x", "public": False}, "safe_update": True, "updated_stamp": "2020-01-01T00:00:00Z"}
    answer = await http.put(api, auth=AUTH, json={"ticket": changes})
    assert (answer.status_code, answer.json()["error"]) == (409, "UpdateConflict")
    changes["updated_stamp"] = (await http.get(api, auth=AUTH)).json()["ticket"]["updated_at"]
    assert (await http.put(api, auth=AUTH, json={"ticket": changes})).status_code == 200


async def test_comments_come_in_pages(http: httpx.AsyncClient, api: str) -> None:
    for text in ("one", "two"):
        await comment(http, api, html_body=text)
    seen, params = [], {"sort": "-created_at", "page[size]": "2"}
    while True:
        page = (await http.get(f"{api}/comments", auth=AUTH, params=params)).json()
        seen += [entry["html_body"] for entry in page["comments"]]
        if not page["meta"]["has_more"]:
            break
        params["page[after]"] = page["meta"]["after_cursor"]
    assert seen == ["two", "one", "On fire"]
    assert page["links"]["next"] is None
    too_many = await http.get(f"{api}/comments", auth=AUTH, params={"page[size]": "101"})
    assert too_many.status_code == 400


async def test_who_we_are(http: httpx.AsyncClient, zendesk: PretendZendesk) -> None:
    known = zendesk.add_account({"email": "deskhand@acme.example", "api_token": AUTH[1]})
    me = f"{zendesk.origin}/api/v2/users/me.json"
    assert str((await http.get(me, auth=AUTH)).json()["user"]["id"]) == known.id
    stranger = await http.get(me)
    assert (stranger.status_code, stranger.json()["user"]["id"]) == (200, None), "told so, and not refused"
    assert (await http.get(me, auth=(AUTH[0], "wrong"))).status_code == 401
    assert AUTH[1] not in str(zendesk.log)


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [("admin", 200, 200), ("agent", 200, 200), ("light_agent", 200, 200), ("end_user", 403, 403)],
)
async def test_what_roles_may_do(
    http: httpx.AsyncClient, zendesk: PretendZendesk, api: str, role: str, reads: int, writes: int
) -> None:
    zendesk.add_account({"email": "deskhand@acme.example", "api_token": AUTH[1], "role": role})
    for address in (api, f"{api}/comments", f"{zendesk.origin}/api/v2/tickets.json?page[size]=1"):
        assert (await http.get(address, auth=AUTH)).status_code == reads
    answer = await comment(http, api, html_body="Hello")
    assert answer.status_code == writes
    notes = await stored(http, zendesk)
    assert [note["private"] for note in notes] == ([role == "light_agent"] if writes == 200 else [])


# Access tokens


@pytest.fixture
def client(zendesk: PretendZendesk) -> dict[str, Any]:
    """A request for a token, as a known OAuth client makes it."""
    fields = {"auth": "oauth", "client_id": "deskhand", "client_secret": "s", "allowed_scopes": "read write users:read"}
    zendesk.add_account(fields)
    return {
        "grant_type": "client_credentials",
        "client_id": "deskhand",
        "client_secret": "s",
        "scope": "read write",
        "expires_in": 600,
    }


async def test_a_token_counts_until_it_does_not(
    http: httpx.AsyncClient, zendesk: PretendZendesk, api: str, client: dict[str, Any]
) -> None:
    given = (await http.post(f"{zendesk.origin}/oauth/tokens", json=client)).json()
    assert (given["token_type"], given["scope"], given["expires_in"]) == ("bearer", "read write", 600)
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    assert (await http.get(api, headers=bearer)).status_code == 200
    assert (await http.get(api, auth=("deskhand", "s"))).status_code == 401, "the client itself opens nothing"
    zendesk.tokens.expire()
    assert (await http.get(api, headers=bearer)).status_code == 401


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "unknown"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "read impersonate"}, 400, "invalid_scope"),
        ({"scope": 5}, 400, "invalid_scope"),
        ({"expires_in": 299}, 400, "invalid_request"),
        ({"expires_in": "600"}, 400, "invalid_request"),
    ],
)
async def test_a_token_is_refused(
    http: httpx.AsyncClient,
    zendesk: PretendZendesk,
    client: dict[str, Any],
    changed: dict[str, Any],
    status: int,
    error: str,
) -> None:
    answer = await http.post(f"{zendesk.origin}/oauth/tokens", json={**client, **changed})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert zendesk.tokens.issued == 0


async def test_a_request_for_a_token_must_be_json(
    http: httpx.AsyncClient, zendesk: PretendZendesk, client: dict[str, Any]
) -> None:
    answer = await http.post(f"{zendesk.origin}/oauth/tokens", data=client)
    assert (answer.status_code, zendesk.tokens.issued) == (400, 0)


@pytest.mark.parametrize(
    ("scope", "me", "reads", "writes"),
    [("read", 200, 200, 403), ("write", 403, 403, 200), ("users:read", 200, 403, 403)],
)
async def test_what_scopes_allow(
    http: httpx.AsyncClient,
    zendesk: PretendZendesk,
    api: str,
    client: dict[str, Any],
    scope: str,
    me: int,
    reads: int,
    writes: int,
) -> None:
    given = (await http.post(f"{zendesk.origin}/oauth/tokens", json={**client, "scope": scope})).json()
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    assert (await http.get(f"{zendesk.origin}/api/v2/users/me", headers=bearer)).status_code == me
    assert (await http.get(api, headers=bearer)).status_code == reads
    body = {"ticket": {"comment": {"body": "x", "public": False}}}
    assert (await http.put(api, headers=bearer, json=body)).status_code == writes


# Webhooks


@pytest.mark.parametrize("tenant_id", [None, "acme"], ids=["event", "trigger"])
async def test_a_delivery_has_the_same_body_and_fresh_ids_each_time(
    http: httpx.AsyncClient, zendesk: PretendZendesk, api: str, tenant_id: str | None
) -> None:
    control = f"{zendesk.origin}/_pretend"
    webhook = {"url": "http://127.0.0.1:9/hook", "secret": "s", "tenant_id": tenant_id}
    (await http.put(f"{control}/webhook", json=webhook)).raise_for_status()
    number = api.rpartition("/")[2]
    first, second = [(await http.get(f"{control}/tickets/{number}/delivery")).json() for _ in range(2)]
    assert first["body_base64"] == second["body_base64"]
    name = "X-Zendesk-Webhook-Invocation-Id"
    assert first["headers"][name] != second["headers"][name]
