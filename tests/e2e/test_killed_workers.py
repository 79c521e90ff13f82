"""`kill -9` of the worker at each step of a run: another one carries on, and there is one private note in the end.

Each run is brought to a step of its own and halted there by taps on the worker's lines (`tests.support.tap`): before a
request reaches the vendor, before the worker has the answer, before Temporal has its report. Then the worker is killed,
once and under all runs of a tool, and started anew. The history says afterwards whether the kill fell on that step.

What happens inside the process between two messages (`extract_metadata` begun or ended, the note half written) cannot
be told apart from outside, and leaves nothing behind. Kills at random moments, from a fixed seed, go over it as well.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from deskhand.devstack.services import WORKER
from deskhand.devstack.waiting import came_true, until
from plugins.types import TenantMode
from tests.support.desk import PLUGINS, TOOLS, Desk, Tenant, note_text
from tests.support.histories import WORKFLOW_TASK, attempts
from tests.support.processes import TappedWorker, tapped_worker
from tests.support.tap import PATIENCE, Halt, WordTap
from workflows.contracts import ENHANCE_TICKET, RECORD_RESOLUTION, RESUME, Delivery, Outcome, RunInput, RunResult
from workflows.search_attributes import WAITING_FOR

READ = (b"GET ",)
WRITE = (b"POST ", b"PUT ")
FOUND = "an earlier attempt's note is on the ticket"

TURNS = ("write_note", "record_ticket", "look_again", "gather_context", "update_ticket", "get_ticket")
"""The activities from the longest attempt to the shortest: in this order runs go to their steps."""


AT_ONCE = "at once"
"""The turn of what stays at its step for as long as it is left there."""


@dataclass
class Meeting:
    """What the runs have in common: when to go on to their steps, and when there is a worker again.

    An attempt may take seconds only, so all are brought to the call of their activity first. Then they go on together.
    """

    successor: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is a worker again."""
    turns: defaultdict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    """Set when it is the turn of an activity."""
    poised: set[asyncio.Task[None]] = field(default_factory=set)
    """Who waits for a turn, or has had it."""

    async def turn(self, activity: str) -> None:
        """Wait for it."""
        task = asyncio.current_task()
        assert task is not None
        self.poised.add(task)
        await self.turns[activity].wait()


@dataclass
class Run:
    """One run, and the lines of the worker that has it."""

    desk: Desk
    worker: TappedWorker
    tenant: Tenant
    vendor: WordTap
    ticket_id: str
    delivery: Delivery
    workflow: str
    meeting: Meeting

    @property
    def id(self) -> str:
        """The workflow id."""
        return self.tenant.run(self.ticket_id, self._kind)

    @property
    def ref(self) -> str:
        """The mark that its note carries, at the end."""
        return self.tenant.ref(self.ticket_id)

    @property
    def handle(self) -> WorkflowHandle[Any, RunResult]:
        """The run at Temporal."""
        return self.desk.handle(self.id)

    @property
    def _kind(self) -> str:
        return "created" if self.workflow == ENHANCE_TICKET else "resolved:1"

    async def start(self) -> None:
        """Start it on the queue of its worker; what it waits for is skipped."""
        await self._start(self.desk.skipper.client)

    async def start_frozen(self) -> None:
        """Start it; what it waits for takes its time."""
        await self._start(self.desk.client)

    async def _start(self, client: Client) -> None:
        await client.start_workflow(
            self.workflow, RunInput(delivery=self.delivery), id=self.id, task_queue=self.worker.name
        )

    def halt(self, activity: str, **more: Any) -> Halt:
        """Keep back what is said to Temporal about one of the run's activities."""
        return self.worker.temporal.halt(self.id, activity, **more)

    @asynccontextmanager
    async def poised(self, activity: str, begin: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Begin, bring the run to where it calls the activity, and wait for its turn. After the block it goes on."""
        calling = self.halt(activity)
        await begin()
        await self.worker.temporal.kept(calling)
        await self.meeting.turn(activity)
        yield
        await self.worker.temporal.release(calling)

    async def halted_at_vendor(self) -> None:
        """Wait until a request, or the answer to one, is kept back."""
        await self.vendor.kept()

    async def notes(self) -> list[dict[str, Any]]:
        """The notes on the ticket as the vendor stores them."""
        return await self.tenant.vendor.notes(self.ticket_id)

    async def noted(self, count: int = 1) -> None:
        """Wait until there are so many notes."""

        async def there() -> bool:
            return len(await self.notes()) == count

        assert await came_true(there, seconds=60)

    async def parked(self, waiting: str) -> None:
        """Wait until the run says what it waits for."""

        async def says() -> bool:
            return (await self.handle.describe()).typed_search_attributes.get(WAITING_FOR) == waiting

        assert await came_true(says, seconds=PATIENCE)

    async def waiting(self) -> None:
        """Wait until the run has set a timer."""

        async def waits() -> bool:
            events = (await self.handle.fetch_history()).events
            return any(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in events)

        assert await came_true(waits, seconds=PATIENCE)

    async def thaw(self) -> None:
        """Skip what a frozen run waits for, until it ends."""
        await self.desk.skipper.fast_forward(self.handle)

    async def attempted(self, activity: str, attempt: int) -> None:
        """Wait until that attempt at the activity is the next, or under way."""

        async def seen() -> bool:
            pending = (await self.handle.describe()).raw_description.pending_activities
            return any((one.activity_type.name, one.attempt) == (activity, attempt) for one in pending)

        assert await came_true(seen, seconds=PATIENCE)


Place = Callable[[Run], AbstractAsyncContextManager[None]]
"""Brings a run to its step. On leaving, there is no worker: it may do what happens meanwhile, or wait for another."""


def not_begun(activity: str) -> Place:
    """Temporal has handed the activity out, and the worker does not know yet."""

    @asynccontextmanager
    async def place(run: Run) -> AsyncIterator[None]:
        async with run.poised(activity, run.start):
            handing_out = run.halt(activity, answers=True)
        await run.worker.temporal.kept(handing_out)
        yield

    return place


def not_reported(activity: str) -> Place:
    """The activity has ended, and Temporal does not know yet."""

    @asynccontextmanager
    async def place(run: Run) -> AsyncIterator[None]:
        async with run.poised(activity, run.start):
            reporting = run.halt(activity)
        await run.worker.temporal.kept(reporting)
        yield

    return place


def undecided(word: str) -> Place:
    """The workflow task that says this has ended, and Temporal does not know yet."""

    @asynccontextmanager
    async def place(run: Run) -> AsyncIterator[None]:
        saying = run.halt(word)
        await run.start()
        await run.worker.temporal.kept(saying)
        yield

    return place


@asynccontextmanager
async def asking_for_the_tenant(run: Run) -> AsyncIterator[None]:
    await run.meeting.turn("get_ticket")
    run.worker.database.keep_requests(run.tenant.id.encode())
    await run.start()
    await run.worker.database.kept(run.tenant.id.encode())
    yield


@asynccontextmanager
async def asking_the_history(run: Run) -> AsyncIterator[None]:
    async with run.poised("gather_context", run.start):
        run.worker.database.keep_requests(run.tenant.id.encode())
    await run.worker.database.kept(run.tenant.id.encode())
    yield


@asynccontextmanager
async def getting(run: Run) -> AsyncIterator[None]:
    run.vendor.keep_requests(*READ)
    async with run.poised("get_ticket", run.start):
        pass
    await run.halted_at_vendor()
    yield


@asynccontextmanager
async def got(run: Run) -> AsyncIterator[None]:
    run.vendor.keep_answers(*READ)
    async with run.poised("get_ticket", run.start):
        pass
    await run.halted_at_vendor()
    yield


@asynccontextmanager
async def looking(run: Run) -> AsyncIterator[None]:
    async with run.poised("update_ticket", run.start):
        run.vendor.keep_requests(*READ)
    await run.halted_at_vendor()
    yield


@asynccontextmanager
async def writing(run: Run) -> AsyncIterator[None]:
    async with run.poised("update_ticket", run.start):
        run.vendor.keep_requests(*WRITE)
    await run.vendor.kept(run.ref.encode())  # the whole of it: its end is in it
    yield


@asynccontextmanager
async def writing_what_lands_before_anyone_looks(run: Run) -> AsyncIterator[None]:
    async with writing(run):
        yield
    await run.vendor.deliver()
    await run.noted()


@asynccontextmanager
async def writing_what_lands_after_the_next_has_written(run: Run) -> AsyncIterator[None]:
    async with run.poised("update_ticket", run.start_frozen):
        run.vendor.keep_requests(*WRITE)
    await run.vendor.kept(run.ref.encode())  # the whole of it: its end is in it
    yield
    await run.meeting.successor.wait()
    await run.noted()  # by the second attempt
    await run.vendor.deliver()  # and now by the first
    if run.tenant.tool != "zendesk":  # its update is refused: the ticket has changed since the look before it
        await run.noted(2)
    await run.thaw()


@asynccontextmanager
async def written(run: Run) -> AsyncIterator[None]:
    async with run.poised("update_ticket", run.start):
        run.vendor.keep_answers(*WRITE)
    await run.halted_at_vendor()
    await run.noted()
    yield


async def doubtful(run: Run, start: Callable[[], Awaitable[None]]) -> None:
    """Start the run, have its first attempt's note land, and the answer to that be lost."""
    run.vendor.keep_answers(*WRITE)
    await start()
    await run.halted_at_vendor()
    await run.noted()
    run.vendor.keep_nothing()
    run.vendor.cut()


@asynccontextmanager
async def waiting_for_the_second_look(run: Run) -> AsyncIterator[None]:
    await doubtful(run, run.start_frozen)
    await run.attempted("update_ticket", 2)
    await run.meeting.turn("write_note")
    await run.desk.skipper.fast_forward(run.handle, 20.0)
    await run.waiting()
    yield
    await run.meeting.successor.wait()
    await run.thaw()


@asynccontextmanager
async def looking_again(run: Run) -> AsyncIterator[None]:
    async with run.poised("look_again", partial(doubtful, run, run.start)):
        run.vendor.keep_requests(*READ)
    await run.halted_at_vendor()
    yield


@asynccontextmanager
async def looked_again(run: Run) -> AsyncIterator[None]:
    async with run.poised("look_again", partial(doubtful, run, run.start)):
        reporting = run.halt("look_again")
    await run.worker.temporal.kept(reporting)
    yield


@asynccontextmanager
async def parked_on_pause(run: Run) -> AsyncIterator[None]:
    await run.desk.admin.set_mode(run.tenant.id, TenantMode.PAUSE)
    await run.start_frozen()
    await run.parked("paused")
    yield
    await run.desk.admin.set_mode(run.tenant.id, TenantMode.LIVE)
    await run.handle.signal(RESUME)


@asynccontextmanager
async def parked_before_the_write(run: Run) -> AsyncIterator[None]:
    calling = run.halt("update_ticket")
    await run.start_frozen()
    await run.worker.temporal.kept(calling)
    run.vendor.refuses = True
    run.vendor.cut()
    await run.worker.temporal.release(calling)
    await run.attempted("update_ticket", 2)
    await run.desk.skipper.fast_forward(run.handle, 2.0 + 4.0 + 8.0)
    await run.parked("vendor")
    yield
    run.vendor.refuses = False
    await run.handle.signal(RESUME)


@dataclass(frozen=True)
class Step:
    """Where the worker is killed."""

    name: str
    place: Place
    killed: str
    """What the history says did not end in time: an activity, `WORKFLOW_TASK`, or nothing."""
    detail: str = ""
    """What the run says in the end."""
    tools: Sequence[str] = TOOLS
    """Those for which it is tried: all where the tool makes a difference."""
    workflow: str = ENHANCE_TICKET
    turn: str = ""
    """The activity whose turn it waits for; by default the one that is killed."""


STEPS = (
    Step(
        "validate_webhook, asking for the tenant",
        asking_for_the_tenant,
        WORKFLOW_TASK,
        tools=("jira",),
        turn="get_ticket",
    ),
    Step("extract_metadata, not reported", undecided("get_ticket"), WORKFLOW_TASK, tools=("zendesk",), turn=AT_ONCE),
    Step("get_ticket, not begun", not_begun("get_ticket"), "get_ticket", tools=("servicedesk_plus",)),
    Step("get_ticket, request on its way", getting, "get_ticket"),
    Step("get_ticket, answer not read", got, "get_ticket"),
    Step("get_ticket, not reported", not_reported("get_ticket"), "get_ticket"),
    Step("gather_context, asking the history", asking_the_history, "gather_context", tools=("zendesk",)),
    Step("gather_context, not reported", not_reported("gather_context"), "gather_context", tools=("jira",)),
    Step("write_note, not reported", not_reported("write_note"), "write_note", tools=("servicedesk_plus",)),
    Step("update_ticket, not begun", not_begun("update_ticket"), "update_ticket"),
    Step("update_ticket, looking", looking, "update_ticket"),
    Step("update_ticket, request lost", writing, "update_ticket"),
    Step("update_ticket, landed before anyone looks", writing_what_lands_before_anyone_looks, "update_ticket", FOUND),
    Step(
        "update_ticket, landed after the next has written",
        writing_what_lands_after_the_next_has_written,
        "update_ticket",
    ),
    Step("update_ticket, answer not read", written, "update_ticket", FOUND),
    Step("update_ticket, not reported", not_reported("update_ticket"), "update_ticket", FOUND),
    Step("waiting for the second look", waiting_for_the_second_look, "", FOUND, tools=("jira",), turn="write_note"),
    Step("look_again, request on its way", looking_again, "look_again", FOUND),
    Step("look_again, not reported", looked_again, "look_again", FOUND),
    Step("the end, not reported", undecided("DeskhandOutcome"), WORKFLOW_TASK, turn=AT_ONCE),
    Step("parked on pause", parked_on_pause, "", tools=("zendesk",), turn=AT_ONCE),
    Step("parked before the write", parked_before_the_write, "", tools=("servicedesk_plus",), turn=AT_ONCE),
    Step(
        "record_ticket, not reported",
        not_reported("record_ticket"),
        "record_ticket",
        "the history already had this resolution or a later one",
        tools=("jira",),
        workflow=RECORD_RESOLUTION,
    ),
)


@dataclass(frozen=True)
class Ending:
    """What came of a run under which the worker was killed."""

    result: RunResult
    ref: str
    notes: list[dict[str, Any]]
    killed: set[str]
    """The activities that have an attempt which never reported, and `WORKFLOW_TASK` if one did not."""


Endings: TypeAlias = Mapping[tuple[str, str], Ending | BaseException]
"""By the step's name and the tool; or why there is none."""


@pytest.fixture(scope="module")
async def endings(shared_desk: Desk) -> Endings:
    """Every run at its step, one kill per tool, another worker, and what came of each."""
    await shared_desk.clear_faults()
    placing = asyncio.Lock()
    found = await asyncio.gather(*(_endings(shared_desk, tool, placing) for tool in TOOLS))
    return {(name, tool): ending for tool, some in zip(TOOLS, found, strict=True) for name, ending in some.items()}


async def _endings(desk: Desk, tool: str, placing: asyncio.Lock) -> Mapping[str, Ending | BaseException]:
    steps = [step for step in STEPS if tool in step.tools]
    async with AsyncExitStack() as closing:
        async with placing:
            port = desk.stack.state.ports.tools[tool]
            vendors = [await closing.enter_async_context(WordTap(port)) for _ in steps]
            worker = await closing.enter_async_context(tapped_worker(desk.stack, f"tapped-{tool}", vendors))
            meeting = Meeting()
            runs = [
                await _prepared(desk, step, tool, worker, vendor, meeting)
                for step, vendor in zip(steps, vendors, strict=True)
            ]
            places = [step.place(run) for step, run in zip(steps, runs, strict=True)]
            troubles = await _all_placed(steps, places, meeting)
            desk.stack.kill(worker.name)
            worker.temporal.forget()
            worker.database.keep_nothing()
            worker.database.cut()
            for vendor in vendors:
                vendor.keep_nothing()

        async def start_again() -> None:
            await desk.stack.start(worker.name)
            meeting.successor.set()

        starting = asyncio.create_task(start_again())
        came = await asyncio.gather(*map(_ending, runs, places, troubles), return_exceptions=True)
        await starting
        return {step.name: ending for step, ending in zip(steps, came, strict=True)}


async def _prepared(desk: Desk, step: Step, tool: str, worker: TappedWorker, vendor: WordTap, meeting: Meeting) -> Run:
    tenant = await desk.tenant(tool, changed={"base_url": f"http://{vendor.address}"})
    ticket_id = await tenant.vendor.ticket()
    resolved = step.workflow == RECORD_RESOLUTION
    if resolved:
        await tenant.vendor.resolve(ticket_id, "Replaced the cable.")
    # At once: the tool signs with the secret of the tenant that was connected last.
    signed = await desk.signed(tenant, ticket_id, "resolved" if resolved else "created")
    delivery = Delivery(
        tool=tool,
        tenant_id=tenant.id,
        raw=signed.raw,
        signature=PLUGINS[tool](None, None).signature_from(  # type: ignore[arg-type]  # reads headers, touches neither
            {name.lower(): value for name, value in signed.headers.items()}, tenant.settings
        ),
        received_at=datetime.now(UTC),
    )
    return Run(desk, worker, tenant, vendor, ticket_id, delivery, step.workflow, meeting)


async def _all_placed(
    steps: Sequence[Step], places: Sequence[AbstractAsyncContextManager[None]], meeting: Meeting
) -> list[BaseException | None]:
    """Bring all to their steps; for each, why it does not get there, if it does not."""
    turns = [step.turn or step.killed for step in steps]
    tasks = [asyncio.create_task(_enter(place)) for place in places]
    assert await until(lambda: all(task.done() or task in meeting.poised for task in tasks), seconds=60)
    for now in TURNS:
        meeting.turns[now].set()
        await asyncio.wait([task for task, turn in zip(tasks, turns, strict=True) if turn in (now, AT_ONCE)])
    return [task.exception() for task in tasks]


async def _enter(place: AbstractAsyncContextManager[None]) -> None:
    await place.__aenter__()


async def _ending(run: Run, place: AbstractAsyncContextManager[None], trouble: BaseException | None) -> Ending:
    if trouble is not None:
        raise trouble
    await place.__aexit__(None, None, None)
    result = await run.handle.result()
    killed = attempts(await run.handle.fetch_history()).unended
    return Ending(result, run.ref, await run.notes(), killed)


@pytest.mark.parametrize(
    ("step", "tool"), [pytest.param(step, tool, id=f"{step.name}-{tool}") for step in STEPS for tool in step.tools]
)
def test_one_private_note_after_a_kill_at(endings: Endings, step: Step, tool: str) -> None:
    ending = endings[step.name, tool]
    if isinstance(ending, BaseException):
        raise ending
    assert ending.killed == ({step.killed} if step.killed else set())
    assert ending.result.detail == step.detail
    if step.workflow == RECORD_RESOLUTION:
        assert (ending.result.outcome, ending.notes) == (Outcome.RECORDED, [])
        return
    assert ending.result.outcome is Outcome.POSTED
    (note,) = ending.notes
    assert note["private"] is True
    assert ending.ref in note_text(note)


ROUNDS = 3


async def test_one_private_note_each_after_kills_at_random_moments(desk: Desk) -> None:
    chance = random.Random(6)  # noqa: S311 - a fixed seed
    runs: list[tuple[Tenant, str, WorkflowHandle[Any, RunResult]]] = []
    for _ in range(ROUNDS):
        for tool in TOOLS:
            tenant = await desk.tenant(tool)
            runs += [(tenant, *await desk.new_run(tenant)) for _ in range(2)]
        await asyncio.sleep(chance.uniform(0, 0.2))  # not to wait for something: the moment is what is tried
        desk.stack.kill(WORKER)
        await desk.stack.start(WORKER)
    for tenant, ticket_id, handle in runs:
        assert (await handle.result()).outcome is Outcome.POSTED
        (note,) = await tenant.vendor.notes(ticket_id)
        assert note["private"] is True
