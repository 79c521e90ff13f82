"""Every answer of the door, as a sender sees it, and that a refusal leaves no run behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr
from temporalio.client import WorkflowExecutionStatus

from deskhand.runs.starting import TemporalRuns
from deskhand.settings import Settings
from plugins.exceptions import APIError, AuthenticationError, ConfigurationError, PluginError, ValidationError
from plugins.tenants import WebhookSecret
from plugins.types import TenantSettings
from starter.app import create_app
from tests.support.signed_tool import TOOL, Bench, SignedTool, sign

LIMIT = 1024 * 1024


def assert_problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


async def test_a_new_ticket_starts_a_run(bench: Bench) -> None:
    answer = await bench.send({"ticket_id": "T-1", "description": "printer on fire"})
    assert answer.status_code == 202
    run = f"signed:{bench.tenant_id}:T-1:created"
    assert answer.json()["run"] == run
    assert answer.json()["ref"].startswith("dh-")
    started = await bench.temporal.get_workflow_handle(run).describe()
    assert started.workflow_type == "EnhanceTicket"
    assert started.status is WorkflowExecutionStatus.RUNNING
    assert {pair.key.name: pair.value for pair in started.typed_search_attributes} == {
        "DeskhandTool": "signed",
        "DeskhandTenant": bench.tenant_id,
        "DeskhandTicket": "T-1",
    }


async def test_the_tenant_may_stand_in_the_body(bench: Bench) -> None:
    answer = await bench.send({"tenant_id": bench.tenant_id, "ticket_id": "T-1"}, path="/webhooks/signed")
    assert answer.status_code == 202
    assert answer.json()["run"] == f"signed:{bench.tenant_id}:T-1:created"


async def test_path_and_body_may_name_the_same_tenant(bench: Bench) -> None:
    assert (await bench.send({"tenant_id": bench.tenant_id, "ticket_id": "T-1"})).status_code == 202


async def test_null_in_the_body_names_no_tenant(bench: Bench) -> None:
    assert (await bench.send({"tenant_id": None, "ticket_id": "T-1"})).status_code == 202


async def test_a_resolution_is_a_run_of_its_own_for_each_version(bench: Bench) -> None:
    first = await bench.send({"ticket_id": "T-1", "event": "resolved", "version": "2026-01-02T03:04:05Z"})
    again = await bench.send({"ticket_id": "T-1", "event": "resolved", "version": "2026-01-02T03:04:05Z", "extra": 1})
    later = await bench.send({"ticket_id": "T-1", "event": "resolved", "version": "2026-02-02T03:04:05Z"})
    assert [first.status_code, again.status_code, later.status_code] == [202, 200, 202]
    assert first.json()["run"] == f"signed:{bench.tenant_id}:T-1:resolved:2026-01-02T03:04:05Z"
    assert first.json()["ref"] == again.json()["ref"] != later.json()["ref"]
    started = await bench.temporal.get_workflow_handle(first.json()["run"]).describe()
    assert started.workflow_type == "RecordResolution"


async def test_a_resolution_without_a_version_is_told_by_its_body(bench: Bench) -> None:
    first = await bench.send({"ticket_id": "T-1", "event": "resolved"})
    again = await bench.send({"ticket_id": "T-1", "event": "resolved"})
    other = await bench.send({"ticket_id": "T-1", "event": "resolved", "text": "reopened, then solved"})
    assert [first.status_code, again.status_code, other.status_code] == [202, 200, 202]


@pytest.mark.parametrize("event", ["own", "other"])
async def test_what_asks_for_no_work_is_ignored_with_a_reason(bench: Bench, event: str) -> None:
    answer = await bench.send({"ticket_id": "T-1", "event": event})
    assert answer.status_code == 200
    assert set(answer.json()) == {"ignored"}
    assert "event" in answer.json()["ignored"]
    about_no_ticket = await bench.send({"event": event})
    assert about_no_ticket.status_code == 200
    assert await bench.only_run_is("T-2")


async def test_an_ignored_event_must_be_authentic_too(bench: Bench) -> None:
    assert_problem(await bench.send({"ticket_id": "T-1", "event": "other"}, signature="sha256=00"), 401)


async def test_an_unknown_tool_is_404(bench: Bench) -> None:
    assert_problem(await bench.send({"ticket_id": "T-1"}, path="/webhooks/telex/acme"), 404)
    assert_problem(await bench.send({"ticket_id": "T-1"}, path="/webhooks/telex"), 404)
    assert_problem(await bench.send({"ticket_id": "T-1"}, path=f"/webhooks/telex/{bench.tenant_id}"), 404)
    assert await bench.only_run_is("T-2")


async def test_other_paths_and_methods_are_refused(bench: Bench) -> None:
    assert_problem(await bench.http.get("/"), 404)
    assert_problem(await bench.send({}, path=bench.path + "/more"), 404)
    assert "POST" in (await bench.http.get(bench.path)).headers["allow"]
    assert_problem(await bench.http.get(bench.path), 405)


async def _chunks(raw: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), 65_536):
        yield raw[start : start + 65_536]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_be_as_large_as_the_limit_and_not_a_byte_larger(bench: Bench, chunked: bool) -> None:
    empty = len(json.dumps({"ticket_id": "T-1", "description": ""}))
    for ticket_id, size, status in (("T-1", LIMIT, 202), ("T-2", LIMIT + 1, 413)):
        raw = json.dumps({"ticket_id": ticket_id, "description": "x" * (size - empty)}).encode()
        assert len(raw) == size
        answer = await bench.http.post(
            bench.path,
            content=_chunks(raw) if chunked else raw,
            headers={"Content-Type": "application/json", "X-Signature": sign(bench.secret, raw)},
        )
        assert answer.status_code == status
    assert str(LIMIT) in assert_problem(answer, 413)["detail"]
    assert (await bench.send({"ticket_id": "T-3"})).status_code == 202
    runs = await bench.runs(at_least=2)
    assert {run.id.split(":")[2] for run in runs} == {"T-1", "T-3"}, "what was too large started nothing"


async def test_a_declared_length_over_the_limit_is_refused_before_the_body_comes(bench: Bench) -> None:
    url = bench.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"POST {bench.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {LIMIT + 1}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("chunked", [False, True])
async def test_the_sender_of_a_far_too_large_body_sees_the_answer(bench: Bench, chunked: bool) -> None:
    raw = b"x" * (25 * LIMIT)
    for path, status in ((bench.path, 413), ("/webhooks/telex/acme", 404)):
        answer = await bench.http.post(
            path, content=_chunks(raw) if chunked else raw, headers={"Content-Type": "application/json"}
        )
        assert_problem(answer, status)


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 202),
        ("application/json; charset=utf-8", 202),
        ("Application/JSON", 202),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("", 415),
    ],
)
async def test_only_json_is_taken(bench: Bench, content_type: str, status: int) -> None:
    answer = await bench.send({"ticket_id": "T-1"}, headers={"Content-Type": content_type})
    assert answer.status_code == status
    if status == 415:
        assert await bench.only_run_is("T-2")


async def test_a_compressed_body_is_415(bench: Bench) -> None:
    assert_problem(await bench.send({"ticket_id": "T-1"}, headers={"Content-Encoding": "gzip"}), 415)


BITING = {
    "empty": b"",
    "not JSON": b"{ticket_id: 1}",
    "array": b'["T-1"]',
    "string": b'"T-1"',
    "null": b"null",
    "number": b"1",
    "too deep": b'{"ticket_id":"T-1","d":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "too deep, not closed": b"[" * 500_000,
    "NaN": b'{"ticket_id":"T-1","n":NaN}',
    "Infinity": b'{"ticket_id":"T-1","n":-Infinity}',
    "overflow": b'{"ticket_id":"T-1","n":1e999}',
    "lone surrogate": b'{"ticket_id":"T-1","s":"\\ud800"}',
    "lone surrogate in a key": b'{"ticket_id":"T-1","\\udc00":1}',
    "huge integer": b'{"ticket_id":"T-1","n":' + b"9" * 5000 + b"}",
    "two tenants": b'{"ticket_id":"T-1","tenant_id":"acme","tenant_id":"other"}',
    "invalid UTF-8": b'{"ticket_id":"T-1","s":"\xff"}',
    "UTF-16": '{"ticket_id":"T-1"}'.encode("utf-16"),
}


@pytest.mark.parametrize("name", BITING)
async def test_a_body_that_bites_is_400_however_well_signed(bench: Bench, name: str) -> None:
    problem = assert_problem(await bench.send(BITING[name]), 400)
    assert "T-1" not in problem["detail"]
    assert await bench.only_run_is("T-2")


TENANTS_TO_REFUSE = (
    *("unknown", "other-tool", "gone", "to-come", "secretless", "misspelt", "rotated"),
    *("a" * 65, "a_b", "ä"),
)


async def test_the_log_says_why_a_delivery_is_refused(bench: Bench) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    bench.tenants.add("other-tool", "telex", secrets=(bench.secret,))
    bench.tenants.add("gone", TOOL, secrets=(bench.secret,), active_until=hour_ago)
    bench.tenants.add("secretless", TOOL)
    bench.tenants.add("rotated", TOOL, secrets=(WebhookSecret(SecretStr(bench.secret), not_after=hour_ago),))
    bench.tenants.add("misspelt", TOOL, secrets=(bench.secret,), settings=TenantSettings(signature_scheme="hmca"))
    body = {"ticket_id": "T-1"}
    with structlog.testing.capture_logs() as logs:
        for tenant_id in ("unknown", "a_b", "other-tool", "gone", "secretless", "rotated", "misspelt"):
            await bench.send(body, path=f"/webhooks/signed/{tenant_id}")
        await bench.send(body, path="/webhooks/signed")
        await bench.send({**body, "tenant_id": "gone"})
        await bench.send(body, signature="sha256=" + "0" * 64)
        await bench.send(body, headers={"Content-Type": "text/plain"})
    assert [(line["status"], line["why"]) for line in logs if line["event"] == "delivery"] == [
        (401, "unknown tenant"),
        (401, "unknown tenant"),
        (401, "other tool"),
        (401, "inactive"),
        (401, "no secret"),
        (401, "no secret"),
        (401, "scheme"),
        (401, "unknown tenant"),
        (401, "body names another tenant"),
        (401, "signature"),
        (415, None),
    ]


async def test_every_failure_of_authentication_looks_the_same(bench: Bench) -> None:
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    bench.tenants.add("other-tool", "telex", secrets=(bench.secret,))
    bench.tenants.add("gone", TOOL, secrets=(bench.secret,), active_until=now - hour)
    bench.tenants.add("to-come", TOOL, secrets=(bench.secret,), active_from=now + hour)
    bench.tenants.add("secretless", TOOL)
    bench.tenants.add("misspelt", TOOL, secrets=(bench.secret,), settings=TenantSettings(signature_scheme="hmca"))
    bench.tenants.add("rotated", TOOL, secrets=(WebhookSecret(SecretStr(bench.secret), not_after=now - hour), "new"))
    body = {"ticket_id": "T-1"}
    refusals = [
        await bench.send(body, signature=""),
        await bench.send(body, signature="sha256=" + "0" * 64),
        await bench.send(body, signature=sign("another secret", json.dumps(body).encode())),
        await bench.send(body, headers={"X-Signature": ""}),
        await bench.send({**body, "tenant_id": "secretless"}),
        await bench.send({**body, "tenant_id": ""}),
        *[await bench.send(body, path=f"/webhooks/signed/{tenant_id}") for tenant_id in TENANTS_TO_REFUSE],
        await bench.send(body, path="/webhooks/signed"),
        await bench.send({**body, "tenant_id": "unknown"}, path="/webhooks/signed"),
        await bench.send({**body, "tenant_id": None}, path="/webhooks/signed"),
        await bench.send({**body, "tenant_id": 7}, path="/webhooks/signed"),
        await bench.send({**body, "tenant_id": [bench.tenant_id]}, path="/webhooks/signed"),
        await bench.send({**body, "tenant_id": bench.tenant_id + "\n"}, path="/webhooks/signed"),
    ]
    for refusal in refusals:
        assert_problem(refusal, 401)
        assert refusal.headers["www-authenticate"]
    assert len({refusal.content for refusal in refusals}) == 1
    assert len({tuple(sorted(set(refusal.headers) - {"date"})) for refusal in refusals}) == 1
    assert await bench.only_run_is("T-2")


class CarelessTool(SignedTool):
    """A plugin that takes every signature for good and asks nothing about the tenant."""

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        return True


async def test_the_door_itself_holds_a_careless_plugin_to_its_active_tenants(bench: Bench) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    bench.tenants.add("other-tool", "telex")
    bench.tenants.add("gone", TOOL, active_until=hour_ago)
    plugins = {TOOL: CarelessTool(bench.tenants, bench.http)}
    app = create_app(plugins, bench.tenants, TemporalRuns(bench.temporal, bench.tenant_id), Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://starter") as http:
        for tenant_id in ("unknown", "other-tool", "gone"):
            assert_problem(await http.post(f"/webhooks/signed/{tenant_id}", json={"ticket_id": "T-1"}), 401)
        assert (await http.post(bench.path, json={"ticket_id": "T-1"})).status_code == 202


class FetchingTool(SignedTool):
    """A plugin that must fetch something to judge a signature, and cannot."""

    error: PluginError

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        raise self.error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValidationError("signature: is malformed"), 401),
        (ConfigurationError("tenant: does not exist"), 401),
        (AuthenticationError("no"), 401),
        (APIError("the key server is down"), 503),
    ],
)
async def test_a_plugin_that_could_not_look_is_503_and_one_that_refuses_401(
    bench: Bench, error: PluginError, status: int
) -> None:
    plugin = FetchingTool(bench.tenants, bench.http)
    plugin.error = error
    app = create_app({TOOL: plugin}, bench.tenants, TemporalRuns(bench.temporal, bench.tenant_id), Settings())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://starter") as http:
        assert_problem(await http.post(bench.path, json={"ticket_id": "T-1"}), status)


TAMPERED = {
    "white space": b'{"ticket_id": "T-1","priority":"low"}',
    "order of keys": b'{"priority":"low","ticket_id":"T-1"}',
    "unicode escape": b'{"ticket_id":"\\u0054-1","priority":"low"}',
    "line end": b'{"ticket_id":"T-1","priority":"low"}\n',
    "content": b'{"ticket_id":"T-2","priority":"low"}',
}


@pytest.mark.parametrize("name", TAMPERED)
async def test_a_body_that_was_touched_is_401(bench: Bench, name: str) -> None:
    signature = sign(bench.secret, b'{"ticket_id":"T-1","priority":"low"}')
    assert_problem(await bench.send(TAMPERED[name], signature=signature), 401)
    assert await bench.only_run_is("T-3")


async def test_an_authentic_but_unusable_body_is_422_naming_the_field(bench: Bench) -> None:
    missing = assert_problem(await bench.send({"description": "printer on fire"}), 422)
    assert missing["detail"] == "ticket_id: is missing"
    long = assert_problem(await bench.send({"ticket_id": "T" * 101}), 422)
    assert "ticket_id" in long["detail"]
    assert "TTT" not in long["detail"]
    assert await bench.only_run_is("T-2")


@pytest.mark.parametrize("answers", [0, 1], ids=["for the door", "for the plugin"])
async def test_a_store_that_cannot_say_is_503_and_never_401(bench: Bench, answers: int) -> None:
    for path in (bench.path, "/webhooks/signed/unknown"):
        bench.tenants.answers_left = answers
        problem = assert_problem(refusal := await bench.send({"ticket_id": "T-1"}, path=path), 503)
        assert refusal.headers["retry-after"] == "30"
        assert "password" not in problem["detail"]
    bench.tenants.answers_left = None
    assert await bench.only_run_is("T-2")


async def test_a_broken_plugin_is_500_without_details_and_logged_without_content(bench: Bench) -> None:
    with structlog.testing.capture_logs() as logs:
        problem = assert_problem(await bench.send({"explode": "printer on fire"}), 500)
    assert "printer" not in json.dumps(problem)
    assert "printer" not in repr(logs)
    (broken,) = [entry for entry in logs if entry["event"] == "delivery.failed"]
    assert broken["error"] == "KeyError"
    assert "extract_metadata" in broken["where"]
    assert await bench.only_run_is("T-2")


async def test_each_answer_is_one_log_line(bench: Bench) -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        await bench.send({"ticket_id": "T-1", "description": "printer on fire"}, headers={DELIVERY_ID: "d-\t1"})
        await bench.send({"ticket_id": "T-1"})
        await bench.send({"ticket_id": "T-1", "event": "own"})
        await bench.send({"ticket_id": "T-1"}, signature="")
    lines = [entry for entry in logs if entry["event"] == "delivery"]
    assert [(line["answer"], line["status"]) for line in lines] == [
        ("started", 202),
        ("repeated", 200),
        ("ignored", 200),
        ("refused", 401),
    ]
    assert lines[0]["delivery_id"] == "d-1"
    assert "printer" not in repr(logs)
    assert "sha256=" not in repr(logs)


DELIVERY_ID = "X-Atlassian-Webhook-Identifier"


async def test_health_and_readiness(bench: Bench) -> None:
    assert (await bench.http.get("/healthz")).status_code == 200
    ready = await bench.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"tenants": "ok", "temporal": "ok"})
    bench.tenants.answers_left = 0
    not_ready = await bench.http.get("/readyz")
    assert not_ready.status_code == 503
    assert not_ready.json() == {"tenants": "does not answer", "temporal": "ok"}
    assert (await bench.http.get("/healthz")).status_code == 200
