"""When a refusal is answered. Lower bounds only: how much later a busy machine is says nothing about the code."""

import asyncio
import time

import pytest

from starter.floor import Floor


async def test_nobody_is_answered_before_the_floor() -> None:
    began = time.monotonic()
    await Floor(0.02).reached(began)
    assert time.monotonic() >= began + 0.02


@pytest.mark.parametrize(("worked", "floor"), [(0.0, 1), (0.015, 1), (0.021, 2), (0.059, 3), (0.061, 4)])
async def test_where_the_work_took_longer_the_next_multiple_is_waited_for(worked: float, floor: int) -> None:
    began = time.monotonic()
    since = began - worked
    await Floor(0.02).reached(since)
    assert time.monotonic() >= since + floor * 0.02


async def test_many_wait_each_for_its_own_moment() -> None:
    """In whatever order they came: none is let go before its time, and none is forgotten."""
    began = time.monotonic()
    moments = [began - place * 0.0007 for place in (5, 1, 9, 3, 0, 7, 2, 8, 4, 6) * 20]

    async def early(since: float) -> bool:
        await Floor(0.02).reached(since)
        return time.monotonic() < since + 0.02

    assert not any(await asyncio.gather(*map(early, moments)))


async def test_one_who_leaves_keeps_no_other_waiting() -> None:
    floor, began = Floor(0.02), time.monotonic()
    left = asyncio.create_task(floor.reached(began))
    await asyncio.sleep(0)
    left.cancel()
    await floor.reached(began)
    assert left.cancelled()


def test_it_outlives_the_loop_of_those_who_waited() -> None:
    async def leave() -> None:
        waiting = asyncio.create_task(Floor(0.01).reached(time.monotonic()))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(leave())
    asyncio.run(Floor(0.02).reached(time.monotonic()))


async def test_a_floor_of_nothing_waits_for_nothing() -> None:
    waiting = asyncio.create_task(Floor(0.0).reached(time.monotonic()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert waiting.done()
