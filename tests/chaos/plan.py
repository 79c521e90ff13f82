"""What will happen in a run, drawn from a seed before it begins: tickets, kills and faults, each at its time.

The same seed makes the same plan. What meets what is another matter: that depends on the machine.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Any

from deskhand.devstack.services import STARTER, WORKER
from deskhand.devstack.stack import POSTGRES, TEMPORAL
from tests.support.desk import TOOLS

DELIVERED_TWICE = 0.15
"""The share of tickets whose webhook is delivered twice, at once or later: vendors promise "at least once" at most."""
FAULTS_EVERY = 2.0
QUIET = 2.0
"""Seconds at the beginning in which nothing is killed."""

KILLED: Mapping[str, tuple[float, float]] = {
    WORKER: (18.0, 4.0),
    STARTER: (18.0, 4.0),
    TEMPORAL: (35.0, 8.0),
    POSTGRES: (35.0, 8.0),
}
"""What is killed: how many seconds from one kill to the next, on average, and how long it stays down at most."""

ALL_AT_ONCE_EVERY = 75.0
"""Seconds from one time when all of them are killed at once to the next, on average."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket, and when its webhook is sent first. Times are seconds since the beginning."""

    number: int
    tool: str
    at: float
    again: float | None
    """How long after the first delivery a second one is made that nothing asked for; `None`: never."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL for a process, and how long nobody starts it again."""

    process: str
    at: float
    down: float


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """A fault that is switched on at a vendor, as `plugins.conformance.pretend.faults.Fault` has it."""

    tool: str
    at: float
    operation: str
    kind: str
    times: int
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will happen, in order of time."""

    seed: int
    seconds: float
    tickets: Sequence[Ticket]
    kills: Sequence[Kill]
    faults: Sequence[Misbehaviour]


def make_plan(
    seed: int, *, tickets: int, seconds: float, kills_each: int | None = None, faults_every: float = FAULTS_EVERY
) -> Plan:
    """Draw a plan.

    Args:
        tickets: how many, spread evenly over the tools.
        seconds: how long tickets come in, things are killed and vendors misbehave.
        kills_each: how often each process is killed; by default as often as `KILLED` says, and then some, all at once.
        faults_every: seconds from one fault to the next at each vendor, on average.
    """
    chance = Random(seed)  # noqa: S311 - to be repeated, not to be kept secret
    tools = [TOOLS[number % len(TOOLS)] for number in range(tickets)]
    times = sorted(chance.uniform(0, seconds) for _ in tools)
    return Plan(
        seed,
        seconds,
        tickets=[
            Ticket(number, tool, at, _again(chance, seconds))
            for number, (tool, at) in enumerate(zip(tools, times, strict=True), 1)
        ],
        kills=_kills(chance, seconds, kills_each),
        faults=sorted(
            (fault for tool in TOOLS for fault in _faults(chance, tool, seconds, faults_every)),
            key=lambda fault: fault.at,
        ),
    )


def _again(chance: Random, seconds: float) -> float | None:
    if chance.random() >= DELIVERED_TWICE:
        return None
    return chance.choice((0.0, chance.uniform(0, seconds / 2)))  # beside the first, or when its run may be over


def _kills(chance: Random, seconds: float, each: int | None) -> list[Kill]:
    cuts = round(seconds / ALL_AT_ONCE_EVERY) if each is None else 0
    together = [chance.uniform(QUIET, seconds) for _ in range(cuts)]
    kills = []
    for process, (every, longest) in KILLED.items():
        count = max(1, round(seconds / every)) if each is None else each
        times = [*together, *(chance.uniform(QUIET, seconds) for _ in range(count))]
        kills += [Kill(process, at, chance.uniform(0.1, longest)) for at in times]
    return sorted(kills, key=lambda kill: kill.at)


Draw = Callable[[Random], tuple[str, str, int, Mapping[str, Any]]]
"""Draws a fault: the operation, the kind, how many requests it hits, and what else it needs."""


def _refused(operation: str, status: int) -> Draw:
    return lambda chance: (operation, "status", chance.randint(1, 4), {"status": status})


def _limited(operation: str, least: int, most: int) -> Draw:
    def draw(chance: Random) -> tuple[str, str, int, Mapping[str, Any]]:
        headers = {"Retry-After": str(chance.randint(least, most))}
        return operation, "status", chance.randint(1, 3), {"status": 429, "headers": headers}

    return draw


def _once(operation: str, kind: str, **more: Any) -> Draw:
    return lambda _chance: (operation, kind, 1, more)


AFTER_TIME_OUT = 7.5
"""Seconds after which a note lands that is 3 s late: `update_ticket` is closed after 4.5 s (see `MARGIN`)."""
AFTER_SECOND_TRY = 28.0
"""Seconds after which it lands when the next try, 20 s after the time-out, has looked in vain and written its own."""

_DRAWN: Sequence[tuple[int, Draw]] = (
    (3, _refused("any", 503)),
    (1, _refused("get_ticket", 503)),
    (1, _refused("post_note", 504)),
    (2, _limited("any", 1, 5)),
    (1, _limited("post_note", 20, 40)),
    (1, _once("get_ticket", "slow", seconds=3.0)),
    (1, _once("post_note", "slow", seconds=6.0)),
    (1, _once("list_notes", "slow", seconds=6.0)),
    (1, _once("any", "drop")),
    (1, _refused("retract_note", 503)),
    (1, _limited("retract_note", 1, 5)),
    (1, _once("retract_note", "drop")),
    (3, _once("post_note", "drop")),
    (3, _once("post_note", "late", seconds=AFTER_TIME_OUT)),
    (2, _once("post_note", "late", seconds=AFTER_SECOND_TRY)),
)
"""The faults, each with its weight."""


def _faults(chance: Random, tool: str, seconds: float, every: float) -> list[Misbehaviour]:
    weights = list(accumulate(weight for weight, _ in _DRAWN))
    made = []
    for at in sorted(chance.uniform(0, seconds) for _ in range(round(seconds / every))):
        ((_, draw),) = chance.choices(_DRAWN, cum_weights=weights)
        operation, kind, times, more = draw(chance)
        made.append(Misbehaviour(tool, at, operation, kind, times, more))
    return made
