"""What a pass makes of the tickets that a plugin lists, and of a plugin that fails in between."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import reconcile
from activities.reconcile import StartMissing
from deskhand.runs.order import Order, RunsRefusedError, RunsUnavailableError, Taken
from deskhand.runs.pacing import PER_SECOND
from plugins.base import TicketingToolPlugin, TicketMetadata
from plugins.exceptions import APIError, PluginError, RateLimitError
from plugins.payload import rebuild
from plugins.types import EventKind, TenantMode, TenantSettings
from tests.support.pretend import MemoryTenants
from workflows.contracts import Reconciled, ReconcileInput, ReconcileStep, Walked
from workflows.reconcile import FURTHEST, look_back

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
PASS = ReconcileInput(tool="lister", tenant_id="acme", since=SINCE)
DRY = ReconcileInput(tool="lister", tenant_id="acme", since=SINCE, dry_run=True)


class FourMethods(TicketingToolPlugin):
    """A plugin without a hook."""

    __tool_type__ = "lister"

    def __init__(self, mode: TenantMode = TenantMode.LIVE) -> None:
        tenants = MemoryTenants()
        tenants.add("acme", "lister", mode=mode)
        super().__init__(tenants, httpx.AsyncClient())

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        return False

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        return None

    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        return False

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        tenant_id = payload.get("about", payload["tenant_id"])
        return TicketMetadata(tenant_id, payload["id"], "", "low", datetime.now(UTC))


class Lister(FourMethods):
    """One that lists what it is told to; where that is an error, it fails there, the first time."""

    def __init__(self, tickets: Sequence[dict[str, Any] | PluginError], mode: TenantMode = TenantMode.LIVE) -> None:
        super().__init__(mode)
        self._tickets = list(tickets)
        self.lists: list[AsyncIterator[dict[str, Any]]] = []
        """Kept, so that none is closed only because nobody has it any more."""
        self.closed = 0

    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        return EventKind(payload.get("kind", "created"))

    def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        assert (tenant_id, since) == ("acme", SINCE)
        self.lists.append(self._list())
        return self.lists[-1]

    async def _list(self) -> AsyncIterator[dict[str, Any]]:
        try:
            for ticket in list(self._tickets):
                if isinstance(ticket, PluginError):
                    self._tickets.remove(ticket)
                    raise ticket
                yield ticket
        finally:
            self.closed += 1


class Runs:
    """Runs in memory."""

    def __init__(self, *there: str, failing: Exception | None = None) -> None:
        self.orders: dict[str, Order | None] = dict.fromkeys(there)
        self._failing = failing

    async def start(self, order: Order) -> Taken:
        if self._failing is not None:
            raise self._failing
        if order.run in self.orders:
            return Taken.REPEATED
        self.orders[order.run] = order
        return Taken.STARTED

    async def known(self, run: str) -> bool:
        return run in self.orders


class Attempts:
    """An activity's attempts, one after another, as Temporal makes them: each is told the last one's heartbeat."""

    def __init__(self, plugin: TicketingToolPlugin, runs: Runs, *, most: int = reconcile.MOST) -> None:
        self._activity = StartMissing({"lister": plugin}, lambda: runs, most)
        self._said: tuple[Any, ...] = ()

    async def one_more(self, given: ReconcileInput = PASS) -> ReconcileStep:
        """Make one."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info, start_to_close_timeout=timedelta(seconds=60), heartbeat_details=self._said
        )
        environment.on_heartbeat = self._heard
        return await environment.run(self._activity.run, given)

    async def failed(self) -> ApplicationError:
        """Make one that fails."""
        with pytest.raises(ApplicationError) as caught:
            await self.one_more()
        return caught.value

    def _heard(self, *details: Any) -> None:
        self._said = details


def run_of(ticket_id: str) -> str:
    return f"lister:acme:{ticket_id}:created"


def tickets(*ids: str, **more: Any) -> list[dict[str, Any]]:
    return [{"tenant_id": "acme", "id": ticket_id, **more} for ticket_id in ids]


def counts(walked: Walked) -> dict[str, int]:
    names = ("seen", "started", "had_run", "ignored", "unusable")
    return {name: getattr(walked, name) for name in names if getattr(walked, name)}


async def test_a_run_is_started_as_its_webhook_would_have_done_but_for_the_signature() -> None:
    runs = Runs()
    await Attempts(Lister(tickets("7", kind="created")), runs).one_more()
    order = runs.orders["lister:acme:7:created"]
    assert order is not None
    assert (order.workflow, order.ticket_id, order.priority) == ("EnhanceTicket", "7", "low")
    delivery = order.delivery
    assert (delivery.tool, delivery.tenant_id, delivery.origin, delivery.signature) == (
        "lister",
        "acme",
        "reconcile",
        "",
    )
    assert abs(datetime.now(UTC) - delivery.received_at) < timedelta(minutes=1)
    payload = rebuild(delivery.raw, "acme", delivery.received_at, TenantSettings())
    assert payload == {"tenant_id": "acme", "id": "7", "kind": "created"}


async def test_a_ticket_that_is_listed_twice_counts_once() -> None:
    listed = [*tickets("1", "2", ""), *tickets("3", kind="other")]
    for given, started in ((PASS, {run_of("1"), run_of("2")}), (DRY, {run_of("2")})):
        runs = Runs(run_of("2"))
        step = await Attempts(Lister([*listed, *listed]), runs).one_more(given)
        assert counts(step.walked) == {"seen": 4, "started": 1, "had_run": 1, "unusable": 1, "ignored": 1}
        assert step.walked.missing == ((run_of("1"),) if given is DRY else ())
        assert (step.more, set(runs.orders)) == (False, started)


UNUSABLE: dict[str, dict[str, Any]] = {
    "no id": {"tenant_id": "acme", "id": ""},
    "the plugin stumbles": {"tenant_id": "acme"},
    "half a surrogate pair": {"tenant_id": "acme", "id": "3", "text": "\ud83d"},
    "not a number": {"tenant_id": "acme", "id": "3", "cost": float("nan")},
    "another tenant's": {"tenant_id": "other", "id": "3"},
    "about another tenant": {"tenant_id": "acme", "id": "3", "about": "other"},
    "too large": {"tenant_id": "acme", "id": "3", "text": "x" * reconcile.MAX_RAW},
    "no JSON": {"tenant_id": "acme", "id": "3", ("a",): "tuple"},  # type: ignore[dict-item]
}


@pytest.mark.parametrize("why", UNUSABLE)
async def test_an_unusable_ticket_is_counted_and_the_others_have_their_turn(why: str) -> None:
    runs = Runs()
    step = await Attempts(Lister([*tickets("1"), UNUSABLE[why], *tickets("2")]), runs).one_more()
    assert counts(step.walked) == {"seen": 3, "started": 2, "unusable": 1}
    assert set(runs.orders) == {run_of("1"), run_of("2")}


@pytest.mark.parametrize("kind", ["own", "other", "resolved"])
async def test_what_asks_for_no_note_is_ignored(kind: str) -> None:
    runs = Runs()
    step = await Attempts(Lister(tickets("1", kind=kind)), runs).one_more()
    assert (counts(step.walked), runs.orders) == ({"seen": 1, "ignored": 1}, {})


async def test_a_step_ends_at_a_number_of_tickets_and_the_next_goes_on_after_them() -> None:
    plugin, runs = Lister(tickets("1", "2", "3", "4", "5")), Runs(run_of("4"))
    given = PASS
    steps: list[ReconcileStep] = []
    while len(steps) < 3:
        step = await Attempts(plugin, runs, most=2).one_more(given)
        (payload,) = await pydantic_data_converter.encode([step])
        (step,) = await pydantic_data_converter.decode([payload], [ReconcileStep])
        steps.append(step)
        given = given.model_copy(update={"walked": step.walked})
    assert [counts(step.walked) for step in steps] == [
        {"seen": 2, "started": 2},
        {"seen": 4, "started": 3, "had_run": 1},
        {"seen": 5, "started": 4, "had_run": 1},
    ]
    assert [step.more for step in steps] == [True, True, False]
    assert plugin.closed == 3


async def test_an_attempt_goes_on_from_where_the_last_one_failed() -> None:
    plugin = Lister([*tickets("1", "2", "3", "4"), APIError("it is down"), *tickets("5")])
    runs = Runs(run_of("1"))
    attempts = Attempts(plugin, runs)
    error = await attempts.failed()
    assert (error.type, error.message, error.non_retryable) == ("APIError", "it is down", False)
    assert counts((await attempts.one_more()).walked) == {"seen": 5, "started": 4, "had_run": 1}


async def test_each_start_has_its_turn_at_twenty_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    monkeypatch.setattr(reconcile, "Pace", gate.at)
    runs = Runs(run_of("2"), run_of("4"))
    attempt = asyncio.create_task(Attempts(Lister(tickets("1", "2", "3", "4", "5")), runs).one_more())
    for started in (1, 2, 3):
        await gate.reached.get()
        assert len([order for order in runs.orders.values() if order]) == started
        gate.open.release()
    assert counts((await attempt).walked) == {"seen": 5, "started": 3, "had_run": 2}
    assert gate.per_second == PER_SECOND


class Gate:
    """A pace that lets nobody through by itself."""

    def __init__(self) -> None:
        self.per_second = 0.0
        self.reached: asyncio.Queue[None] = asyncio.Queue()
        self.open = asyncio.Semaphore(0)

    def at(self, per_second: float = PER_SECOND) -> "Gate":
        self.per_second = per_second
        return self

    async def turn(self) -> None:
        self.reached.put_nowait(None)
        await self.open.acquire()


async def test_a_dry_run_starts_nothing_and_names_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "MOST_NAMED", 2)
    runs = Runs(run_of("1"))
    walked = (await Attempts(Lister(tickets("1", "2", "3", "4")), runs).one_more(DRY)).walked
    assert counts(walked) == {"seen": 4, "started": 3, "had_run": 1}
    assert walked.missing == (run_of("2"), run_of("3"))
    assert set(runs.orders) == {run_of("1")}


async def test_nothing_is_listed_for_a_tenant_on_pause() -> None:
    plugin = Lister(tickets("1"), TenantMode.PAUSE)
    step = await Attempts(plugin, Runs()).one_more()
    assert (step.held, step.walked, plugin.closed) == ("the tenant is on pause", Walked(), 0)


async def test_a_plugin_that_lists_no_tickets_fails_the_pass_for_good() -> None:
    error = await Attempts(FourMethods(), Runs()).failed()
    assert (error.type, error.non_retryable) == ("ConfigurationError", True)
    assert error.message == "lister: recent_tickets is not supported by this plugin"


@pytest.mark.parametrize(("seconds", "final"), [(0, False), (60, False), (900, False), (901, True)])
async def test_a_pause_that_the_vendor_asks_for_is_waited_for_up_to_a_quarter_of_an_hour(
    seconds: int, final: bool
) -> None:
    error = await Attempts(Lister([RateLimitError("too many", seconds)]), Runs()).failed()
    assert (error.type, error.non_retryable) == ("RateLimitError", final)
    assert error.next_retry_delay == timedelta(seconds=max(1, seconds))


@pytest.mark.parametrize("failing", [RunsUnavailableError("UNAVAILABLE"), RunsRefusedError("PERMISSION_DENIED: no")])
async def test_a_run_that_temporal_does_not_take_is_no_ticket_s_fault(failing: Exception) -> None:
    error = await Attempts(Lister(tickets("1")), Runs(failing=failing)).failed()
    assert error.message == f"Temporal does not take a run: {failing}"
    assert error.non_retryable is False


async def test_a_list_that_does_not_go_on_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stuck(FourMethods):
        async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
            del tenant_id, since
            await httpx.AsyncClient(transport=Never()).get("https://vendor.example")
            yield {}

    monkeypatch.setattr(reconcile, "NEXT_SECONDS", 0.05)
    error = await Attempts(Stuck(), Runs()).failed()
    assert (error.type, error.message) == ("APIError", "the list of tickets did not go on within 0.05 s")


class Never(httpx.AsyncBaseTransport):
    """A vendor that never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        await asyncio.Event().wait()
        raise AssertionError


BEGAN = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOURS = timedelta(hours=1)


@pytest.mark.parametrize(
    ("caught_up", "back"),
    [
        (None, 2 * HOURS),
        (BEGAN - HOURS, 2 * HOURS),
        (BEGAN - 5 * HOURS, 5 * HOURS),
        (BEGAN - FURTHEST - HOURS, FURTHEST),
    ],
    ids=["the first", "all is well", "those since then failed", "too long ago"],
)
def test_a_scheduled_pass_begins_where_the_last_good_one_did_not_reach(
    caught_up: datetime | None, back: timedelta
) -> None:
    last = Reconciled(since=SINCE, began=SINCE, caught_up=caught_up) if caught_up else None
    assert look_back(BEGAN, 2 * HOURS, last) == BEGAN - back
