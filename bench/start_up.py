"""How long worker and starter take from their start until they are ready, all that they need being there."""

import time

from bench.frame import Figure, Plan, Progress
from deskhand.devstack.services import STARTER, WORKER
from deskhand.devstack.stack import Stack

KEYS = frozenset({"start-worker", "start-starter"})


async def measure(stack: Stack, plan: Plan, wanted: frozenset[str], progress: Progress) -> list[Figure]:
    """The wanted ones of `KEYS`. Ready is what it is for the stack: the worker polls, the starter answers `/readyz`."""
    figures = []
    for key, process in (("start-worker", WORKER), ("start-starter", STARTER)):
        if key in wanted:
            progress(f"start of the {process}, {plan.starts} times")
            figures.append(Figure(key, tuple([await _start(stack, process) for _ in range(plan.starts)])))
    return figures


async def _start(stack: Stack, process: str) -> float:
    await stack.stop(process)
    began = time.perf_counter()
    await stack.start(process)
    return time.perf_counter() - began
