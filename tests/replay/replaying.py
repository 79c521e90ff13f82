"""Replaying stored histories, and what to do where one no longer replays."""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

import workflows
from tests.replay.stored import CONVERTER, Told


def _all_workflows() -> Iterator[tuple[str, type]]:
    for name in (module.name for module in pkgutil.iter_modules(workflows.__path__)):
        for found in vars(importlib.import_module(f"workflows.{name}")).values():
            definition = workflow._Definition.from_class(found) if isinstance(found, type) else None
            if definition is not None and definition.name is not None:
                yield definition.name, found


WORKFLOWS: Mapping[str, type] = dict(_all_workflows())
"""Every workflow that there is, by its name."""


async def replay_failures(of: Iterable[type], told: Mapping[str, Told]) -> dict[str, Exception]:
    """Which histories these workflows cannot have made, by name, in the default sandbox."""

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for history in told.values():
            yield history.history()

    failures: dict[str, Exception] = {}
    names = iter(told)
    replayer = Replayer(workflows=[*of], data_converter=CONVERTER)
    async with replayer.workflow_replay_iterator(histories()) as results:
        async for result in results:
            name = next(names)
            if result.replay_failure is not None:
                failures[name] = result.replay_failure
    return failures


def advice(name: str, told: Told, failure: Exception) -> str:
    """What it means that a history does not replay, and the ways out."""
    if told.ended:
        run = f"A run that ended as {told.outcome}"
    elif told.waiting_for:
        run = f"A running run that is parked at {told.step} for {told.waiting_for}"
    else:
        run = f"A running run that has come to {told.step}"
    return (
        f"{name}: {run} does not replay with this code, which would leave such runs stuck.\n"
        "Guard the change with workflow.patched: CONTRIBUTING.md, “Changing a workflow”, shows how. If no such run "
        f"can exist, record anew with `make histories REPLACE=1`.\n{failure}"
    )
