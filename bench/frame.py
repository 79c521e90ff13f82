"""What all measurements have in common: how much is measured, and what becomes of the values of its rounds."""

import asyncio
import math
import statistics
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

Progress = Callable[[str], None]
"""Told what is being measured."""


class BenchError(Exception):
    """Something did not go as it must for its time to mean anything. The message says what."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    """Each with servers of its own. In a round, ours and the floor take turns."""
    warm_up: int
    """Tickets that fresh servers handle before any counts."""
    one_at_a_time: int
    """Tickets of a round, one after the other, a turn for each."""
    turns: int
    """Turns of a round in what follows."""
    tickets: int
    """Tickets of a turn, `at_once` of them at any time."""
    at_once: int
    deliveries: int
    """Deliveries of a turn, `per_second` of them whether or not the earlier ones are answered."""
    per_second: float
    calls: int
    """Calls of a round to a function that is measured by itself."""
    starts: int
    """How often worker and starter are started."""


FULL = Plan(
    rounds=5,
    warm_up=20,
    one_at_a_time=50,
    turns=4,
    tickets=100,
    at_once=50,
    deliveries=100,
    per_second=20,
    calls=5_000,
    starts=5,
)
QUICK = Plan(
    rounds=2,
    warm_up=10,
    one_at_a_time=15,
    turns=2,
    tickets=60,
    at_once=50,
    deliveries=50,
    per_second=20,
    calls=1_000,
    starts=3,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """What a row came to, round by round. What is shown of it are median and spread."""

    row: str
    """The row's key in `bench.table`."""
    rounds: tuple[float, ...]
    behind: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """The values that it was made of, round by round, by what they are and their unit."""

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)


def against_floor(row: str, pairs: Iterable[tuple[float, float]], *, unit: str, scale: float = 1.0) -> Figure:
    """The ratio of ours to the floor, of each round by itself: the machine is another one a minute later.

    Args:
        row: the row's key.
        pairs: ours and the floor's of each round.
        unit: what they are in once they are multiplied by `scale`.
        scale: for values that are shown in another unit than they are given in.
    """
    ours, floor = zip(*pairs, strict=True)
    return Figure(
        row=row,
        rounds=tuple(mine / least for mine, least in zip(ours, floor, strict=True)),
        behind={
            f"ours, {unit}": tuple(value * scale for value in ours),
            f"floor, {unit}": tuple(value * scale for value in floor),
        },
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share (0 to 1) of them does not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them return, in their order. When one fails, so does this, and the others are ended."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
