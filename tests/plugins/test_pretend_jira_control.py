"""The control API, faults and page of pretend tools, seen at the pretend Jira; and the process that serves all."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from deskhand.pretend.jira import PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.vendor import PretendVendor
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

    async def comment(self, key: str, body: object, **more: Any) -> httpx.Response:
        return await self.call("POST", f"/issue/{key}/comment", json={"body": body, "properties": INTERNAL, **more})


@pytest.fixture
async def jira(pretend: PretendFactory, control: Callable[[PretendVendor], Control], http: httpx.AsyncClient) -> Jira:
    vendor = await pretend(PretendJira)
    site = control(vendor)
    return Jira(vendor, site, http, (await site.account(email="deskhand@example.com", api_token=TOKEN)).id)


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
