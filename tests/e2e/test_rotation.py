"""Keys and secrets change while deliveries come in: none is refused, and each ticket gets its one note."""

import asyncio
import json
import re
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payloads
from temporalio.client import ScheduleActionExecutionStartWorkflow, WorkflowHandle

from deskhand.crypto.keyring import Keyring
from deskhand.devstack.stack import TEMPORAL, Stack
from deskhand.devstack.state import State
from deskhand.devstack.waiting import came_true, until
from deskhand.runs.pacing import Pace
from tests.support.command_line import deskhand, started
from tests.support.desk import TOOLS, Desk, Tenant, note_text, opened
from workflows.contracts import Outcome, Patience, RunResult, reconcile_id
from workflows.search_attributes import WAITING_FOR

NEVER = Patience(first=(10**8,), hourly=10**8, hourly_until=0, later=10**8, deadline=10**9)
"""Of a run that wakes only when it is told to."""
PER_SECOND = 2.0
"""Deliveries of each tool."""
SETTLE = ("--settle", "3")
"""Processes look at their key files once a second."""
SECRET_SEEN_SECONDS = 12
"""When every process has surely read a tenant's new webhook secret: what `deskhand tenant rotate-secret` says."""

STATUS = (
    (Path(__file__).parents[2] / "docs" / "keys.md")
    .read_text()
    .partition("$ deskhand keys status --ring payload\n")[2]
    .partition("```")[0]
)
"""What docs/keys.md shows while one run is open that needs the old key."""

pytestmark = pytest.mark.timeout(420)


async def well(desk: Desk, *arguments: str, given: str | None = None) -> str:
    """Run it to its end, which is a good one; what it printed."""
    done = await deskhand(desk, *arguments, given=given)
    assert (done.code, done.err) == (0, ""), done
    return done.out


async def killed_at(desk: Desk, words: str, *arguments: str) -> None:
    """Run it until it prints this, and end it there as `kill -9` does."""
    process = await started(desk, *arguments)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while words not in (line := (await process.stdout.readline()).decode()):
            assert line, "it ended before"
    process.kill()
    await process.communicate()
    assert process.returncode == -signal.SIGKILL


async def standing(desk: Desk, ring: str) -> dict[str, dict[str, Any]]:
    """What `deskhand keys status` says of a ring, by key."""
    done = await deskhand(desk, "keys", "status", "--ring", ring, "--json")
    return {key["key"]: key for key in json.loads(done.out)["rings"][0]["keys"]}


def as_a_pattern(status: str) -> str:
    """What `deskhand keys status` printed without what varies."""
    counts = re.compile(r"(?:\d+|up to \d+) (tenant|spooled order|open run|schedule|closed run)s?")
    return re.sub(r"p[0-9a-f]{8}", "KEY", counts.sub(r"N \1", status)).strip()


def ids(text: str) -> tuple[str, ...]:
    """The ids of a keyring, the primary one first."""
    return Keyring.parse(text).ids


@dataclass
class Load:
    """Deliveries of every tool, one after the other, for as long as it is asked for."""

    desk: Desk
    tenants: list[Tenant]
    answers: list[int] = field(default_factory=list)
    sent: list[tuple[Tenant, str]] = field(default_factory=list)
    """Every ticket that was told of."""

    going: bool = False

    async def of(self, tenant: Tenant) -> None:
        """Tell of new tickets of one tenant, a few a second: two cores do everything here."""
        pace = Pace(PER_SECOND)
        while self.going:
            await pace.turn()
            await self.one(tenant)

    async def one(self, tenant: Tenant) -> None:
        """Tell of a new ticket."""
        ticket_id = await tenant.vendor.ticket()
        answer = await self.desk.send(await self.desk.signed(tenant, ticket_id))
        self.answers.append(answer.status_code)
        self.sent.append((tenant, ticket_id))

    @asynccontextmanager
    async def during(self) -> AsyncIterator[None]:
        """It goes on inside."""
        self.going = True
        async with asyncio.TaskGroup() as tasks:
            for tenant in self.tenants:
                tasks.create_task(self.of(tenant))
            try:
                yield
            finally:
                self.going = False

    async def more(self, count: int) -> None:
        """Wait until that many more have been answered."""
        wanted = len(self.answers) + count
        assert await until(lambda: len(self.answers) >= wanted, seconds=60)

    async def all_have_their_note(self) -> None:
        """Wait for every run, and see exactly one note on each ticket."""
        for tenant in self.tenants:
            assert await came_true(lambda tenant=tenant: self._all_known(tenant), seconds=60)  # type: ignore[misc]
        for tenant, ticket_id in self.sent:
            assert (await self.desk.handle(tenant.run(ticket_id)).result()).outcome is Outcome.POSTED
        for tenant in self.tenants:
            notes = {ticket["id"]: ticket["notes"] for ticket in await tenant.vendor.tickets()}
            for ticket_id in (ticket_id for one, ticket_id in self.sent if one is tenant):
                (note,) = notes[ticket_id]
                assert tenant.ref(ticket_id) in note_text(note)

    async def _all_known(self, tenant: Tenant) -> bool:
        """Whether Temporal has taken what was spooled."""
        return await self.desk.runs_of(tenant) >= sum(one is tenant for one, _ in self.sent)


async def a_pass(desk: Desk, tenant: Tenant) -> None:
    """Have the tenant's schedule make a pass, and see it end."""
    schedule = desk.client.get_schedule_handle(reconcile_id(tenant.id))
    before = len((await schedule.describe()).info.recent_actions)
    await schedule.trigger()

    async def begun() -> bool:
        return len((await schedule.describe()).info.recent_actions) > before

    assert await came_true(begun, seconds=30)
    action = (await schedule.describe()).info.recent_actions[-1].action
    assert isinstance(action, ScheduleActionExecutionStartWorkflow)
    handle = desk.client.get_workflow_handle(action.workflow_id, run_id=action.first_execution_run_id)
    await handle.result()

    async def recorded() -> bool:
        return (await schedule.describe()).info.running_actions == []

    assert await came_true(recorded, seconds=30)


@pytest.fixture(scope="module")
async def desk(module_state_folder: Path) -> AsyncIterator[Desk]:
    """A stack of this module's own: the others do not want their keys changed."""
    skipping = {"frontend.WorkflowTimeSkippingEnabled": "true"}
    async with Stack(State.open(module_state_folder), temporal_config=skipping) as stack, opened(stack) as desk:
        yield desk


async def parked(desk: Desk, tenant: Tenant) -> tuple[str, WorkflowHandle[Any, RunResult]]:
    """A ticket whose run waits for its tool, and wakes only when it is told to. The tool is well again."""
    await tenant.vendor.fault("get_ticket", "status", times=None, status=503)
    ticket_id, handle = await desk.new_run_in_real_time(tenant, patience=NEVER)

    async def waits() -> bool:
        return (await handle.describe()).typed_search_attributes.get(WAITING_FOR) == "vendor"

    assert await came_true(waits, seconds=60)
    await tenant.vendor.clear_faults()
    return ticket_id, handle


async def opens_in_the_ui(desk: Desk, payloads: Payloads) -> bool:
    """Whether the Temporal UI can show these."""
    answer = await desk.http.post(
        f"{desk.stack.addresses.codec}/decode",
        content=json_format.MessageToJson(payloads),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (200, 400)
    return answer.status_code == 200


async def given_to(handle: WorkflowHandle[Any, RunResult]) -> Payloads:
    """The input of a run, as Temporal keeps it."""
    async for event in handle.fetch_history_events(page_size=1):
        return event.workflow_execution_started_event_attributes.input
    raise AssertionError("a history has events")


async def test_keys_and_secrets_are_rotated_under_load_and_nothing_is_refused_lost_or_doubled(desk: Desk) -> None:
    state = desk.stack.state
    # Of another tool than the passes below: tenants of one pretend site see each other's tickets.
    waiting = await desk.tenant("jira")
    waiting_ticket, waiting_run = await parked(desk, waiting)
    tenants = [await desk.tenant(tool) for tool in TOOLS]
    load = Load(desk, tenants)
    waiting_input = await given_to(waiting_run)
    await well(desk, "reconcile", "--tenant", tenants[1].id, "--every", "36h")
    await a_pass(desk, tenants[1])
    (old,), (old_credential,) = ids(state.payload_keys), ids(state.credential_keys)

    async with load.during():
        await load.more(6)
        # Orders are spooled under the old key; the rotation begins while they wait.
        await desk.stack.stop(TEMPORAL)
        await load.more(9)
        assert (await standing(desk, "payload"))[old]["spooled"] > 0
        half = await deskhand(desk, "keys", "rotate", "--ring", "payload", *SETTLE)
        new = ids(state.payload_keys)[0]
        assert (half.code, ids(state.payload_keys)) == (1, (new, old)), half
        assert "does not answer" in half.err, "a schedule's input cannot be sealed anew now"
        spooled = await standing(desk, "payload")
        assert spooled[new]["spooled"] > 0
        assert (spooled[old]["spooled"], spooled[old]["tenants"]) == (0, 0)
        await load.more(6)
        await desk.stack.start(TEMPORAL)

        out = await well(desk, "keys", "rotate", "--ring", "payload", *SETTLE)
        assert f"going on with the rotation to {new}" in out
        assert "1 schedule" in out
        await well(desk, "keys", "rotate", "--ring", "credential", *SETTLE)
        new_credential = ids(state.credential_keys)[0]
        assert ids(state.credential_keys) == (new_credential, old_credential)

        changed = [secrets.token_urlsafe(32) for _ in tenants]
        for tenant, secret in zip(tenants, changed, strict=True):
            await well(desk, "tenant", "rotate-secret", tenant.id, "--secret-stdin", given=secret)
        loop = asyncio.get_running_loop()
        seen = loop.time() + SECRET_SEEN_SECONDS
        assert await until(lambda: loop.time() >= seen, seconds=SECRET_SEEN_SECONDS + 10)
        for tenant, secret in zip(tenants, changed, strict=True):
            named = tenant.id if tenant.tool == "servicedesk_plus" else None
            await tenant.vendor.webhook(tenant.webhook_url, secret, named)
        await load.more(9)

        refused = await deskhand(desk, "keys", "remove", "--ring", "payload", *SETTLE, old)
        assert refused.code == 1
        assert f"{old}: stays: it is needed by " in refused.err
    assert set(load.answers) <= {200, 202}
    await load.all_have_their_note()

    async def only_the_parked_run_needs_it() -> bool:
        return bool((await standing(desk, "payload"))[old]["open_runs"] == 1)

    assert await came_true(only_the_parked_run_needs_it, seconds=30)
    # The schedule has the result of its last pass for the next one, which Temporal keeps as it was sealed.
    assert (await standing(desk, "payload"))[old]["schedules"] == 1
    await a_pass(desk, tenants[1])
    assert (await standing(desk, "payload"))[old]["schedules"] == 0
    removal = ("keys", "remove", "--ring", "payload", *SETTLE, old)
    refused = await deskhand(desk, *removal, "--closed-runs-become-unreadable")
    assert refused.err == f"deskhand: {old}: stays: it is needed by 1 open run\n"
    shown = await deskhand(desk, "keys", "status", "--ring", "payload")
    assert as_a_pattern(shown.out.replace(str(state.payload_keys_file), "payload.keys")) == as_a_pattern(STATUS)
    assert await opens_in_the_ui(desk, waiting_input)
    resumed = await well(desk, "runs", "resume", waiting.run(waiting_ticket))
    assert f"{waiting.run(waiting_ticket)}: resumed" in resumed
    assert (await waiting_run.result()).outcome is Outcome.POSTED
    assert len(await waiting.vendor.notes(waiting_ticket)) == 1

    refused = await deskhand(desk, *removal)
    assert refused.code == 1
    assert "closed runs may become unreadable; --closed-runs-become-unreadable removes it all the same" in refused.err
    await well(desk, *removal, "--closed-runs-become-unreadable")
    await well(desk, "keys", "remove", "--ring", "credential", *SETTLE, old_credential)
    assert (ids(state.payload_keys), ids(state.credential_keys)) == ((new,), (new_credential,))

    async def shredded() -> bool:
        return not await opens_in_the_ui(desk, waiting_input)

    assert await came_true(shredded, seconds=10)
    after = Load(desk, tenants)
    for tenant in tenants:
        await after.one(tenant)
    await after.all_have_their_note()
    status = json.loads(await well(desk, "keys", "status", "--json"))
    assert [[key["key"] for key in ring["keys"]] for ring in status["rings"]] == [[new], [new_credential]]


async def test_a_rotation_that_is_killed_half_way_is_finished_by_running_it_again(desk: Desk) -> None:
    state = desk.stack.state
    tenants = [await desk.tenant(tool) for tool in TOOLS]
    load = Load(desk, tenants)
    before = ids(state.payload_keys)
    rotate = ("keys", "rotate", "--ring", "payload")
    async with load.during():
        await load.more(3)
        await killed_at(desk, "waiting", *rotate, "--settle", "600")
        (new,) = set(ids(state.payload_keys)) - set(before)
        assert ids(state.payload_keys)[0] == before[0]
        await load.more(3)
        await killed_at(desk, "in front", *rotate, *SETTLE)
        assert ids(state.payload_keys) == (new, *before)
        await load.more(3)
        out = await well(desk, *rotate, *SETTLE)
        assert f"going on with the rotation to {new}" in out
        assert ids(state.payload_keys) == (new, *before)
        await load.more(3)
    assert set(load.answers) == {202}
    await load.all_have_their_note()
    found = await standing(desk, "payload")
    assert found[new]["tenants"] >= len(tenants)
    assert [found[key]["tenants"] for key in before] == [0] * len(before)
