"""The rounds in which ours and the floor take turns, each round on fresh servers: a server slows down as it fills."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.admission import admit
from bench.floor_side import floor
from bench.frame import BenchError, Figure, Plan, Progress, against_floor, percentile
from bench.ours import ours
from bench.processes import busy_seconds, cpu_seconds
from bench.sides import Side
from bench.whole_way import AtOnce, seconds_alone

WHOLE_WAY = frozenset({"latency", "throughput", "worker-cpu"})
ADMISSION = frozenset({"admission-p50", "admission-p99"})
KEYS = WHOLE_WAY | ADMISSION

OTHERS = "others"
"""A figure that is no row: what other programs took of the machine meanwhile, in per cent."""

_WARM_UP_AT_ONCE = 10


@dataclass(slots=True)
class _Shown:
    """What one side showed in one round."""

    alone: list[float] = field(default_factory=list)
    at_once: AtOnce = field(default_factory=AtOnce)
    admission: list[float] = field(default_factory=list)
    calls: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Round:
    ours: _Shown
    floor: _Shown
    others: float


async def measure(plan: Plan, wanted: frozenset[str], progress: Progress) -> list[Figure]:
    """The wanted ones of `KEYS`, and `OTHERS`."""
    seen = []
    for number in range(plan.rounds):
        progress(f"round {number + 1} of {plan.rounds}: fresh servers")
        # Both run at the same time, and the one that is not asked for anything takes next to nothing: that way a turn
        # is over in seconds, and a machine that is busy with something else for a while is so for both.
        async with ours() as mine, floor() as least:
            seen.append(await _round(mine, least, plan, wanted, progress))
    figures = _figures(seen, wanted)
    return [*figures, Figure(OTHERS, tuple(one.others for one in seen))]


async def _round(mine: Side, least: Side, plan: Plan, wanted: frozenset[str], progress: Progress) -> _Round:
    sides = ((mine, _Shown()), (least, _Shown()))
    tickets = plan.warm_up
    for side, _ in sides:
        await AtOnce().turn(side, await side.prepare(plan.warm_up), _WARM_UP_AT_ONCE)
    before = _taken((mine, least))
    if "latency" in wanted:
        progress(f"  {plan.one_at_a_time} tickets each, one at a time")
        tickets += plan.one_at_a_time
        for number in range(plan.one_at_a_time):
            for side, shown in _in_turn(sides, number):
                shown.alone.append(await seconds_alone(side, (await side.prepare(1))[0]))
    if wanted & {"throughput", "worker-cpu"}:
        progress(f"  {plan.turns} times {plan.tickets} tickets each, {plan.at_once} at a time")
        tickets += plan.turns * plan.tickets
        for number in range(plan.turns):
            for side, shown in _in_turn(sides, number):
                await shown.at_once.turn(side, await side.prepare(plan.tickets), plan.at_once)
    others = _others(before, _taken((mine, least)))
    for side, shown in sides:
        shown.calls = await side.calls_per_ticket(tickets)
    _require_same_calls(*(shown.calls for _, shown in sides))
    if wanted & ADMISSION:
        progress(f"  {plan.turns} times {plan.deliveries} deliveries each, {plan.per_second} per second")
        for side, _ in sides:
            await side.stop_worker()
        for number in range(plan.turns):
            for side, shown in _in_turn(sides, number):
                shown.admission += await admit(side, await side.prepare(plan.deliveries), plan.per_second)
    return _Round(sides[0][1], sides[1][1], others)


def _in_turn(sides: Sequence[tuple[Side, _Shown]], number: int) -> Sequence[tuple[Side, _Shown]]:
    """Each goes first every other time, so that a machine that grows slower or faster favours neither."""
    return sides if number % 2 == 0 else tuple(reversed(sides))


def _require_same_calls(ours: Mapping[str, int], floor: Mapping[str, int]) -> None:
    if ours != floor:
        raise BenchError(
            f"the floor does not make the calls to the tool that our run makes: {dict(floor)}, not {dict(ours)}. "
            "Bring bench/floor.py up to date"
        )


@dataclass(frozen=True, slots=True)
class _Taken:
    moment: float
    machine: float
    us: float


def _taken(sides: Sequence[Side]) -> _Taken:
    """The CPU time that the machine, and that all of ours on it, have taken."""
    us = time.process_time() + sum(cpu_seconds(pid) for side in sides for pid in side.pids.values())
    return _Taken(time.monotonic(), busy_seconds(), us)


def _others(before: _Taken, after: _Taken) -> float:
    others = (after.machine - before.machine) - (after.us - before.us)
    return max(0.0, 100 * others / ((after.moment - before.moment) * (os.cpu_count() or 1)))


def _figures(seen: Sequence[_Round], wanted: frozenset[str]) -> list[Figure]:
    figures = []
    if "throughput" in wanted:
        rates = ((one.ours.at_once.per_second, one.floor.at_once.per_second) for one in seen)
        figures.append(against_floor("throughput", rates, unit="tickets/s"))
    if "latency" in wanted:
        alone = ((median(one.ours.alone), median(one.floor.alone)) for one in seen)
        figures.append(against_floor("latency", alone, unit="ms", scale=1000))
    if "worker-cpu" in wanted:
        figures.append(_cpu(seen))
    for key, share in (("admission-p50", 0.5), ("admission-p99", 0.99)):
        if key in wanted:
            taken = ((percentile(one.ours.admission, share), percentile(one.floor.admission, share)) for one in seen)
            figures.append(against_floor(key, taken, unit="ms", scale=1000))
    return figures


def _cpu(seen: Sequence[_Round]) -> Figure:
    """The worker's, and behind it what every other process of the two spends on a ticket."""
    spent = {
        f"{name}, {process}": tuple(1000 * turns.cpu[process] / turns.tickets for turns in of_side)
        for name, of_side in (
            ("ours", [one.ours.at_once for one in seen]),
            ("floor", [one.floor.at_once for one in seen]),
        )
        for process in of_side[0].cpu
    }
    workers = zip(spent.pop("ours, worker"), spent.pop("floor, worker"), strict=True)
    figure = against_floor("worker-cpu", workers, unit="ms")
    others = {f"{process}, ms": values for process, values in spent.items()}
    return Figure(figure.row, figure.rounds, {**figure.behind, **others})
