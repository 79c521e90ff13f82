"""The spool over a real PostgreSQL: what its rows show, whose turn it is, and what becomes of what nobody takes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import pytest
import structlog

from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool
from deskhand.devstack.waiting import came_true, until
from deskhand.runs.order import Order, RunsRefusedError, RunsUnavailableError, Taken
from deskhand.runs.spool import Refused, Spool, SpoolFullError
from starter.spool import Drainer, Outage
from workflows.contracts import ENHANCE_TICKET, Delivery
from workflows.identity import workflow_id


def order(tenant_id: str, ticket_id: str, text: str = "printer on fire") -> Order:
    return Order(
        workflow=ENHANCE_TICKET,
        run=workflow_id("signed", tenant_id, ticket_id, "created"),
        ticket_id=ticket_id,
        delivery=Delivery(
            tool="signed",
            tenant_id=tenant_id,
            raw=f'{{"text": "{text}"}}'.encode() + bytes(range(256)),
            signature="sha256=c0ffee",
            received_at=datetime.now(UTC),
        ),
        priority="high",
        delivery_id="delivery-77",
    )


class Taker:
    """Stands in for Temporal: takes what it is told to take, and remembers it."""

    def __init__(self) -> None:
        self.taken: list[Order] = []
        self.errors: dict[str, BaseException] = {}
        """What the runs of these tenants meet."""

    async def start(self, order: Order) -> Taken:
        """Take it, or fail as its tenant says."""
        await asyncio.sleep(0)
        error = self.errors.get(order.delivery.tenant_id)
        if error is not None:
            raise error
        self.taken.append(order)
        return Taken.STARTED

    async def check(self) -> None:
        """It is there."""

    @property
    def tickets(self) -> list[str]:
        """Ticket ids in the order in which they were taken."""
        return [order.ticket_id for order in self.taken]


@pytest.fixture
def spool(app_pool: Pool, payload_keys: Keyring) -> Spool:
    return Spool(app_pool, payload_keys)


@asynccontextmanager
async def draining(*drainers: Drainer) -> AsyncIterator[None]:
    """While these drain. Their end is clean, or the test fails."""
    tasks = [asyncio.create_task(drainer.run()) for drainer in drainers]
    try:
        yield
        assert not any(task.done() for task in tasks), "a drainer never ends by itself"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def drainer(spool: Spool, taker: Taker, outage: Outage | None = None, lanes: int = 4) -> Drainer:
    return Drainer(spool, taker, outage or Outage(), lanes=lanes, poll_seconds=0.02)


async def until_nothing_waits(spool: Spool) -> None:
    async def nothing_waits() -> bool:
        return not await spool.waits()

    assert await came_true(nothing_waits, seconds=30)


async def test_what_comes_out_is_exactly_what_went_in_and_the_row_is_gone(spool: Spool) -> None:
    put, taker = order("acme", "T-1"), Taker()
    await spool.put(put)
    assert await spool.start_next(taker.start)
    assert taker.taken == [put]
    assert not await spool.start_next(taker.start)


async def test_a_row_shows_nothing_of_the_delivery_and_equal_tenants_only_by_hash(
    spool: Spool, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await spool.put(order("acme", "T-4711"))
    await spool.put(
        order("acme", "T-4712"), refused="INVALID_ARGUMENT: signed:acme:T-4712:created of acme, T-4712 is bad"
    )
    await spool.put(order("acme-2", "T-4711"))
    rows = await superuser.fetch("SELECT * FROM spool ORDER BY id")
    shown = b"\n".join(str(value).encode() if not isinstance(value, bytes) else value for row in rows for value in row)
    for plain in (b"printer", b"acme", b"T-471", b"4711", b"signed", b"delivery-77", b"c0ffee", b"high", b"Enhance"):
        assert plain not in shown
    assert rows[1]["reason"] == "INVALID_ARGUMENT: … of …, … is bad"
    first, second, other = (row["tenant_hash"] for row in rows)
    assert first == second != other
    assert len({row["ticket_hash"] for row in rows}) == len({row["run_hash"] for row in rows}) == 3


async def test_a_redelivery_is_no_second_row_and_taken_all_the_same(
    spool: Spool, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await asyncio.gather(*(spool.put(order("acme", "T-1")) for _ in range(8)))
    await spool.put(order("acme", "T-1"), refused="NOT_FOUND: no such namespace")
    assert await superuser.fetchval("SELECT count(*) FROM spool") == 1
    assert (await spool.state()).waiting == 1


async def test_a_redelivery_of_what_is_in_quarantine_lets_it_try_again(spool: Spool) -> None:
    await spool.put(order("acme", "T-1"), refused="NOT_FOUND: no such namespace")
    assert not await spool.waits()
    await spool.put(order("acme", "T-1"))
    state = await spool.state()
    assert (state.waiting, state.refused) == (1, 0)


async def test_a_tenant_over_its_bound_is_refused_and_another_is_not(
    app_pool: Pool, payload_keys: Keyring, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    spool = Spool(app_pool, payload_keys, max_per_tenant=3)
    for number in range(3):
        await spool.put(order("flood", f"T-{number}"))
    with pytest.raises(SpoolFullError) as caught:
        await spool.put(order("flood", "T-3"))
    assert "flood" not in str(caught.value)
    await spool.put(order("flood", "T-0"))  # a repeat needs no room
    await spool.put(order("calm", "T-0"))
    rotated = Keyring.parse(Keyring.generate_text("new"))
    both = Keyring(rotated.primary_id, {**rotated.keys, **payload_keys.keys})
    with pytest.raises(SpoolFullError):
        await Spool(app_pool, both, max_per_tenant=3).put(order("flood", "T-4"))
    assert await superuser.fetchval("SELECT count(*) FROM spool") == 4


async def test_one_tenants_flood_does_not_keep_another_waiting(spool: Spool) -> None:
    for number in range(40):
        await spool.put(order("flood", f"F-{number:02}"))
    for number in range(3):
        await spool.put(order("calm", f"C-{number}"))
        await spool.put(order("quiet", f"Q-{number}"))
    taker = Taker()
    async with draining(drainer(spool, taker, lanes=1)):
        await until_nothing_waits(spool)
    assert {ticket[0] for ticket in taker.tickets[:9]} == {"F", "C", "Q"}
    assert all(len({ticket[0] for ticket in taker.tickets[n : n + 3]}) == 3 for n in (0, 3, 6))
    for tenant in "FCQ":
        own = [ticket for ticket in taker.tickets if ticket[0] == tenant]
        assert own == sorted(own), "each tenant's in the order in which they came"


async def test_drainers_side_by_side_start_each_order_once(spool: Spool) -> None:
    for number in range(60):
        await spool.put(order(f"tenant-{number % 7}", f"T-{number:02}"))
    taker = Taker()
    async with draining(drainer(spool, taker), drainer(spool, taker)):
        await until_nothing_waits(spool)
    assert sorted(taker.tickets) == [f"T-{number:02}" for number in range(60)]


async def test_a_start_that_is_cut_off_leaves_the_order(spool: Spool) -> None:
    await spool.put(order("acme", "T-1"))
    began = asyncio.Event()

    async def never(_: Order) -> None:
        began.set()
        await asyncio.Event().wait()

    starting = asyncio.create_task(spool.start_next(never))
    await began.wait()
    assert not await spool.start_next(Taker().start), "another drainer passes it over meanwhile"
    assert await spool.waits()
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    taker = Taker()
    await spool.start_next(taker.start)
    assert taker.tickets == ["T-1"]


async def test_temporal_away_leaves_the_order_and_its_drainer_goes_on_when_it_is_back(spool: Spool) -> None:
    await spool.put(order("acme", "T-1"))
    taker, outage = Taker(), Outage()
    taker.errors["acme"] = RunsUnavailableError("UNAVAILABLE")
    async with draining(drainer(spool, taker, outage)):
        assert await until(lambda: outage.lasts, seconds=30)
        assert (await spool.state()).waiting == 1
        taker.errors.clear()
        await until_nothing_waits(spool)
    assert taker.tickets == ["T-1"]
    assert not outage.lasts


async def test_an_order_that_is_never_taken_keeps_no_other_tenant_waiting(spool: Spool) -> None:
    for tenant in ("stuck", "a", "b", "c", "d"):
        await spool.put(order(tenant, f"T-{tenant}"))
    taker = Taker()
    taker.errors["stuck"] = RunsUnavailableError("RESOURCE_EXHAUSTED")

    async def only_one_waits() -> bool:
        return (await spool.state()).waiting == 1

    async with draining(drainer(spool, taker)):
        assert await came_true(only_one_waits, seconds=30)
    assert {"T-a", "T-b", "T-c", "T-d"} == set(taker.tickets)


async def test_a_drainer_outlives_a_start_that_cancels_itself(spool: Spool) -> None:
    await spool.put(order("acme", "T-1"))
    taker = Taker()
    taker.errors["acme"] = asyncio.CancelledError()
    with structlog.testing.capture_logs() as logs:
        async with draining(drainer(spool, taker)):
            assert await until(lambda: any(line["event"] == "drainer.failed" for line in logs), seconds=30)
            taker.errors.clear()
            await until_nothing_waits(spool)
    assert taker.tickets == ["T-1"]


async def test_a_refused_order_is_set_aside_with_its_reason_and_tried_again_when_told(
    spool: Spool, operator_pool: Pool, payload_keys: Keyring
) -> None:
    for number in range(3):
        await spool.put(order("bad", f"T-{number}"))
    await spool.put(order("odd", "T-1"))
    await spool.put(order("good", "T-1"))
    taker = Taker()
    taker.errors["bad"] = RunsRefusedError("INVALID_ARGUMENT: no such\nattribute for tenant bad")
    taker.errors["odd"] = KeyError("printer on fire")
    with structlog.testing.capture_logs() as logs:
        async with draining(drainer(spool, taker)):
            await until_nothing_waits(spool)
    assert [line["log_level"] for line in logs if line["event"] == "spool.quarantined"] == ["error"] * 4
    assert "printer" not in repr(logs)
    assert [taken.delivery.tenant_id for taken in taker.taken] == ["good"]

    operators = Spool(operator_pool, payload_keys)
    state = await operators.state()
    assert (state.waiting, state.oldest_seconds, state.refused) == (0, None, 4)
    assert state.reasons == (
        Refused("INVALID_ARGUMENT: no such attribute for tenant …", 3),
        Refused("starting it failed: KeyError", 1),
    )
    taker.errors.clear()
    assert await operators.redrive("nobody") == 0
    assert await operators.redrive("odd") == 1
    state = await operators.state()
    assert (state.waiting, state.refused) == (1, 3)
    assert state.oldest_seconds is not None
    assert await operators.redrive() == 3
    async with draining(drainer(spool, taker)):
        await until_nothing_waits(spool)
    assert sorted(taker.tickets) == ["T-0", "T-1", "T-1", "T-1", "T-2"]
    assert (await operators.state()).refused == 0


async def test_what_these_keys_do_not_open_is_set_aside_and_the_rest_goes_on(
    app_pool: Pool, payload_keys: Keyring, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    lost = Spool(app_pool, Keyring.parse(Keyring.generate_text("lost")))
    await lost.put(order("acme", "T-lost"))
    spool = Spool(app_pool, payload_keys)
    for ticket in ("T-moved", "T-good"):
        await spool.put(order("acme", ticket))
    await spool.put(order("other", "T-other"))
    moved = "UPDATE spool SET tenant_hash = (SELECT tenant_hash FROM spool WHERE id = 4) WHERE id = 2"
    assert await superuser.execute(moved) == "UPDATE 1"
    taker = Taker()
    async with draining(drainer(spool, taker)):
        await until_nothing_waits(spool)
    assert sorted(taker.tickets) == ["T-good", "T-other"]
    state = await spool.state()
    assert state.refused == 2
    assert {refused.reason.partition(":")[0] for refused in state.reasons} == {"cannot be opened"}


async def test_a_drainer_outlives_a_database_that_fails_it(
    spool: Spool, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await spool.put(order("acme", "T-1"))
    taker = Taker()
    await superuser.execute("REVOKE DELETE ON spool FROM deskhand_app")
    with structlog.testing.capture_logs() as logs:
        try:
            async with draining(drainer(spool, taker)):
                assert await until(lambda: any(line["event"] == "drainer.failed" for line in logs), seconds=30)
                await superuser.execute("GRANT DELETE ON spool TO deskhand_app")
                await until_nothing_waits(spool)
        finally:
            await superuser.execute("GRANT DELETE ON spool TO deskhand_app")
    assert set(taker.tickets) == {"T-1"}
    (failed, *_) = [line for line in logs if line["event"] == "drainer.failed"]
    assert (failed["log_level"], failed["error"]) == ("error", "InsufficientPrivilegeError")
