"""How a run ends where nothing has to be waited for, on a real server. Worker, store and vendors are processes."""

import json
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import WorkflowExecutionStatus

from plugins.types import TenantMode
from tests.support.desk import TOOLS, Desk, note_text, outcome
from tests.workflows.seen import calls, failure, waited_for, waiting_for
from workflows.contracts import Outcome


@pytest.mark.parametrize("tool", TOOLS)
async def test_posted(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    ticket_id, handle = await desk.new_run(tenant)
    result = await handle.result()
    assert (result.outcome, result.ref) == (Outcome.POSTED, tenant.ref(ticket_id))
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"] is True
    assert note_text(note).rstrip().endswith(tenant.ref(ticket_id))
    seen = await handle.describe()
    assert (seen.status, outcome(seen)) == (WorkflowExecutionStatus.COMPLETED, "posted")
    assert await waited_for(desk, handle) == []


async def test_dry_run_writes_the_note_into_the_run_and_nowhere_else(desk: Desk) -> None:
    tenant = await desk.tenant("jira", mode=TenantMode.DRY_RUN)
    ticket_id, handle = await desk.new_run(tenant)
    result = await handle.result()
    assert result.outcome is Outcome.DRY_RUN
    assert tenant.ref(ticket_id) in result.note
    assert await tenant.vendor.notes(ticket_id) == []
    assert await calls(tenant, "post_note") == []
    assert outcome(await handle.describe()) == "dry_run"


async def test_an_event_that_asks_for_no_note_is_ignored(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await tenant.vendor.ticket()
    await tenant.vendor.resolve(ticket_id, "Done.")
    handle = await desk.start_past_the_door(tenant, await desk.signed(tenant, ticket_id, "resolved"), ticket_id)
    result = await handle.result()
    assert (result.outcome, result.detail) == (Outcome.IGNORED, "the event is resolved")
    assert await tenant.vendor.notes(ticket_id) == []
    assert outcome(await handle.describe()) == "ignored"


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_ticket_that_is_gone_is_not_found(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    await tenant.vendor.fault("get_ticket", "status", status=404)
    _, handle = await desk.new_run(tenant)
    result = await handle.result()
    assert (result.outcome, result.detail) == (Outcome.NOT_FOUND, f"{tool} has no such ticket")
    assert outcome(await handle.describe()) == "not_found"


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_closed_ticket_refuses_and_the_run_says_so(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    await tenant.vendor.close(ticket_id)
    handle = await desk.start_past_the_door(tenant, signed, ticket_id)
    result = await handle.result()
    assert result.outcome is Outcome.REFUSED
    assert result.detail
    assert await tenant.vendor.notes(ticket_id) == []
    assert outcome(await handle.describe()) == "refused"


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(lambda raw: raw + b" ", id="whitespace"),
        pytest.param(lambda raw: json.dumps(dict(reversed(json.loads(raw).items()))).encode(), id="key order"),
        pytest.param(lambda raw: raw.replace(b"VPN", rb"\u0056PN"), id="a unicode escape"),
    ],
)
async def test_a_tampered_body_is_rejected_in_a_run_started_past_the_door(desk: Desk, tool: str, tamper: Any) -> None:
    # The default scheme of ServiceDesk Plus is a shared secret in a header, which protects no body.
    tenant = await desk.tenant(tool, signature_scheme="hmac" if tool == "servicedesk_plus" else None)
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    tampered = signed.with_body(tamper(signed.raw))
    assert tampered.raw != signed.raw
    rejected = await desk.start_past_the_door(tenant, tampered, ticket_id)
    error = await failure(rejected)
    assert error.type == "rejected"
    assert await tenant.vendor.notes(ticket_id) == []
    seen = await rejected.describe()
    assert (seen.status, outcome(seen)) == (WorkflowExecutionStatus.FAILED, "rejected")
    untampered = await desk.start_past_the_door(tenant, signed, ticket_id)
    assert (await untampered.result()).outcome is Outcome.POSTED


async def test_a_run_for_an_inactive_tenant_is_rejected(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await desk.admin.deactivate(tenant.id)
    _, handle = await desk.new_run(tenant)
    assert (await failure(handle)).type == "rejected"


async def test_a_delivery_that_names_another_tenant_is_rejected(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    raw = json.dumps({**json.loads(signed.raw), "tenant_id": "t-other"}).encode()
    handle = await desk.start_past_the_door(tenant, signed.again(tenant, raw), ticket_id)
    assert (await failure(handle)).type == "rejected"
    assert await calls(tenant, "get_ticket") == []


async def test_an_authentic_delivery_that_cannot_be_read_fails_naming_the_field(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    raw = json.dumps({**json.loads(signed.raw), "issue": {"key": 7}}).encode()
    handle = await desk.start_past_the_door(tenant, signed.again(tenant, raw), ticket_id)
    error = await failure(handle)
    assert error.type == "failed"
    assert "extract_metadata: " in error.message
    assert "issue" in error.message
    assert outcome(await handle.describe()) == "failed"
    assert await waiting_for(handle) is None


async def test_a_secret_newer_than_what_the_worker_remembers_counts(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    _, first = await desk.new_run(tenant)
    assert (await first.result()).outcome is Outcome.POSTED
    # From here on the worker has the tenant in memory, for seconds.
    renewed = replace(tenant, webhook_secret=f"planted-{secrets.token_hex(12)}")
    await desk.admin.rotate_secret(tenant.id, SecretStr(renewed.webhook_secret), timedelta(0))
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    handle = await desk.start_past_the_door(renewed, signed.again(renewed, signed.raw), ticket_id)
    assert (await handle.result()).outcome is Outcome.POSTED


async def test_a_delivery_from_before_another_signature_scheme_counts(desk: Desk) -> None:
    tenant = await desk.tenant("servicedesk_plus")
    ticket_id = await tenant.vendor.ticket()
    signed = await desk.signed(tenant, ticket_id)
    stored = await desk.admin.read(tenant.id)
    settings = stored.settings.model_copy(update={"signature_scheme": "hmac"})
    await desk.admin.change(stored, stored.with_changes(settings=settings))
    handle = await desk.start_past_the_door(tenant, signed, ticket_id)
    assert (await handle.result()).outcome is Outcome.POSTED
