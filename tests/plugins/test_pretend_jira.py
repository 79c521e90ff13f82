"""The pretend Jira by itself: it refuses as the real one would, announces tickets, fails on demand, shows a page."""

import asyncio
import base64
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from deskhand.pretend.jira import PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.serving import serve
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.signatures import hmac_sha256
from tests.support.pretend import PretendFactory

TOKEN = "api-token-of-a-test"
AUTH = httpx.BasicAuth("deskhand@example.com", TOKEN)
INTERNAL = [{"key": "sd.public.comment", "value": {"internal": True}}]


def adf(text: str) -> dict[str, Any]:
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


@dataclass
class Jira:
    """The vendor, its control API, and a client with an account."""

    vendor: PretendJira
    control: Control
    http: httpx.AsyncClient
    account_id: str

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        return await self.http.request(method, f"{self.vendor.origin}/rest/api/3{path}", **{"auth": AUTH, **more})

    async def comment(self, key: str, body: object, **more: Any) -> httpx.Response:
        return await self.call("POST", f"/issue/{key}/comment", json={"body": body, "properties": INTERNAL, **more})


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


async def test_an_account_without_email_is_known_by_its_bearer_token(jira: Jira) -> None:
    account_id = (await jira.control.account(email=None, api_token="another")).id
    headers = {"Authorization": "Bearer another"}
    answer = await jira.http.get(f"{jira.vendor.origin}/rest/api/3/myself", headers=headers)
    assert answer.json()["accountId"] == account_id


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


# Control


@pytest.mark.parametrize(
    ("method", "path", "body", "says"),
    [
        ("POST", "/accounts", {"email": "a"}, "email:"),
        ("POST", "/accounts", {"api_token": "x", "key": "y"}, "key:"),
        ("PUT", "/webhook", {"url": "ftp://x", "secret": "s"}, "url:"),
        ("POST", "/tickets", {"subject": "s", "description": 3}, "description:"),
        ("POST", "/tickets", {"subject": "s", "description": "d", "project": "XX"}, "project:"),
        ("POST", "/tickets/HELP-1/resolve", {}, "resolution:"),
        ("GET", "/tickets/HELP-1/delivery?event=closed", None, "event:"),
        ("POST", "/faults", {"operation": "get_ticket", "kind": "odd"}, "kind:"),
        ("POST", "/faults", {"operation": "get_ticket", "kind": "status"}, "status:"),
        ("POST", "/faults", {"operation": "get_ticket", "kind": "slow"}, "seconds:"),
        ("POST", "/faults", {"operation": "get_ticket", "kind": "public"}, "operation:"),
        ("POST", "/faults", {"operation": "any", "kind": "drop", "times": 0}, "times:"),
        ("POST", "/faults", None, "body:"),
    ],
)
async def test_bad_input_is_422_and_names_the_field(
    jira: Jira, method: str, path: str, body: object, says: str
) -> None:
    await jira.control.ticket()
    content = b"" if body is None else json.dumps(body).encode()
    answer = await jira.http.request(method, f"{jira.vendor.origin}/_pretend{path}", content=content)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(says)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/tickets/HELP-9/delivery", 404),
        ("/tickets/HELP-1/delivery", 409),
        ("/tickets/HELP-1/delivery?event=resolved", 409),
    ],
)
async def test_a_delivery_that_there_is_not_is_refused(jira: Jira, path: str, status: int) -> None:
    await jira.control.ticket()
    assert (await jira.http.get(f"{jira.vendor.origin}/_pretend{path}")).status_code == status
    if "resolved" in path:
        await jira.control.webhook("http://127.0.0.1:9/", "secret")
        assert (await jira.http.get(f"{jira.vendor.origin}/_pretend{path}")).status_code == status


async def test_the_same_credentials_are_the_same_account(jira: Jira) -> None:
    assert (await jira.control.account(email="deskhand@example.com", api_token=TOKEN)).id == jira.account_id
    assert (await jira.control.account(email="other@example.com", api_token=TOKEN)).id != jira.account_id


# Faults


async def test_a_status_is_refused_in_jiras_form_with_its_headers_and_does_nothing(jira: Jira) -> None:
    key = await jira.control.ticket()
    await jira.control.fault("post_note", "status", status=429, headers={"Retry-After": "7"})
    answer = await jira.comment(key, adf("x"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["errorMessages"]
    assert await jira.control.notes(key) == []
    assert (await jira.comment(key, adf("x"))).status_code == 201


async def test_a_fault_hits_its_operation_as_often_as_told(jira: Jira) -> None:
    key = await jira.control.ticket()
    await jira.control.fault("any", "status", times=None, status=503)
    await jira.control.fault("get_ticket", "status", times=2, status=500)
    assert (await jira.call("GET", "/myself")).status_code == 503
    assert (await jira.call("GET", f"/issue/{key}")).status_code == 503
    await jira.control.clear_faults()
    await jira.control.fault("get_ticket", "status", times=2, status=500)
    statuses = [(await jira.call("GET", f"/issue/{key}")).status_code for _ in range(3)]
    assert statuses == [500, 500, 200]


@pytest.mark.parametrize(
    ("kind", "private", "jsd_public"), [("public", [False], True), ("double", [True, True], False), ("lose", [], False)]
)
async def test_faults_in_how_a_note_is_stored(jira: Jira, kind: str, private: list[bool], jsd_public: bool) -> None:
    key = await jira.control.ticket()
    await jira.control.fault("any", kind)
    await jira.call("GET", f"/issue/{key}")
    answer = await jira.comment(key, adf("x"))
    assert (answer.status_code, answer.json()["jsdPublic"]) == (201, jsd_public)
    assert [note["private"] for note in await jira.control.notes(key)] == private


async def test_a_drop_does_the_work_and_answers_nothing(jira: Jira) -> None:
    key = await jira.control.ticket()
    await jira.control.fault("post_note", "drop")
    with pytest.raises(httpx.RemoteProtocolError):
        await jira.comment(key, adf("x"))
    assert len(await jira.control.notes(key)) == 1
    [entry] = await jira.control.log()
    assert (entry["status"], entry["client_gone"]) == (None, False)


async def test_garbage_is_a_login_page(jira: Jira) -> None:
    key = await jira.control.ticket()
    await jira.control.fault("post_note", "garbage")
    answer = await jira.comment(key, adf("x"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert await jira.control.notes(key) == []


@pytest.mark.parametrize(("kind", "notes"), [("slow", 0), ("late", 1)])
async def test_who_hangs_up_on_a_slow_or_late_answer_is_seen(jira: Jira, kind: str, notes: int) -> None:
    key = await jira.control.ticket()
    await jira.control.fault("post_note", kind, seconds=60 if kind == "slow" else 0.5)
    call = asyncio.create_task(jira.comment(key, adf("x")))
    await jira.vendor.until(lambda: jira.vendor.running == 1)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await jira.vendor.until(lambda: jira.vendor.running == 0)
    [entry] = await jira.control.log()
    assert (entry["status"], entry["client_gone"]) == (None, True)
    assert entry["ended"] >= entry["began"]
    assert len(await jira.control.notes(key)) == notes


@pytest.mark.parametrize("kind", ["slow", "late"])
async def test_who_waits_gets_the_answer(jira: Jira, kind: str) -> None:
    key = await jira.control.ticket()
    await jira.control.fault("post_note", kind, seconds=0.05)
    assert (await jira.comment(key, adf("x"))).status_code == 201
    [entry] = await jira.control.log()
    assert (entry["status"], entry["client_gone"]) == (201, False)
    assert entry["ended"] - entry["began"] >= 0.05


# The page


async def test_the_page_shows_each_ticket_and_whether_its_notes_are_private(jira: Jira) -> None:
    first = await jira.control.ticket("Printer <b>jams</b>")
    other = await jira.control.ticket("VPN drops")
    note = adf("Check the tray.")
    note["content"].append(
        {
            "type": "paragraph",
            "content": [
                {"type": "text", "text": "safe", "marks": [{"type": "link", "attrs": {"href": "https://example.com"}}]},
                {"type": "text", "text": "<i>", "marks": [{"type": "link", "attrs": {"href": "javascript:alert(1)"}}]},
            ],
        }
    )
    await jira.comment(first, note)
    await jira.comment(first, adf("Hello customer"), properties=[])
    page = (await jira.http.get(jira.vendor.origin)).text
    assert "Printer &lt;b&gt;jams&lt;/b&gt;" in page
    assert page.index("VPN drops") < page.index("Printer")
    assert (
        page.index(">Private<") < page.index("Check the tray.") < page.index(">Public<") < page.index("Hello customer")
    )
    assert '<a href="https://example.com" rel="noopener noreferrer">safe</a>' in page
    assert "&lt;i&gt;" in page
    assert "javascript:" not in page
    assert "<script" not in page
    alone = await jira.http.get(f"{jira.vendor.origin}/browse/{other}")
    assert "VPN drops" in alone.text
    assert "Printer" not in alone.text
    assert (await jira.http.get(f"{jira.vendor.origin}/browse/HELP-99")).status_code == 404


# The process


async def test_all_three_tools_run_in_one_process_until_it_is_told_to_stop() -> None:
    command = (sys.executable, "-m", "deskhand.pretend", "--jira-port", "0")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        lines = [(await process.stdout.readline()).decode().strip() for _ in range(3)]
        async with httpx.AsyncClient(trust_env=False) as client:
            for line in lines:
                title, _, origin = line.partition(": ")
                assert title in (await client.get(origin)).text
    finally:
        process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_a_port_that_is_taken_is_one_readable_line(jira: Jira) -> None:
    port = jira.vendor.origin.rpartition(":")[2]
    command = (sys.executable, "-m", "deskhand.pretend", "--jira-port", port)
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.decode().splitlines() == ["cannot serve the pretend tools: Address already in use"]
