"""What the door does while Temporal is away: when it asks Temporal, when the spool, and what it tells the sender."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn, Self, cast

import pytest

from deskhand.crypto.keyring import Keyring
from deskhand.db.pool import Pool
from deskhand.runs import spool as spool_module
from deskhand.runs.order import Order, RunsRefusedError, RunsUnavailableError, Taken
from deskhand.runs.spool import Spool, SpoolFullError
from starter.spool import Outage, SpoolingRuns
from workflows.contracts import ENHANCE_TICKET, Delivery

ORDER = Order(
    workflow=ENHANCE_TICKET,
    run="signed:acme:T-1:created",
    ticket_id="T-1",
    delivery=Delivery(tool="signed", tenant_id="acme", raw=b"{}", received_at=datetime.now(UTC)),
)
DOWN = RunsUnavailableError("UNAVAILABLE")


class Place:
    """Temporal or the spool: takes what comes, or fails with `error`. `asked` counts who came."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.asked = 0
        self.refused: list[str | None] = []

    def _take(self) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error

    async def start(self, order: Order) -> Taken:
        self._take()
        return Taken.STARTED

    async def put(self, order: Order, *, refused: str | None = None) -> None:
        self._take()
        self.refused.append(refused)

    async def check(self) -> None:
        if self.error is not None:
            raise self.error


class Scene:
    def __init__(self) -> None:
        self.temporal, self.spool, self.outage = Place(), Place(), Outage()
        self.runs = SpoolingRuns(cast(Any, self.temporal), cast(Spool, self.spool), self.outage)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_temporal_is_asked_first_and_the_spool_not_at_all(scene: Scene) -> None:
    assert await scene.runs.start(ORDER) is Taken.STARTED
    assert scene.spool.asked == 0


async def test_once_temporal_is_away_deliveries_do_not_wait_for_it_until_it_is_back(scene: Scene) -> None:
    scene.temporal.error = DOWN
    assert [await scene.runs.start(ORDER) for _ in range(5)] == [Taken.SPOOLED] * 5
    assert scene.temporal.asked == 1
    assert scene.outage.spooled.is_set(), "the drainer is woken"
    scene.temporal.error = None
    scene.outage.ends()  # the drainer says so
    assert await scene.runs.start(ORDER) is Taken.STARTED


async def test_without_a_spool_temporal_is_asked_even_if_it_was_away(scene: Scene) -> None:
    scene.temporal.error = scene.spool.error = DOWN
    with pytest.raises(RunsUnavailableError, match="Temporal: UNAVAILABLE; spool: UNAVAILABLE"):
        await scene.runs.start(ORDER)
    scene.temporal.error = None
    assert await scene.runs.start(ORDER) is Taken.STARTED
    assert not scene.outage.lasts, "a start that works is the best proof that there is"


async def test_a_flood_into_a_full_spool_does_not_wait_for_temporal_again(scene: Scene) -> None:
    scene.temporal.error, scene.spool.error = DOWN, SpoolFullError("full")
    for _ in range(3):
        with pytest.raises(SpoolFullError):
            await scene.runs.start(ORDER)
    assert scene.temporal.asked == 1


@pytest.mark.parametrize("spool_was_away", [False, True])
async def test_what_temporal_refuses_is_kept_with_its_reason(scene: Scene, spool_was_away: bool) -> None:
    if spool_was_away:
        scene.temporal.error = scene.spool.error = DOWN
        with pytest.raises(RunsUnavailableError):
            await scene.runs.start(ORDER)
        scene.spool.refused.clear()
        scene.outage.ends()
    scene.spool.error, scene.temporal.error = None, RunsRefusedError("NOT_FOUND: no such namespace")
    assert await scene.runs.start(ORDER) is Taken.SPOOLED
    assert scene.spool.refused == ["NOT_FOUND: no such namespace"]
    assert not scene.outage.lasts, "a server that refuses is there"


async def test_what_is_refused_and_cannot_be_kept_is_not_taken(scene: Scene) -> None:
    scene.temporal.error, scene.spool.error = RunsRefusedError("NOT_FOUND: no such namespace"), DOWN
    with pytest.raises(RunsUnavailableError):
        await scene.runs.start(ORDER)


BREAK: dict[str, Callable[[Scene], list[Place]]] = {
    "temporal": lambda scene: [scene.temporal],
    "spool": lambda scene: [scene.spool],
    "both": lambda scene: [scene.temporal, scene.spool],
}


@pytest.mark.parametrize("broken", BREAK)
async def test_one_of_the_two_is_enough_to_take_an_order(scene: Scene, broken: str) -> None:
    for place in BREAK[broken](scene):
        place.error = DOWN
    if broken == "both":
        with pytest.raises(RunsUnavailableError):
            await scene.runs.check()
    else:
        await scene.runs.check()


class HangingPool:
    """A pool whose database hangs, and takes its time to be cancelled as well."""

    def __init__(self) -> None:
        self.answer = asyncio.Event()

    def acquire(self, timeout: float) -> Self:
        return self

    async def __aenter__(self) -> NoReturn:
        try:
            await self.answer.wait()
        finally:
            await self.answer.wait()
        raise ConnectionResetError

    async def __aexit__(self, *_: object) -> None:
        raise NotImplementedError


async def test_a_database_that_cannot_even_be_cancelled_does_not_hold_the_sender(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spool_module, "PUT_SECONDS", 0.01)
    pool = HangingPool()
    spool = Spool(cast(Pool, pool), Keyring.parse(Keyring.generate_text()))
    for ask in (spool.put(ORDER), spool.check()):
        with pytest.raises(RunsUnavailableError):
            await ask
    pool.answer.set()
