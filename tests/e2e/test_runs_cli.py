"""`deskhand runs` and `deskhand tenant pause` as an operator runs them: processes, on the whole stack."""

import asyncio
import json
import re
import signal
from collections.abc import Mapping
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import create_pool
from deskhand.devstack.waiting import came_true
from deskhand.runs.order import Order
from deskhand.runs.spool import Spool
from deskhand.settings import Settings
from plugins.types import TenantMode
from tests.support.command_line import deskhand, started
from tests.support.desk import Desk, Tenant, outcome
from workflows.contracts import ENHANCE_TICKET, Delivery, Outcome, Patience, RunInput, RunResult
from workflows.search_attributes import WAITING_FOR

NEVER = Patience(first=(10**8,), hourly=10**8, hourly_until=0, later=10**8, deadline=10**9)
"""Of a run that wakes only when it is told to."""
SUBJECT = "Planted subject of a ticket 7719"

Handle = WorkflowHandle[Any, RunResult]


async def waits(handle: Handle) -> str | None:
    """What a run waits for."""
    return (await handle.describe()).typed_search_attributes.get(WAITING_FOR)


async def parked(desk: Desk, tenant: Tenant, count: int = 1) -> list[tuple[str, Handle]]:
    """Runs that are parked until they are told to go on, listed as such; the tenant's tool has to be at fault."""
    runs = [await desk.new_run_in_real_time(tenant, patience=NEVER, subject=SUBJECT) for _ in range(count)]

    async def listed() -> bool:
        listing = f"DeskhandTenant = '{tenant.id}' AND DeskhandWaitingFor IS NOT NULL"
        return (await desk.client.count_workflows(listing)).count >= count

    assert await came_true(listed, seconds=30)
    return runs


async def failed(desk: Desk, tenant: Tenant) -> tuple[str, Handle]:
    """A run that has failed, started by a webhook."""
    await tenant.vendor.fault("get_ticket", "status", status=400)
    ticket_id = await tenant.vendor.ticket(SUBJECT)
    assert (await desk.send(await desk.signed(tenant, ticket_id))).status_code == 202
    handle = desk.handle(tenant.run(ticket_id))
    assert await came_true(lambda: ended_as(handle, "failed"), seconds=30)
    await listed_as(desk, tenant, "failed")
    return ticket_id, handle


async def ended_as(handle: Handle, wanted: str) -> bool:
    return outcome(await handle.describe()) == wanted


async def listed_as(desk: Desk, tenant: Tenant, wanted: str, count: int = 1) -> None:
    """Wait until the visibility store knows."""

    async def known() -> bool:
        query = f"DeskhandTenant = '{tenant.id}' AND DeskhandOutcome = '{wanted}'"
        return (await desk.client.count_workflows(query)).count >= count

    assert await came_true(known, seconds=30)


async def test_a_run_that_posted_in_the_list_and_as_a_story(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await tenant.vendor.ticket(SUBJECT)
    assert (await desk.send(await desk.signed(tenant, ticket_id))).status_code == 202
    run = tenant.run(ticket_id)
    await desk.handle(run).result()
    await listed_as(desk, tenant, "posted")

    done = await deskhand(desk, "runs", "list", "--tenant", tenant.id)
    assert (done.code, done.err, len(done.lines)) == (0, "", 1)
    assert re.fullmatch(rf"{re.escape(run)}  posted  ended [\w. ]+ ago", done.lines[0])

    done = await deskhand(desk, "runs", "show", run)
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == f"{run}: posted"
    assert (
        done.lines[1]
        == f"EnhanceTicket for ticket {ticket_id} of tenant {tenant.id} (jira), ref {tenant.ref(ticket_id)}"
    )
    assert [line.split()[0] for line in done.lines[3:-3]] == [
        *("validate_webhook", "extract_metadata", "get_ticket", "gather_context", "write_note", "update_ticket")
    ]
    assert re.search(r"^  update_ticket +ok +1 attempt, [\w. ]+: posted$", done.out, re.MULTILINE)
    assert done.lines[-3].endswith(": posted")
    assert done.lines[-2] == "To go on: nothing: it is done"
    run_id = (await desk.handle(run).describe()).run_id
    assert done.lines[-1] == desk.stack.addresses.run(run, run_id)
    assert SUBJECT not in done.out

    done = await deskhand(desk, "runs", "show", run, "--json", DESKHAND_TEMPORAL_UI_URL=None)
    told = json.loads(done.out)
    assert (told["outcome"], told["temporal_ui"], told["waits"]) == ("posted", None, None)
    assert [step["state"] for step in told["steps"]] == ["ok"] * 6


async def test_the_list_is_filtered_and_says_how_many_more_there_are(desk: Desk) -> None:
    tenant, other = await desk.tenant("jira"), await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    await other.vendor.fault("get_ticket", "status", times=None, status=401)
    runs = await parked(desk, tenant, 3)
    await parked(desk, other)
    newest = tenant.run(runs[-1][0])

    done = await deskhand(desk, "runs", "list", "--tenant", tenant.id, "--limit", "1")
    assert done.lines[0].startswith(f"{newest}  waiting: credentials  started ")
    assert done.lines[1].startswith("… and 2 more")

    async def found(*options: str) -> int:
        done = await deskhand(desk, "runs", "list", "--tenant", tenant.id, "--json", *options)
        assert done.code == 0, done
        return len(json.loads(done.out)["runs"])

    assert await found("--waiting-for", "any", "--tool", "jira") == 3
    assert await found("--waiting-for", "credentials") == 3
    assert await found("--waiting-for", "vendor") == 0
    assert await found("--outcome", "posted") == 0
    assert await found("--older-than", "1d") == 0
    assert await found("--tool", "zendesk") == 0
    assert await found("--tool", f"zendesk' OR DeskhandTenant = '{tenant.id}") == 0
    assert await found("--tool", "zendesk\\") == 0
    nothing = await deskhand(desk, "runs", "list", "--tenant", tenant.id, "--tool", "zendesk")
    assert nothing.lines == ["no such runs"]


async def test_a_parked_run_tells_why_it_waits_and_goes_on_when_told_to(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    ((ticket_id, handle),) = await parked(desk, tenant)
    run = tenant.run(ticket_id)

    done = await deskhand(desk, "runs", "show", run)
    assert done.lines[0] == f"{run}: waiting: credentials"
    assert re.search(
        r"^  get_ticket +failed +1 attempt, .*: AuthenticationError: jira answered 401", done.out, re.MULTILINE
    )
    assert re.search(
        r"^Waits \(credentials\) since .* UTC \(.*\); wakes by itself .* UTC \(in .*\)$", done.out, re.MULTILINE
    )
    assert f"To go on: `deskhand plugins check --tenant {tenant.id}`" in done.out
    assert f"`deskhand runs resume {run}`" in done.out

    too_early = await deskhand(desk, "runs", "resume", run)
    assert (too_early.code, too_early.out) == (0, f"{run}: resumed (waiting: credentials)\n")

    async def tried_again() -> bool:
        told = json.loads((await deskhand(desk, "runs", "show", run, "--json")).out)
        return (told["steps"][-1]["attempts"], told["steps"][-1]["wakes"], told["resumed"]) == (2, 1, 1)

    assert await came_true(tried_again, seconds=30)
    assert await waits(handle) == "credentials"

    await desk.clear_faults()
    only = await deskhand(desk, "runs", "resume", run, "--dry-run")
    assert only.out == f"{run}: would be resumed (waiting: credentials)\n"
    assert (await deskhand(desk, "runs", "resume", run)).code == 0
    assert (await handle.result()).outcome == "posted"
    assert len(await tenant.vendor.notes(ticket_id)) == 1
    again = await deskhand(desk, "runs", "resume", run)
    assert again.failed_with(f"{run}: has ended (posted); `deskhand runs retry` starts it again"), again


async def test_a_run_that_waits_for_privacy_is_resumed_only_by_name_or_reason(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("post_note", "public", times=None)
    ((ticket_id, _),) = await parked(desk, tenant)
    before = len(await tenant.vendor.log())

    done = await deskhand(desk, "runs", "resume", "--tenant", tenant.id)
    assert (done.code, done.out) == (0, f"0 runs of {tenant.id} resumed\n")
    assert [call for call in (await tenant.vendor.log())[before:] if call["operation"] == "post_note"] == []

    await tenant.vendor.clear_faults()
    done = await deskhand(desk, "runs", "resume", "--tenant", tenant.id, "--waiting-for", "privacy")
    assert (done.code, done.out) == (0, f"1 run of {tenant.id} resumed\n")
    assert (await desk.handle(tenant.run(ticket_id)).result()).outcome is Outcome.POSTED


async def test_one_that_cannot_be_resumed_keeps_none_of_the_others_from_it(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    ((ticket_id, handle),) = await parked(desk, tenant)
    await desk.clear_faults()
    await tenant.vendor.fault("get_ticket", "slow", seconds=1.4)
    at_work, other = await desk.new_run_in_real_time(tenant)
    done = await deskhand(desk, "runs", "resume", tenant.run(at_work), "nosuch", tenant.run(ticket_id))
    assert done.code == 1
    assert done.out == f"{tenant.run(ticket_id)}: resumed (waiting: credentials)\n"
    assert "nosuch: there is no such run" in done.err
    await asyncio.gather(handle.result(), other.result())


async def test_ctrl_c_stops_a_long_resume_says_how_far_it_came_and_the_next_does_the_rest(desk: Desk) -> None:
    tenant, other = await desk.tenant("jira"), await desk.tenant("zendesk")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    await other.vendor.fault("get_ticket", "status", times=None, status=401)
    runs = await parked(desk, tenant, 40)
    ((_, bystander),) = await parked(desk, other)
    await desk.clear_faults()

    only = await deskhand(desk, "runs", "resume", "--tenant", tenant.id, "--dry-run")
    assert only.lines[-1] == "40 runs would be resumed"
    assert {line.split()[0] for line in only.lines[:-1]} == {tenant.run(ticket_id) for ticket_id, _ in runs}
    assert [await waits(handle) for _, handle in runs] == ["credentials"] * 40

    process = await started(desk, "runs", "resume", "--tenant", tenant.id, "--waiting-for", "credentials")
    assert process.stderr is not None
    progress = (await process.stderr.readline()).decode()
    how_far = re.fullmatch(r"(\d+) of 40 runs resumed, at most 5 a second\n", progress)
    assert how_far, progress
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    stopped = re.fullmatch(
        r"deskhand: interrupted: (\d+) of 40 runs resumed; the others are as they were\n", err.decode()
    )
    assert stopped, err
    assert process.returncode == 130
    assert int(how_far[1]) <= int(stopped[1]) < 40

    rest = await deskhand(desk, "runs", "resume", "--tenant", tenant.id)
    assert re.fullmatch(rf"\d+ runs of {tenant.id} resumed(; \d+ had ended or gone on meanwhile)?\n", rest.out)
    results = await asyncio.gather(*(handle.result() for _, handle in runs))
    assert {result.outcome for result in results} == {"posted"}
    assert [len(await tenant.vendor.notes(ticket_id)) for ticket_id, _ in runs] == [1] * 40
    assert await waits(bystander) == "credentials"


async def test_cancelling_is_for_those_named_and_for_those_that_wait_for_something(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    runs = await parked(desk, tenant, 3)
    one = tenant.run(runs[0][0])
    assert (await deskhand(desk, "runs", "cancel", one)).out == f"{one}: asked to end (waiting: credentials)\n"
    assert await came_true(lambda: ended_as(runs[0][1], "cancelled"), seconds=30)
    await listed_as(desk, tenant, "cancelled")
    again = await deskhand(desk, "runs", "cancel", one)
    assert again.failed_with(f"{one}: has ended (cancelled) already"), again
    shown = await deskhand(desk, "runs", "show", one)
    assert shown.lines[0] == f"{one}: cancelled"
    assert f"To go on: `deskhand runs retry {one}` starts it again" in shown.lines

    unbounded = await deskhand(desk, "runs", "cancel", "--tenant", tenant.id)
    assert unbounded.failed_with("--waiting-for: is needed beside --tenant"), unbounded
    which = ("--tenant", tenant.id, "--waiting-for")
    assert (await deskhand(desk, "runs", "cancel", *which, "vendor")).out == f"0 runs of {tenant.id} asked to end\n"
    only = await deskhand(desk, "runs", "cancel", *which, "any", "--dry-run")
    assert only.lines[-1] == "2 runs would be asked to end"
    assert await waits(runs[1][1]) == "credentials"
    assert (await deskhand(desk, "runs", "cancel", *which, "any")).out == f"2 runs of {tenant.id} asked to end\n"
    for _, handle in runs[1:]:
        assert await came_true(lambda handle=handle: ended_as(handle, "cancelled"), seconds=30)  # type: ignore[misc]


async def given_to(desk: Desk, handle: Handle) -> tuple[RunInput, str, int]:
    """A run's input, the delivery's id and the priority."""
    history = await handle.fetch_history()
    first = history.events[0].workflow_execution_started_event_attributes
    (given,) = await desk.client.data_converter.decode(first.input.payloads, [RunInput])
    (delivery_id,) = await desk.client.data_converter.decode([first.memo.fields["delivery_id"]], [str])
    return given, delivery_id, first.priority.priority_key


async def test_a_failed_run_is_started_again_with_its_delivery(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id, handle = await failed(desk, tenant)
    run = tenant.run(ticket_id)
    before = await given_to(desk, handle)
    first_run_id = (await handle.describe()).run_id
    shown = await deskhand(desk, "runs", "show", run)
    assert re.search(r"^Ended .*: failed: get_ticket: jira answered 400", shown.out, re.MULTILINE)
    assert f"To go on: `deskhand runs retry {run}` starts it again" in shown.lines

    done = await deskhand(desk, "runs", "retry", run)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(rf"{re.escape(run)}  failed  ended .* ago", done.lines[0])
    assert done.lines[1].startswith(f"{run}: started again")
    assert (await handle.result()).outcome == "posted"
    assert await given_to(desk, handle) == before
    second_run_id = (await handle.describe()).run_id
    assert second_run_id != first_run_id
    assert len(await tenant.vendor.notes(ticket_id)) == 1

    # Whatever its outcome: the note is found, and stays the only one.
    done = await deskhand(desk, "runs", "retry", run)
    assert (done.code, done.lines[0].split()[1]) == (0, "posted")
    assert (await handle.describe()).run_id not in (first_run_id, second_run_id)
    assert (await handle.result()).outcome == "posted"
    assert len(await tenant.vendor.notes(ticket_id)) == 1


async def test_a_run_that_has_not_ended_is_not_started_again(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", times=None, status=401)
    ((ticket_id, handle),) = await parked(desk, tenant)
    run = tenant.run(ticket_id)
    done = await deskhand(desk, "runs", "retry", run)
    assert done.failed_with(f"{run}: has not ended (waiting: credentials); `deskhand runs resume`"), done
    assert await waits(handle) == "credentials"


async def test_what_nobody_sealed_is_not_started_again_under_our_seal(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    stranger = await Client.connect(desk.stack.addresses.temporal, namespace=desk.client.namespace)
    run = tenant.run("HELP-99")
    handle = await stranger.start_workflow(ENHANCE_TICKET, "{}", id=run, task_queue="nobody")
    await handle.terminate("planted")
    done = await deskhand(desk, "runs", "retry", run)
    assert (done.code, len(done.err.splitlines())) == (1, 1), done
    assert "does not open with DESKHAND_PAYLOAD_KEYS: a payload is not encrypted" in done.err
    assert (await handle.describe()).run_id == handle.first_execution_run_id


async def test_everything_that_failed_is_redriven_once(desk: Desk) -> None:
    tenant, other = await desk.tenant("jira"), await desk.tenant("zendesk")
    runs = [await failed(desk, tenant) for _ in range(3)]
    ticket_of_other, _ = await failed(desk, other)
    retried = runs[0][0]
    assert (await deskhand(desk, "runs", "retry", tenant.run(retried))).code == 0
    await runs[0][1].result()
    await listed_as(desk, tenant, "failed", 3)
    since = ("--since", "1h", "--tenant", tenant.id)

    only = await deskhand(desk, "runs", "redrive", *since, "--dry-run")
    assert {line.split()[0] for line in only.lines[:-1]} == {tenant.run(ticket_id) for ticket_id, _ in runs[1:]}
    assert only.lines[-1] == "2 runs would be started again"
    nothing = await deskhand(desk, "runs", "redrive", *since, "--outcome", "expired")
    assert nothing.lines[0] == "0 failed runs started again"
    assert [await ended_as(handle, "failed") for _, handle in runs[1:]] == [True, True]

    done = await deskhand(desk, "runs", "redrive", *since, "--outcome", "failed", "--outcome", "rejected")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == "2 failed runs started again, 1 left alone (run again since, gone, or refused)"
    assert {(await handle.result()).outcome for _, handle in runs[1:]} == {"posted"}
    again = await deskhand(desk, "runs", "redrive", *since)
    assert again.lines[0].startswith("0 failed runs started again, 3 left alone")
    assert again.lines[1] == "nothing was in the spool's quarantine"
    assert [len(await tenant.vendor.notes(ticket_id)) for ticket_id, _ in runs] == [1, 1, 1]
    assert await other.vendor.notes(ticket_of_other) == []

    unnamed = await deskhand(desk, "runs", "redrive", "--outcome", "failed")
    assert unnamed.failed_with("--outcome: is about runs that failed; say how far back, such as --since 2h"), unnamed
    bad = await deskhand(desk, "runs", "redrive", "--since", "2")
    assert bad.failed_with("--since: must be a whole number and its unit"), bad
    posted = await deskhand(desk, "runs", "redrive", "--since", "1h", "--outcome", "posted")
    assert posted.failed_with("--outcome posted: must be failed, expired, rejected"), posted


async def test_keys_that_open_nothing_start_nothing_again(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id, handle = await failed(desk, tenant)
    wrong = Keyring.generate_text()
    which = ("runs", "redrive", "--since", "1h", "--tenant", tenant.id)
    done = await deskhand(desk, *which, DESKHAND_PAYLOAD_KEYS_FILE=None, DESKHAND_PAYLOAD_KEYS=wrong)
    assert done.code == 1
    assert done.lines[:2] == ["0 failed runs started again", "1 run could not be opened:"]
    assert f"{tenant.run(ticket_id)}: its input does not open with DESKHAND_PAYLOAD_KEYS" in done.lines[2]
    assert await ended_as(handle, "failed")


async def test_what_the_spool_holds_is_said_and_its_quarantine_redriven(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    ticket_id = await tenant.vendor.ticket(SUBJECT)
    handle = await desk.start_past_the_door(tenant, await desk.signed(tenant, ticket_id), ticket_id)
    await handle.result()
    (given,) = await desk.client.data_converter.decode(
        (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes.input.payloads, [RunInput]
    )
    other = await tenant.vendor.ticket(SUBJECT)
    signed = await desk.signed(tenant, other)
    delivery = given.delivery.model_copy(update={"raw": signed.raw, "signature": "", "origin": "reconcile"})
    assert isinstance(delivery, Delivery)
    order = Order(workflow=ENHANCE_TICKET, run=tenant.run(other), ticket_id=other, delivery=delivery)
    pool = await create_pool(desk.stack.database.app, Settings(database_pool_size=1))
    try:
        await Spool(pool, Keyring.parse(desk.stack.state.payload_keys)).put(order, refused="planted reason")
    finally:
        await pool.close()

    listed = await deskhand(desk, "runs", "list", "--tenant", tenant.id)
    assert listed.lines[-1] == (
        "spool: in quarantine: 1 (planted reason: 1); `deskhand runs redrive` lets them try again"
    )
    without_temporal = await deskhand(desk, "runs", "list", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (without_temporal.code, without_temporal.lines) == (1, listed.lines[-1:])
    told = json.loads((await deskhand(desk, "runs", "list", "--json", "--tenant", tenant.id)).out)
    assert told["spool"]["refused"] == 1
    blind = await deskhand(desk, "runs", "list", "--tenant", tenant.id, DESKHAND_DATABASE_OPERATOR_URL=None)
    assert blind.code == 0
    assert blind.lines[-1] == "spool: not looked at: DESKHAND_DATABASE_OPERATOR_URL is not set"

    done = await deskhand(desk, "runs", "redrive", "--tenant", tenant.id)
    assert done.lines[-1] == "1 delivery let out of the spool's quarantine"

    async def noted() -> bool:
        return len(await tenant.vendor.notes(other)) == 1

    assert await came_true(noted, seconds=60)


async def test_pause_holds_the_runs_and_unpause_lets_them_go(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    done = await deskhand(desk, "tenant", "pause", tenant.id)
    assert done.lines[0] == f"tenant {tenant.id} is on pause: its deliveries are taken, and its runs wait"
    ticket_id = await tenant.vendor.ticket(SUBJECT)
    assert (await desk.send(await desk.signed(tenant, ticket_id))).status_code == 202
    # Two that do not wake by themselves; the one of the webhook may.
    others = [await desk.new_run_in_real_time(tenant, patience=NEVER) for _ in range(2)]
    tickets = [ticket_id, *(other for other, _ in others)]
    handles = [desk.handle(tenant.run(ticket_id)), *(handle for _, handle in others)]
    for handle in handles:
        assert await came_true(lambda handle=handle: held(handle), seconds=30)  # type: ignore[misc]
    shown = await deskhand(desk, "runs", "show", tenant.run(tickets[0]))
    assert shown.lines[0] == f"{tenant.run(tickets[0])}: waiting: paused"
    assert f"To go on: `deskhand tenant unpause {tenant.id}`" in shown.lines

    done = await deskhand(desk, "tenant", "unpause", tenant.id)
    assert (done.code, done.lines[0]) == (0, f"tenant {tenant.id} is on live")
    assert done.lines[1] == "Its paused runs are resumed in 12 s, when every worker has seen it."
    assert re.fullmatch(rf"[23] runs of {tenant.id} resumed", done.lines[2])
    assert {(await handle.result()).outcome for handle in handles} == {"posted"}
    assert [len(await tenant.vendor.notes(ticket_id)) for ticket_id in tickets] == [1, 1, 1]


async def held(handle: Handle) -> bool:
    return await waits(handle) == "paused"


@pytest.mark.parametrize("mode", [TenantMode.LIVE, TenantMode.DRY_RUN])
async def test_after_a_pause_the_mode_is_what_it_was(desk: Desk, mode: TenantMode) -> None:
    tenant = await desk.tenant("jira", mode=mode)
    for _ in range(2):  # a second pause is not what was before the pause
        assert (await deskhand(desk, "tenant", "pause", tenant.id)).code == 0
    assert (await desk.admin.show(tenant.id)).summary.mode is TenantMode.PAUSE
    gone = await deskhand(desk, "tenant", "unpause", tenant.id, TEMPORAL_ADDRESS="127.0.0.1:1")
    assert (gone.code, gone.lines[0]) == (1, f"tenant {tenant.id} is on {mode}")
    assert "its paused runs were not resumed, they wake by themselves" in gone.err
    assert (await desk.admin.show(tenant.id)).summary.mode is mode


async def test_a_tenant_taken_off_pause_by_its_mode_is_told_what_wakes_its_runs(desk: Desk) -> None:
    tenant = await desk.tenant("jira")
    update = ("tenant", "update", tenant.id, "--mode")
    assert (await deskhand(desk, *update, "pause")).out == f"tenant {tenant.id} is on pause\n"
    done = await deskhand(desk, *update, "live")
    assert done.lines[0] == f"tenant {tenant.id} is on live"
    assert f"`deskhand tenant unpause {tenant.id}`" in done.lines[1]


ONE_LINE: Mapping[str, tuple[tuple[str, ...], dict[str, str | None], str]] = {
    "unreachable": (("runs", "list"), {"TEMPORAL_ADDRESS": "127.0.0.1:1"}, "Temporal at 127.0.0.1:1 does not answer"),
    "namespace": (("runs", "list"), {"TEMPORAL_NAMESPACE": "nosuch"}, "has no namespace nosuch: check TEMPORAL_NAME"),
    "namespace, show": (("runs", "show", "RUN"), {"TEMPORAL_NAMESPACE": "nosuch"}, "has no namespace nosuch"),
    "namespace, resume": (("runs", "resume", "RUN"), {"TEMPORAL_NAMESPACE": "nosuch"}, "has no namespace nosuch"),
    "no keys": (("runs", "show", "RUN"), {"DESKHAND_PAYLOAD_KEYS_FILE": None}, "DESKHAND_PAYLOAD_KEYS is not set"),
    "no keys, retry": (("runs", "retry", "RUN"), {"DESKHAND_PAYLOAD_KEYS_FILE": None}, "PAYLOAD_KEYS is not set"),
    "wrong keys": (
        ("runs", "show", "RUN"),
        {"DESKHAND_PAYLOAD_KEYS_FILE": None, "DESKHAND_PAYLOAD_KEYS": Keyring.generate_text()},
        "DESKHAND_PAYLOAD_KEYS",
    ),
    "no such run": (("runs", "show", "nosuch"), {}, "nosuch: there is no such run; see `deskhand runs list`"),
    "tenant": (("runs", "list", "--tenant", "a'b"), {}, "--tenant: must be 1 to 64 letters, digits and hyphens"),
    "waiting for": (("runs", "list", "--waiting-for", "rain"), {}, "--waiting-for: must be vendor, rate_limit"),
    "older than": (("runs", "list", "--older-than", "2"), {}, "--older-than: must be a whole number and its unit"),
    "nothing named": (("runs", "resume"), {}, "RUN…: name runs by their workflow ids, or give --tenant"),
    "both named": (("runs", "resume", "RUN", "--tenant", "a"), {}, "RUN…: name runs by their workflow ids, or give"),
    "of no tenant": (("runs", "resume", "RUN", "--waiting-for", "vendor"), {}, "give --tenant as well"),
    "no such tenant": (("tenant", "pause", "nobody"), {}, "tenant nobody: does not exist"),
    "nobody to unpause": (("tenant", "unpause", "nobody"), {}, "tenant nobody: does not exist"),
}


@pytest.fixture(scope="module")
async def some_run(shared_desk: Desk) -> str:
    """A run that posted."""
    tenant = await shared_desk.tenant("jira")
    ticket_id, handle = await shared_desk.new_run(tenant)
    await handle.result()
    return tenant.run(ticket_id)


@pytest.mark.parametrize("case", ONE_LINE)
async def test_what_is_wrong_is_one_line(desk: Desk, some_run: str, case: str) -> None:
    arguments, settings, message = ONE_LINE[case]
    done = await deskhand(desk, *(some_run if part == "RUN" else part for part in arguments), **settings)
    assert done.failed_with(message), done
