"""One signed webhook in, one private note out: through the door, across processes, for each tool."""

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError

from deskhand.crypto.codec import ENCODING
from deskhand.devstack.temporal import NAMESPACE, temporal_binary
from tests.support.desk import EDITIONS, PRETEND, TOOLS, Desk, Tenant, note_text
from workflows import policies
from workflows.contracts import Outcome

SUBJECT = "Scanner in Nauheim sends empty mails"
DESCRIPTION = "Each scan arrives without its attachment, says Quillon Farnsworth."
REQUESTER = "Quillon Farnsworth"


async def posted(desk: Desk, tenant: Tenant, ticket_id: str) -> None:
    """Wait for the run of a ticket and see its one note."""
    result = await desk.handle(tenant.run(ticket_id)).result()
    assert result.outcome is Outcome.POSTED
    (note,) = await tenant.vendor.notes(ticket_id)
    assert note["private"] is True
    assert tenant.ref(ticket_id) in note_text(note)


@pytest.mark.parametrize(("tool", "edition"), EDITIONS)
async def test_a_new_ticket_gets_one_private_note(desk: Desk, tool: str, edition: str) -> None:
    tenant = await desk.tenant(tool, edition=edition)
    needed = PRETEND[tool].ticket_fields.get(edition, {})
    ticket_id = await tenant.vendor.ticket(SUBJECT, DESCRIPTION, announce=True, **needed)
    await posted(desk, tenant, ticket_id)


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_resolved_ticket_is_learned_from_and_named_in_the_next_note(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    old = await tenant.vendor.ticket(SUBJECT, DESCRIPTION)
    await tenant.vendor.resolve(old, "Raised the attachment limit of the relay.")
    answer = await desk.send(await desk.signed(tenant, old, "resolved"))
    assert answer.status_code == 202
    assert (await desk.handle(answer.json()["run"]).result()).outcome is Outcome.RECORDED

    new = await tenant.vendor.ticket(SUBJECT, DESCRIPTION, announce=True)
    await posted(desk, tenant, new)
    (note,) = await tenant.vendor.notes(new)
    assert old in note_text(note)
    assert "Raised the attachment limit of the relay" in note_text(note)


@pytest.mark.parametrize("tool", TOOLS)
async def test_twenty_deliveries_at_once_and_one_by_the_other_route_make_one_run_and_one_note(
    desk: Desk, tool: str
) -> None:
    tenant = await desk.tenant(tool)
    if tool == "zendesk":  # its trigger webhooks have a body that can name the tenant, its event webhooks have not
        await tenant.vendor.webhook(tenant.webhook_url, tenant.webhook_secret, tenant.id)
    ticket_id = await tenant.vendor.ticket(SUBJECT, DESCRIPTION)
    deliveries = [await desk.signed(tenant, ticket_id) for _ in range(20)]
    if tool != "servicedesk_plus":  # it sends no delivery id
        assert len({json.dumps(delivery.headers, sort_keys=True) for delivery in deliveries}) == 20
    answers = await asyncio.gather(*map(desk.send, deliveries))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [202]
    assert {answer.json()["run"] for answer in answers} == {tenant.run(ticket_id)}
    if tool != "jira":  # Jira's body is fixed: it cannot name the tenant
        other_route = f"{desk.stack.addresses.starter}/webhooks/{tool}"
        again = await desk.http.post(other_route, headers=deliveries[0].headers, content=deliveries[0].raw)
        assert (again.status_code, again.json()["run"]) == (200, tenant.run(ticket_id))
    await posted(desk, tenant, ticket_id)
    after = await desk.send(await desk.signed(tenant, ticket_id))
    assert after.status_code == 200, "a finished run counts, too"
    assert await desk.runs_of(tenant) == 1


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(lambda raw: raw + b" ", id="whitespace"),
        pytest.param(lambda raw: json.dumps(dict(reversed(json.loads(raw).items()))).encode(), id="key order"),
        pytest.param(lambda raw: raw.replace(b"Scanner", rb"\u0053canner"), id="unicode escape"),
    ],
)
async def test_a_tampered_body_is_refused_at_the_door(desk: Desk, tool: str, tamper: Callable[[bytes], bytes]) -> None:
    # The default scheme of ServiceDesk Plus is a shared secret in a header, which protects no body.
    tenant = await desk.tenant(tool, signature_scheme="hmac" if tool == "servicedesk_plus" else None)
    ticket_id = await tenant.vendor.ticket(SUBJECT, DESCRIPTION)
    signed = await desk.signed(tenant, ticket_id)
    tampered = tamper(signed.raw)
    assert tampered != signed.raw
    assert (await desk.send(signed.with_body(tampered))).status_code == 401
    assert (await desk.send(signed)).status_code == 202, "the same call untampered"
    await posted(desk, tenant, ticket_id)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("padding", ["many small things", "one long description", "control characters"])
async def test_a_body_near_the_size_limit_gets_its_note(desk: Desk, tool: str, padding: str) -> None:
    """Its metadata takes longer than the budget, or would outgrow a payload if it were kept whole."""
    tenant = await desk.tenant(tool)
    ticket_id = await tenant.vendor.ticket(SUBJECT, DESCRIPTION)
    signed = await desk.signed(tenant, ticket_id)
    if padding == "many small things":
        body = json.loads(signed.raw)
        body["padding"] = [{"name": "x" * 20, "value": number} for number in range(20_000)]
        raw = json.dumps(body).encode()
    else:
        raw = signed.raw.replace(b"Each scan", (b"Each scan " if padding.startswith("one") else b"\x01" * 10) * 90_000)
    assert 850_000 < len(raw) < 1024 * 1024
    answer = await desk.send(signed.again(tenant, raw))
    assert answer.status_code == 202
    await posted(desk, tenant, ticket_id)


async def test_our_own_note_starts_nothing(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.webhook(tenant.webhook_url, tenant.webhook_secret)
    ticket_id = await tenant.vendor.ticket(SUBJECT, DESCRIPTION, announce=True)
    await posted(desk, tenant, ticket_id)
    assert await desk.runs_of(tenant) == 1


async def test_two_tenants_of_one_host_are_never_mixed_up(desk: Desk) -> None:
    one, other = await desk.tenant("zendesk"), await desk.tenant("zendesk")
    before = len(await one.vendor.log())
    for tenant in (one, other, one, other):
        await tenant.vendor.webhook(tenant.webhook_url, tenant.webhook_secret)
        await posted(desk, tenant, await tenant.vendor.ticket(SUBJECT, DESCRIPTION, announce=True))
    calls = (await one.vendor.log())[before:]
    assert [call["cookies"] for call in calls] == [{}] * len(calls), "though every answer set one"
    accounts = [call["account"] for call in calls]
    assert accounts == [account for tenant in (one, other, one, other) for account in [tenant.account_id] * 5]


@pytest.mark.parametrize("tool", TOOLS)
async def test_the_history_shows_the_way_and_hides_the_words(desk: Desk, tool: str) -> None:
    tenant = await desk.tenant(tool)
    ticket_id = await tenant.vendor.ticket(SUBJECT, DESCRIPTION, requester=REQUESTER, announce=True)
    await posted(desk, tenant, ticket_id)
    shown = raw_history(desk, tenant.run(ticket_id))
    events = json.loads(shown)["events"]

    scheduled = [
        e["activityTaskScheduledEventAttributes"] for e in events if "activityTaskScheduledEventAttributes" in e
    ]
    assert [(a["activityType"]["name"], seconds(a["startToCloseTimeout"])) for a in scheduled] == [
        ("get_ticket", 2),
        ("gather_context", 5),
        ("write_note", 5),
        ("update_ticket", 5),
    ]
    local = [e for e in events if e.get("markerRecordedEventAttributes", {}).get("markerName") == "core_local_activity"]
    assert len(local) == 2
    assert len(events) <= 40

    summaries = [e["userMetadata"]["summary"] for e in events if "summary" in e.get("userMetadata", {})]
    assert len(summaries) == 1 + 4 + 2, "one for the run and one for each activity"
    opened = await opened_history(desk, tenant.run(ticket_id))
    for policy in (policies.VALIDATE_WEBHOOK, policies.EXTRACT_METADATA, policies.GET_TICKET, policies.UPDATE_TICKET):
        assert policy.summary in opened

    secrets = (SUBJECT, DESCRIPTION, REQUESTER, "Nauheim", "Farnsworth", *tenant.credentials, tenant.webhook_secret)
    for secret in (*secrets, "What this looks like"):
        assert secret not in shown
    for word in ("Nauheim", "Farnsworth", "What this looks like"):
        assert word in opened, "the same history, opened with the key, has them"
    assert not any(credential in opened for credential in tenant.credentials)
    assert tenant.webhook_secret not in opened


async def test_failures_are_hidden_in_the_history_and_readable_with_the_key(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=400)
    ticket_id = await tenant.vendor.ticket(SUBJECT, DESCRIPTION, announce=True)
    handle = desk.handle(tenant.run(ticket_id))
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    shown = raw_history(desk, tenant.run(ticket_id))
    assert "answered 400" not in shown
    assert "PermanentAPIError" in shown, "the type is plain by design"
    assert "answered 400" in await opened_history(desk, tenant.run(ticket_id))


def raw_history(desk: Desk, run: str) -> str:
    """What `temporal workflow show -o json` prints, without the key."""
    return subprocess.run(
        [
            *(str(temporal_binary()), "workflow", "show", "-o", "json", "-w", run),
            *("--address", desk.stack.addresses.temporal, "--namespace", NAMESPACE),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


async def opened_history(desk: Desk, run: str) -> str:
    """What is encrypted in the history, opened, as text."""
    history = await desk.client.get_workflow_handle(run).fetch_history()
    codec = desk.client.data_converter.payload_codec
    assert codec is not None
    opened = await codec.decode(list(encrypted(history.to_json_dict())))
    return "\n".join(payload.data.decode() for payload in opened)


def encrypted(tree: Any) -> Iterator[Payload]:
    """Every encrypted payload in a history. Search attributes are payloads, too, and plain by design."""
    if isinstance(tree, list):
        for part in tree:
            yield from encrypted(part)
    elif isinstance(tree, dict):
        encoding = base64.b64decode(tree.get("metadata", {}).get("encoding", "")) if "data" in tree else b""
        if encoding == ENCODING:
            yield Payload(metadata={"encoding": encoding}, data=base64.b64decode(tree["data"]))
        else:
            for part in tree.values():
                yield from encrypted(part)


def seconds(duration: str) -> float:
    """Seconds of a duration as protobuf's JSON writes it."""
    return float(duration.removesuffix("s"))
