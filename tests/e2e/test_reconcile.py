"""Tickets that no webhook told of get their notes by a pass over the tool's recent tickets, and none gets two."""

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, ScheduleHandle, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from deskhand.devstack.waiting import came_true
from deskhand.runs.missing import MissingRuns
from deskhand.runs.passes import Passes, UnderWayError
from deskhand.runs.regular import Ended, RegularPasses
from deskhand.tenants.admin import NewTenant
from deskhand.tenants.sealing import Connection
from plugins.types import TenantMode
from tests.support.desk import TOOLS, Desk, Tenant
from workflows.contracts import (
    ENHANCE_TICKET,
    TASK_QUEUE,
    Outcome,
    Reconciled,
    ReconcileInput,
    RunInput,
    reconcile_id,
    reconcile_queue,
)
from workflows.reconcile import Reconcile
from workflows.search_attributes import TENANT

Handle = WorkflowHandle[Reconcile, Reconciled]

EVERY = timedelta(hours=36)
"""Between scheduled passes: none comes while a test runs."""


async def begin(client: Client, tenant: Tenant, since: datetime, *, dry_run: bool = False) -> Handle:
    """Begin a pass."""
    given = ReconcileInput(tool=tenant.tool, tenant_id=tenant.id, since=since, dry_run=dry_run)
    return await Passes(client, TASK_QUEUE).begin(given)


async def counts(desk: Desk, tenant: Tenant, since: datetime) -> tuple[int, int, int]:
    """What a pass saw, how many runs it started, and how many tickets had theirs."""
    done = await (await begin(desk.client, tenant, since)).result()
    assert (done.complete, done.held, done.walked.ignored, done.walked.unusable) == (True, "", 0, 0)
    return done.walked.seen, done.walked.started, done.walked.had_run


async def account(handle: Handle) -> str:
    """Why a pass failed."""
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ApplicationError)
    return caught.value.cause.message


async def one_note_each(desk: Desk, tenant: Tenant, ticket_ids: Iterable[str]) -> None:
    """Wait for the tickets' runs and see one note on each."""
    for ticket_id in ticket_ids:
        assert (await desk.handle(tenant.run(ticket_id)).result()).outcome is Outcome.POSTED
    for ticket_id in ticket_ids:
        assert len(await tenant.vendor.notes(ticket_id)) == 1


async def ticket_runs(desk: Desk, tenant: Tenant) -> int:
    """How many runs of tickets there are."""
    query = f"{TENANT.name} = '{tenant.id}' AND WorkflowType = '{ENHANCE_TICKET}'"
    return (await desk.client.count_workflows(query)).count


async def has_run(desk: Desk, tenant: Tenant, ticket_id: str) -> bool:
    """Whether a ticket has its run."""
    return await MissingRuns(desk.client, TASK_QUEUE).known(tenant.run(ticket_id))


@pytest.fixture
async def since() -> datetime:
    """A moment after all tickets that there are: one tool tells of theirs in whole seconds."""
    begun = datetime.now(UTC).replace(microsecond=0)

    async def over() -> bool:
        return datetime.now(UTC) >= begun + timedelta(seconds=1)

    assert await came_true(over, seconds=5)
    return begun + timedelta(seconds=1)


@pytest.fixture
async def forgetful(desk: Desk) -> Desk:
    """The stack, its tools without the tickets of other tests: they keep them in memory."""
    await desk.stack.stop("pretend")
    await desk.stack.start("pretend")
    return desk


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tool", TOOLS)
async def test_fifty_missed_tickets_get_fifty_notes_and_ten_others_no_second(
    desk: Desk, tool: str, since: datetime
) -> None:
    tenant = await desk.tenant(tool)
    told = [await tenant.vendor.ticket(announce=True) for _ in range(10)]
    missed = [await tenant.vendor.ticket() for _ in range(50)]
    assert await counts(desk, tenant, since) == (60, 50, 10)
    await one_note_each(desk, tenant, (*told, *missed))

    assert await counts(desk, tenant, since) == (60, 0, 60)
    for ticket_id in missed:
        late = await desk.send(await desk.signed(tenant, ticket_id))
        assert (late.status_code, late.json()["run"]) == (200, tenant.run(ticket_id))
        assert "repeated" in late.json()
    await one_note_each(desk, tenant, (*told, *missed))
    assert await ticket_runs(desk, tenant) == 60


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_missed_ticket_s_run_says_where_it_came_from(desk: Desk, tool: str, since: datetime) -> None:
    tenant = await desk.tenant(tool)
    ticket_id = await tenant.vendor.ticket()
    assert await counts(desk, tenant, since) == (1, 1, 0)
    await one_note_each(desk, tenant, [ticket_id])
    history = await desk.handle(tenant.run(ticket_id)).fetch_history()
    payloads = history.events[0].workflow_execution_started_event_attributes.input.payloads
    (given,) = await desk.client.data_converter.decode(payloads, [RunInput])
    assert (given.delivery.origin, given.delivery.signature) == ("reconcile", "")


@pytest.mark.parametrize("tool", TOOLS)
async def test_what_was_created_before_is_left_alone(desk: Desk, tool: str, since: datetime) -> None:
    tenant = await desk.tenant(tool)
    early = await tenant.vendor.ticket()

    async def next_second() -> bool:
        return datetime.now(UTC) >= since + timedelta(seconds=1)

    assert await came_true(next_second, seconds=5)
    late = await tenant.vendor.ticket()
    assert await counts(desk, tenant, since + timedelta(seconds=1)) == (1, 1, 0)
    assert (await has_run(desk, tenant, early), await has_run(desk, tenant, late)) == (False, True)


async def test_a_pass_that_races_with_the_webhooks_makes_one_run_of_each(desk: Desk, since: datetime) -> None:
    tenant = await desk.tenant("jira")
    tickets = [await tenant.vendor.ticket() for _ in range(40)]
    calls = [await desk.signed(tenant, ticket_id) for ticket_id in tickets]
    walking = asyncio.create_task(counts(desk, tenant, since))
    await some_started(desk, tenant, tickets, 3)
    statuses = [answer.status_code for answer in await asyncio.gather(*map(desk.send, reversed(calls)))]
    assert set(statuses) == {200, 202}, "each came first for some"
    assert await walking == (40, statuses.count(200), statuses.count(202))
    await one_note_each(desk, tenant, tickets)
    assert await ticket_runs(desk, tenant) == 40


async def test_a_run_that_failed_is_one_that_was(desk: Desk, since: datetime) -> None:
    tenant = await desk.tenant("jira")
    await tenant.vendor.fault("get_ticket", "status", status=400)
    ticket_id = await tenant.vendor.ticket(announce=True)
    with pytest.raises(WorkflowFailureError):
        await desk.handle(tenant.run(ticket_id)).result()
    assert await counts(desk, tenant, since) == (1, 0, 1)
    assert await tenant.vendor.notes(ticket_id) == []


async def some_started(desk: Desk, tenant: Tenant, tickets: list[str], number: int) -> None:
    """Wait until this many of them have their run: Jira's are told of in the order of creation."""

    async def started() -> bool:
        return await has_run(desk, tenant, tickets[number - 1])

    assert await came_true(started, seconds=20)


async def test_a_worker_killed_in_mid_pass_is_gone_on_for_by_the_next(desk: Desk, since: datetime) -> None:
    tenant = await desk.tenant("jira")
    tickets = [await tenant.vendor.ticket() for _ in range(60)]
    handle = await begin(desk.client, tenant, since)
    await some_started(desk, tenant, tickets, 10)
    desk.stack.kill("worker")
    assert not await has_run(desk, tenant, tickets[-1]), "killed too late"
    await desk.stack.start("worker")
    walked = (await handle.result()).walked
    assert (walked.seen, walked.started + walked.had_run) == (60, 60)
    assert walked.had_run > 0, "what it had started since its last heartbeat"
    await one_note_each(desk, tenant, tickets)


async def test_a_worker_told_to_stop_in_mid_pass_hands_it_on_and_every_start_is_counted(
    desk: Desk, since: datetime
) -> None:
    tenant = await desk.tenant("jira")
    tickets = [await tenant.vendor.ticket() for _ in range(60)]
    handle = await begin(desk.client, tenant, since)
    await some_started(desk, tenant, tickets, 10)
    await desk.stack.stop("worker")
    assert not await has_run(desk, tenant, tickets[-1]), "stopped too late"
    await desk.stack.start("worker")
    done = await handle.result()
    assert (done.since, done.walked.seen, done.walked.started) == (since, 60, 60)
    await one_note_each(desk, tenant, tickets)


@pytest.mark.parametrize("how", ["on pause", "not active"])
async def test_nothing_is_started_for_a_tenant_on_pause_or_not_active(desk: Desk, how: str, since: datetime) -> None:
    tenant = await desk.tenant("jira", mode=TenantMode.PAUSE if how == "on pause" else TenantMode.LIVE)
    if how == "not active":
        await desk.admin.deactivate(tenant.id)
    ticket_id = await tenant.vendor.ticket()
    done = await (await begin(desk.client, tenant, since)).result()
    assert (done.held, done.walked.seen) == (f"the tenant is {how}", 0)
    assert not await has_run(desk, tenant, ticket_id)


async def test_a_tool_that_keeps_failing_fails_the_pass_with_its_words(desk: Desk, since: datetime) -> None:
    tenant = await desk.tenant("zendesk")
    before = len(await tenant.vendor.log())
    await tenant.vendor.fault("list_tickets", "status", times=None, status=503)
    assert "zendesk answered 503" in await account(await begin(desk.skipper.client, tenant, since))
    assert len((await tenant.vendor.log())[before:]) == 4, "as the policy says"


async def test_a_tool_that_fails_in_between_is_asked_again(desk: Desk, since: datetime) -> None:
    tenant = await desk.tenant("zendesk")
    tickets = [await tenant.vendor.ticket() for _ in range(3)]
    await tenant.vendor.fault("list_tickets", "status", status=503)
    await tenant.vendor.fault("list_tickets", "status", status=429, headers={"Retry-After": "240"})
    done = await (await begin(desk.skipper.client, tenant, since)).result()
    assert (done.walked.seen, done.walked.started) == (3, 3)
    await one_note_each(desk, tenant, tickets)


async def test_a_tool_that_asks_for_a_longer_pause_fails_the_pass_at_once(desk: Desk, since: datetime) -> None:
    tenant = await desk.tenant("zendesk")
    before = len(await tenant.vendor.log())
    await tenant.vendor.fault("list_tickets", "status", times=None, status=429, headers={"Retry-After": "3600"})
    assert "429" in await account(await begin(desk.client, tenant, since))
    assert len((await tenant.vendor.log())[before:]) == 1


async def test_a_dry_run_names_what_is_missing_and_starts_nothing(desk: Desk, since: datetime) -> None:
    tenant = await desk.tenant("zendesk")
    await tenant.vendor.ticket(announce=True)
    missed = [await tenant.vendor.ticket() for _ in range(2)]
    done = await (await begin(desk.client, tenant, since, dry_run=True)).result()
    assert (done.walked.seen, done.walked.started, done.walked.had_run) == (3, 2, 1)
    assert set(done.walked.missing) == {tenant.run(ticket_id) for ticket_id in missed}
    assert not await has_run(desk, tenant, missed[0])


async def test_one_pass_of_a_tenant_at_a_time_however_it_was_begun(desk: Desk, since: datetime) -> None:
    tenant, other = await desk.tenant("jira"), await desk.tenant("zendesk")
    await other.vendor.ticket()
    await tenant.vendor.fault("list_tickets", "slow", seconds=8)
    ticket_id = await tenant.vendor.ticket()
    handle = await begin(desk.client, tenant, since)
    with pytest.raises(UnderWayError):
        await begin(desk.client, tenant, since)
    told = await deskhand(desk, "reconcile", "--tenant", tenant.id, "--since", "1m")
    assert told.failed_with(f"tenant {tenant.id}: a pass is under way already")
    async with scheduled(desk, tenant) as schedule:
        regular = await schedule.trigger()
    assert regular.result is not None
    assert regular.result.held == "another pass was under way"
    assert await counts(desk, other, since) == (1, 1, 0), "another tenant's"
    assert (await handle.result()).walked.started == 1
    await one_note_each(desk, tenant, [ticket_id])
    scheduled_on = {
        event.activity_task_scheduled_event_attributes.task_queue.name
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    }
    assert scheduled_on == {reconcile_queue(TASK_QUEUE)}, "it holds none of the slots that new tickets need"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule that is switched on."""

    desk: Desk
    tenant: Tenant
    handle: ScheduleHandle

    async def trigger(self) -> Ended:
        """Have a pass begin now; what became of it."""
        before = len(await self._passes())

        async def over() -> bool:
            passes = await self._passes()
            return len(passes) > before and passes[0].state != "at work"

        await self.handle.trigger()
        assert await came_true(over, seconds=30)
        return (await self._passes())[0]

    async def _passes(self) -> tuple[Ended, ...]:
        shown = await RegularPasses(self.desk.client, TASK_QUEUE).show(self.tenant.id, most=10)
        assert shown is not None
        return shown.passes


@asynccontextmanager
async def scheduled(desk: Desk, tenant: Tenant) -> AsyncIterator[Scheduled]:
    """Passes come by themselves, though none will during a test but those that it triggers."""
    regular = RegularPasses(desk.client, TASK_QUEUE)
    assert await regular.switch_on(tenant.tool, tenant.id, EVERY)
    yield Scheduled(desk, tenant, desk.client.get_schedule_handle(reconcile_id(tenant.id)))
    assert await regular.switch_off(tenant.id)
    assert await regular.show(tenant.id) is None


async def test_a_scheduled_pass_looks_back_twice_its_interval(forgetful: Desk) -> None:
    desk, tenant = forgetful, await forgetful.tenant("servicedesk_plus")
    ticket_id = await tenant.vendor.ticket()
    async with scheduled(desk, tenant) as schedule:
        done = await schedule.trigger()
    assert done.result is not None
    assert timedelta() <= done.result.began - done.result.since - 2 * EVERY < timedelta(seconds=1)
    assert done.result.began - done.result.caught_up == timedelta(minutes=10)
    assert (done.result.walked.seen, done.result.walked.started) == (1, 1)
    await one_note_each(desk, tenant, [ticket_id])


async def test_what_a_scheduled_pass_did_not_do_the_next_makes_up_for(desk: Desk) -> None:
    tenant = await desk.tenant("jira", mode=TenantMode.PAUSE)
    async with scheduled(desk, tenant) as schedule:
        first = (await schedule.trigger()).result
        assert first is not None
        assert (first.held, first.caught_up) == ("the tenant is on pause", first.since)
        second = (await schedule.trigger()).result
    assert second is not None
    assert second.began > first.began
    assert second.since == first.since, "not two intervals before it began itself"


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str

    def failed_with(self, message: str) -> bool:
        """Whether it failed with this in one readable line, after its progress if it took long."""
        line = self.err.splitlines()[-1]
        return (self.code, self.out) == (1, "") and line.startswith("deskhand: ") and message in line


async def deskhand(desk: Desk, *arguments: str, **settings: str) -> Done:
    """Run `deskhand …` to its end, as an operator of the stack does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deskhand.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**desk.stack.command_environment(), **settings},
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


async def test_the_command_shows_what_a_pass_would_do_and_did(forgetful: Desk) -> None:
    desk, tenant = forgetful, await forgetful.tenant("jira")
    missed = [await tenant.vendor.ticket() for _ in range(2)]
    of = ("reconcile", "--tenant", tenant.id, "--since", "1h")

    dry = await deskhand(desk, *of, "--dry-run")
    assert dry.code == 0
    *named, told = dry.out.splitlines()
    assert named == [tenant.run(ticket_id) for ticket_id in missed]
    assert told.endswith(": 2 tickets, 2 runs would be started, 0 had theirs")
    assert not await has_run(desk, tenant, missed[0])

    now = await deskhand(desk, *of, "--json")
    assert now.code == 0
    done = json.loads(now.out)
    assert (done["tenant"], done["seen"], done["started"], done["had_run"]) == (tenant.id, 2, 2, 0)
    assert (done["complete"], done["held"]) == (True, "")
    await one_note_each(desk, tenant, missed)

    again = await deskhand(desk, *of)
    assert (again.code, len(again.out.splitlines())) == (0, 1)
    assert again.out.endswith(": 2 tickets, 0 runs started, 2 had theirs\n")


async def test_the_command_switches_passes_on_and_off(forgetful: Desk) -> None:
    desk, tenant = forgetful, await forgetful.tenant("jira")
    of = ("reconcile", "--tenant", tenant.id)
    assert "no passes by themselves" in (await deskhand(desk, *of, "--status")).out
    on = await deskhand(desk, *of, "--every", "36h")
    assert on.out.startswith(f"tenant {tenant.id}: a pass every 1 d 12 h, over the last 3 d; the next ")
    await Scheduled(desk, tenant, desk.client.get_schedule_handle(reconcile_id(tenant.id))).trigger()
    changed = await deskhand(desk, *of, "--every", "24h")
    assert changed.out.startswith(f"tenant {tenant.id}: changed: a pass every 1 d, over the last 2 d; the next ")
    rhythm, last = (await deskhand(desk, *of, "--status")).out.splitlines()
    assert "a pass every 1 d" in rhythm
    assert last.endswith(": 0 tickets, 0 runs started, 0 had theirs")
    shown = json.loads((await deskhand(desk, *of, "--status", "--json")).out)
    assert (shown["every_seconds"], len(shown["passes"])) == (86_400, 1)
    assert "no more passes" in (await deskhand(desk, *of, "--off")).out
    assert "there was no schedule" in (await deskhand(desk, *of, "--off")).out


async def test_the_command_fails_in_one_readable_line(desk: Desk) -> None:
    tenant, paused = await desk.tenant("jira"), await desk.tenant("jira", mode=TenantMode.PAUSE)
    of = ("reconcile", "--tenant", tenant.id)
    assert (await deskhand(desk, *of)).failed_with("--since: give one of")
    assert (await deskhand(desk, *of, "--since", "1h", "--off")).failed_with("--since: give one of")
    assert (await deskhand(desk, *of, "--off", "--dry-run")).failed_with("--dry-run: is for one pass")
    assert (await deskhand(desk, *of, "--since", "soon")).failed_with("--since: must be a whole number")
    assert (await deskhand(desk, *of, "--since", "31d")).failed_with("--since: runs are known for 30 d only")
    assert (await deskhand(desk, *of, "--every", "10s")).failed_with("--every: must be between 1m and 2d")
    assert (await deskhand(desk, "tenant", "update", tenant.id, "--retention-days", "1")).code == 0
    for option, given in (("--since", "2d"), ("--every", "1d")):
        refused = await deskhand(desk, *of, option, given)
        assert refused.failed_with(f"{option}: a pass would look back 2 d, and the tenant's runs are kept for 1 d only")
    unknown = await deskhand(desk, "reconcile", "--tenant", "nobody", "--since", "1h")
    assert unknown.failed_with("tenant nobody: does not exist")
    held = await deskhand(desk, "reconcile", "--tenant", paused.id, "--since", "1h")
    assert held.failed_with(f"tenant {paused.id}: nothing was done: the tenant is on pause")
    away = await deskhand(desk, *of, "--since", "1h", TEMPORAL_ADDRESS="127.0.0.1:1")
    assert away.failed_with("does not answer")
    await tenant.vendor.fault("list_tickets", "status", times=None, status=401)
    assert (await deskhand(desk, *of, "--since", "1h")).failed_with("the pass failed: start_missing: jira answered 401")


async def test_a_plugin_that_cannot_list_tickets_is_said_to(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "four_plugin.py").write_text(FOUR)
    info = tmp_path / "four-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: four\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[deskhand.plugins]\nfour = four_plugin:Plugin\n")
    tenant_id = f"t-{secrets.token_hex(4)}"
    await desk.admin.add(NewTenant(id=tenant_id, tool="four", connection=Connection({}, {})))
    for what in (("--since", "1h"), ("--every", "1h")):
        said = await deskhand(desk, "reconcile", "--tenant", tenant_id, *what, PYTHONPATH=str(tmp_path))
        assert said.failed_with(f"tenant {tenant_id}: its plugin, four, cannot list recent tickets")


FOUR = """
from plugins.base import TicketingToolPlugin

class Plugin(TicketingToolPlugin):
    __tool_type__ = "four"
    async def validate_webhook(self, payload, signature): return False
    async def get_ticket(self, tenant_id, ticket_id): return None
    async def update_ticket(self, tenant_id, ticket_id, content): return False
    def extract_metadata(self, payload): raise NotImplementedError
"""
