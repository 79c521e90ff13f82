"""The pretend Jira by itself: it refuses as the real one would, and announces tickets in Jira's own forms."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deskhand.pretend.jira import CLOUD_ID, GATEWAY, PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.serving import serve
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.signatures import hmac_sha256
from tests.support.jira import TOKEN, adf
from tests.support.pretend import PretendFactory

AUTH = httpx.BasicAuth("deskhand@example.com", TOKEN)
INTERNAL = [{"key": "sd.public.comment", "value": {"internal": True}}]


@dataclass
class Jira:
    """The vendor, its control API, and a client with an account."""

    vendor: PretendJira
    control: Control
    http: httpx.AsyncClient
    account_id: str

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, f"{self.vendor.origin}/rest/api/3{path}", **{"auth": AUTH, **more})

    async def comment(
        self, key: str, body: object, *, call: dict[str, Any] | None = None, **more: Any
    ) -> httpx.Response:
        comment = {"body": body, "properties": INTERNAL, **more}
        return await self.call("POST", f"/issue/{key}/comment", json=comment, **(call or {}))


@pytest.fixture
async def jira(pretend: PretendFactory, control: Callable[[PretendVendor], Control], http: httpx.AsyncClient) -> Jira:
    vendor = await pretend(PretendJira)
    site = control(vendor)
    return Jira(vendor, site, http, (await site.account(email="deskhand@example.com", api_token=TOKEN)).id)


# The vendor's API


@pytest.mark.parametrize(
    "auth", [None, httpx.BasicAuth("deskhand@example.com", "wrong"), httpx.BasicAuth("x@y.z", TOKEN)]
)
async def test_wrong_credentials_get_jiras_401(jira: Jira, auth: httpx.Auth | None) -> None:
    answer = await jira.http.get(f"{jira.vendor.origin}/rest/api/3/myself", auth=auth)
    assert answer.status_code == 401
    assert answer.json()["errorMessages"] == ["Client must be authenticated to access this resource."]


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", "Basic ???", "Basic /////w==", "Digest x"])
async def test_other_ways_to_present_the_token_are_refused(jira: Jira, header: str) -> None:
    answer = await jira.http.get(f"{jira.vendor.origin}/rest/api/3/myself", headers={"Authorization": header})
    assert answer.status_code == 401


@pytest.mark.parametrize("kind", ["classic", "scoped", "oauth"])
async def test_each_kind_of_token_counts_at_its_own_address_and_in_its_own_form_only(jira: Jira, kind: str) -> None:
    account_id = (await jira.control.account(kind=kind, email="who@example.com", api_token="another")).id
    forms: dict[str, dict[str, Any]] = {
        "Basic": {"auth": httpx.BasicAuth("who@example.com", "another")},
        "Bearer": {"headers": {"Authorization": "Bearer another"}},
    }
    expected = {"classic": ("", "Basic"), "scoped": (GATEWAY, "Basic"), "oauth": (GATEWAY, "Bearer")}[kind]
    for place in ("", GATEWAY):
        for form, credentials in forms.items():
            answer = await jira.http.get(f"{jira.vendor.origin}{place}/rest/api/3/myself", **credentials)
            if (place, form) == expected:
                assert answer.json()["accountId"] == account_id
            else:
                assert answer.status_code == 401
                assert ("code" in answer.json()) is bool(place), "the gateway refuses in a form of its own"


async def test_the_gateway_knows_no_other_cloud_id_than_the_one_that_the_site_tells(jira: Jira) -> None:
    origin = jira.vendor.origin
    assert (await jira.http.get(f"{origin}/_edge/tenant_info")).json() == {"cloudId": CLOUD_ID}
    await jira.control.account(kind="scoped", email="deskhand@example.com", api_token=TOKEN)
    for method, path in (
        ("GET", "issue/HELP-1"),
        ("POST", "issue/HELP-1/comment"),
        ("DELETE", "issue/HELP-1/comment/1"),
    ):
        answer = await jira.http.request(method, f"{origin}/ex/jira/1122/rest/api/3/{path}", auth=AUTH)
        assert (answer.status_code, answer.json()) == (404, {"code": 404, "message": "Not Found"})


async def test_links_in_answers_of_the_gateway_do_not_name_the_site(jira: Jira) -> None:
    await jira.control.account(kind="scoped", email="deskhand@example.com", api_token=TOKEN)
    key = await jira.control.ticket()
    issue = (await jira.http.get(f"{jira.vendor.origin}{GATEWAY}/rest/api/3/issue/{key}", auth=AUTH)).json()
    assert issue["self"].startswith(f"{jira.vendor.origin}{GATEWAY}/rest/api/3/issue/")


async def test_permissions_are_told_for_each_that_is_asked_for_and_known(jira: Jira) -> None:
    async def ask(permissions: str) -> httpx.Response:
        return await jira.call("GET", "/mypermissions", params={"permissions": permissions})

    held = (await ask("ADD_COMMENTS,SERVICEDESK_AGENT")).json()["permissions"]
    assert {name: permission["havePermission"] for name, permission in held.items()} == {
        "ADD_COMMENTS": True,
        "SERVICEDESK_AGENT": True,
    }
    assert (await ask("")).json()["errorMessages"] == ["The 'permissions' query parameter is required."]
    assert (await ask("ADD_COMMENTS,FLY")).status_code == 400
    jira.vendor.knows_agents = False
    assert (await ask("SERVICEDESK_AGENT")).status_code == 400


async def test_an_account_can_do_what_it_may_and_no_more(jira: Jira) -> None:
    key = await jira.control.ticket()
    theirs = (await jira.comment(key, adf("mine"))).json()["id"]

    async def be(**fields: Any) -> None:
        await jira.control.account(email="other@example.com", api_token=TOKEN, **fields)

    other = {"auth": httpx.BasicAuth("other@example.com", TOKEN)}
    await be()
    assert (await jira.call("DELETE", f"/issue/{key}/comment/{theirs}", **other)).status_code == 400, "not its own"
    own = (await jira.comment(key, adf("its own"), call=other)).json()["id"]
    await be(may_delete=False)
    assert (await jira.call("DELETE", f"/issue/{key}/comment/{own}", **other)).status_code == 400
    await be(standing="customer")
    assert (await jira.comment(key, adf("to the requester"), call=other)).json()["jsdPublic"] is True
    await be(may_comment=False, language="de")
    assert "keine Berechtigung" in (await jira.comment(key, adf("no"), call=other)).text
    english = {**other, "headers": {"Accept-Language": "en", "X-Force-Accept-Language": "true"}}
    assert "permission to comment" in (await jira.comment(key, adf("no"), call=english)).text
    await be(may_browse=False)
    assert (await jira.call("GET", f"/issue/{key}", **other)).status_code == 404


async def test_a_role_hides_a_comment_for_an_account_that_is_in_it(jira: Jira) -> None:
    key = await jira.control.ticket(project="SW")
    await jira.control.account(email="deskhand@example.com", api_token=TOKEN, roles=["Developers"])
    for role, status in (("Developers", 201), ("Administrators", 400), ("Wizards", 400)):
        answer = await jira.comment(key, adf("x"), visibility={"type": "role", "value": role})
        assert answer.status_code == status
        assert status == 201 or answer.json()["errors"]["commentLevel"].endswith(f"{role}.")


async def test_an_issue_is_adf_over_rest_and_only_the_wanted_fields(jira: Jira) -> None:
    key = await jira.control.ticket("Subject", "Line one\nLine two", priority="High")
    issue = (await jira.call("GET", f"/issue/{key}", params={"fields": "description,priority"})).json()
    assert issue["key"] == key
    assert set(issue["fields"]) == {"description", "priority"}
    assert issue["fields"]["description"]["type"] == "doc"
    assert (await jira.call("GET", f"/issue/{key.lower()}")).json()["fields"]["summary"] == "Subject"
    assert (await jira.call("GET", "/issue/HELP-99")).status_code == 404
    assert (await jira.call("GET", "/nowhere")).json()["errorMessages"]


async def test_only_the_internal_property_hides_a_comment_in_a_service_project(jira: Jira) -> None:
    key = await jira.control.ticket()
    role = {"type": "role", "value": "Developers"}
    internal = (await jira.comment(key, adf("hidden"))).json()
    behind_role = (await jira.comment(key, adf("not hidden"), properties=[], visibility=role)).json()
    assert (internal["jsdPublic"], behind_role["jsdPublic"]) == (False, True)
    assert [note["private"] for note in await jira.control.notes(key)] == [True, False]


async def test_only_a_role_hides_a_comment_in_a_software_project(jira: Jira) -> None:
    key = await jira.control.ticket(project="SW")
    role = {"type": "role", "value": "Developers"}
    behind_role = (await jira.comment(key, adf("hidden"), visibility=role)).json()
    internal = (await jira.comment(key, adf("not hidden"))).json()
    assert (behind_role["jsdPublic"], internal["jsdPublic"]) == (True, True)
    assert (behind_role["visibility"], "visibility" in internal) == (role, False)
    assert [note["private"] for note in await jira.control.notes(key)] == [True, False]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("text", "INVALID_INPUT"),
        ({"type": "doc", "version": 1}, "INVALID_INPUT"),
        ({"type": "doc", "version": 2, "content": []}, "INVALID_INPUT"),
        (adf(""), "INVALID_INPUT"),
        ({"type": "doc", "version": 1, "content": [{"content": []}]}, "INVALID_INPUT"),
        ({"type": "doc", "version": 1, "content": ["x"]}, "INVALID_INPUT"),
        (adf("x" * 32_767), "exceeds the allowed limit of 32,767 characters"),
    ],
)
async def test_a_comment_that_is_no_adf_or_too_long_is_refused(jira: Jira, body: object, words: str) -> None:
    key = await jira.control.ticket()
    answer = await jira.comment(key, body)
    assert answer.status_code == 400
    assert words in answer.text
    assert await jira.control.notes(key) == []


async def test_media_types_are_checked(jira: Jira) -> None:
    key = await jira.control.ticket()
    comment = json.dumps({"body": adf("x")})
    as_text = await jira.call("POST", f"/issue/{key}/comment", content=comment, headers={"Content-Type": "text/plain"})
    assert as_text.status_code == 415
    assert (await jira.call("GET", f"/issue/{key}", headers={"Accept": "text/html"})).status_code == 406
    assert await jira.control.notes(key) == []


async def test_comments_are_listed_in_pages_and_can_be_deleted(jira: Jira) -> None:
    key = await jira.control.ticket()
    ids = [(await jira.comment(key, adf(str(number)))).json()["id"] for number in range(3)]
    newest = {"startAt": "0", "maxResults": "2", "orderBy": "-created"}
    page = (await jira.call("GET", f"/issue/{key}/comment", params=newest)).json()
    assert [comment["id"] for comment in page["comments"]] == [ids[2], ids[1]]
    assert page["total"] == 3
    assert (await jira.call("DELETE", f"/issue/{key}/comment/{ids[1]}")).status_code == 204
    assert (await jira.call("DELETE", f"/issue/{key}/comment/{ids[1]}")).status_code == 404
    assert [note["id"] for note in await jira.control.notes(key)] == [ids[0], ids[2]]


async def test_a_closed_issue_takes_no_comments(jira: Jira) -> None:
    key = await jira.control.ticket()
    await jira.control.close(key)
    answer = await jira.comment(key, adf("late"))
    assert answer.status_code == 400
    assert "permission to comment" in answer.text


async def test_every_answer_sets_a_cookie_and_the_log_has_what_came_back_but_never_a_token(jira: Jira) -> None:
    answer = await jira.call("GET", "/myself")
    assert jira.account_id in answer.headers["Set-Cookie"]
    await jira.http.get(f"{jira.vendor.origin}/rest/api/3/myself?token={TOKEN}", auth=httpx.BasicAuth("a@b.c", "wrong"))
    first, second = await jira.control.log()
    assert (first["account"], first["status"], first["cookies"]) == (jira.account_id, 200, {})
    assert (second["account"], second["status"]) == (None, 401)
    # This client keeps cookies, as the shared one must not: the log shows it.
    assert second["cookies"]["pretend-session"].strip('"') == jira.account_id
    assert first["number"] < second["number"]
    assert first["began"] <= first["ended"] <= second["began"]
    assert TOKEN not in json.dumps([first, second])


# Webhooks


@dataclass
class Receiver:
    """A door that remembers what knocked."""

    origin: str
    status: int = 202
    got: list[tuple[Request, bytes]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.got.append((request, await request.body()))
        await Response(status_code=self.status)(scope, receive, send)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serve(Receiver) as door:
        yield door


async def post_ticket(jira: Jira, **fields: Any) -> dict[str, Any]:
    body = {"subject": "Schlüssel", "description": "*Wiki* text", **fields}
    answer = await jira.http.post(f"{jira.vendor.origin}/_pretend/tickets", json=body)
    assert answer.status_code == 201
    return dict(answer.json())


async def test_a_new_ticket_is_announced_signed_in_jiras_own_form(jira: Jira, receiver: Receiver) -> None:
    await jira.control.webhook(receiver.origin + "/webhooks/jira/acme", "secret", tenant_id="acme")
    ticket = await post_ticket(jira, priority="High", requester="Ada Example")
    assert ticket["announced"] == 202
    assert ticket["url"] == f"{jira.vendor.origin}/browse/{ticket['ticket_id']}"
    [(request, raw)] = receiver.got
    assert request.url.path == "/webhooks/jira/acme"
    assert request.headers["X-Hub-Signature"] == "sha256=" + hmac_sha256("secret", raw).hex()
    body = json.loads(raw)
    assert (body["webhookEvent"], body["issue"]["key"]) == ("jira:issue_created", ticket["ticket_id"])
    assert body["issue"]["fields"]["description"] == "*Wiki* text"
    assert body["user"]["displayName"] == "Ada Example"
    assert "tenant_id" not in body


async def test_announcing_answers_what_the_door_said_or_nothing(jira: Jira, receiver: Receiver) -> None:
    assert (await post_ticket(jira))["announced"] is None
    await jira.control.webhook(receiver.origin, "secret")
    receiver.status = 401
    assert (await post_ticket(jira))["announced"] == 401
    assert (await post_ticket(jira, announce=False))["announced"] is None
    await jira.control.webhook("http://127.0.0.1:1/", "secret")
    assert (await post_ticket(jira))["announced"] is None
    assert len(receiver.got) == 1


async def test_a_delivery_has_the_same_body_each_time_and_a_fresh_identifier(jira: Jira) -> None:
    await jira.control.webhook("http://127.0.0.1:9/", "secret")
    key = await jira.control.ticket()
    first = await jira.control.delivery(key)
    await jira.comment(key, adf("a note"))
    await jira.control.resolve(key, "Done so.")
    second = await jira.control.delivery(key)
    resolved = await jira.control.delivery(key, "resolved")
    assert first["body_base64"] == second["body_base64"] != resolved["body_base64"]
    identifiers = {delivery["headers"].pop("X-Atlassian-Webhook-Identifier") for delivery in (first, second, resolved)}
    assert len(identifiers) == 3
    assert first == second
    body = json.loads(base64.b64decode(resolved["body_base64"]))
    assert body["webhookEvent"] == "jira:issue_updated"
    assert {item["field"] for item in body["changelog"]["items"]} == {"resolution", "status"}


async def test_what_was_done_to_resolve_stands_in_a_comment_as_in_jira(jira: Jira) -> None:
    key = await jira.control.ticket()
    await jira.control.resolve(key, "Replaced the cable.")
    issue = (await jira.call("GET", f"/issue/{key}")).json()
    assert issue["fields"]["resolution"]["name"] == "Done"
    [comment] = issue["fields"]["comment"]["comments"]
    assert comment["body"] == adf("Replaced the cable.")
    assert await jira.control.notes(key) == []


async def test_a_rule_sends_the_bare_issue_or_its_own_template_and_a_secret_in_a_header(jira: Jira) -> None:
    await jira.control.webhook("http://127.0.0.1:9/", "secret", tenant_id="acme", scheme="header")
    key = await jira.control.ticket()
    await jira.comment(key, adf("a note"))
    sent = {event: await jira.control.delivery(key, event) for event in ("created", "noted")}
    assert all(delivery["headers"]["X-Deskhand-Secret"] == "secret" for delivery in sent.values())
    assert not any("X-Hub-Signature" in delivery["headers"] for delivery in sent.values())
    issue, custom = (json.loads(base64.b64decode(delivery["body_base64"])) for delivery in sent.values())
    assert (issue["key"], issue["fields"]["created"][-5:]) == (key, "+0530")
    assert custom == {"tenant_id": "acme", "event": "comment_added", "ticket_id": key, "actor_id": jira.account_id}


async def test_a_comment_is_announced_with_its_author_and_without_a_user(jira: Jira) -> None:
    await jira.control.webhook("http://127.0.0.1:9/", "secret")
    key = await jira.control.ticket()
    await jira.comment(key, adf("a note"))
    body = json.loads(base64.b64decode((await jira.control.delivery(key, "noted"))["body_base64"]))
    assert (body["webhookEvent"], body["comment"]["body"]) == ("comment_created", "a note")
    assert body["comment"]["author"]["accountId"] == jira.account_id
    assert "user" not in body
