"""Record the histories anew: `make histories`.

The workflows are the true ones, on a true Temporal server; only the activities are stand-ins, which answer as
`courses.py` has it. What a replay holds a workflow to are its commands, and those depend on nothing but the answers:
this way each course is taken exactly, and a run is left where it is parked, which a vendor's faults hit by chance.
Clocks are true as well, so that histories hold nothing that production's do not; waits are short where they are input.

A stored history is a promise to runs of that day, so none is overwritten. A course that runs another way now gets a
further history beside it (`posted.2.json`): both must replay. `--replace` is for when no run of the older kind is left,
or was ever deployed: it keeps only the way that runs take now.
"""

import argparse
import asyncio
import logging
import os
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadConverter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from deskhand.devstack.temporal import DYNAMIC_CONFIG, temporal_binary
from deskhand.devstack.waiting import came_true
from tests.replay.courses import (
    COURSES,
    TENANT,
    THEN,
    TICKET,
    TOOL,
    Course,
    Moment,
    begins,
    ended,
)
from tests.replay.replaying import WORKFLOWS
from tests.replay.stand_ins import Script, Stage
from tests.replay.stored import CONVERTER, FOLDER, Told, course_of, name_of, stored, versions
from workflows import search_attributes
from workflows.contracts import RESUME, TASK_QUEUE, Delivery, RunInput, reconcile_id, reconcile_queue, resumed_queue

IDENTITY = "recorder"
"""In place of the process and host that a client names by itself."""

AT_ONCE = 4
"""How many runs begin together: more, and their local activities miss their budgets on a small machine."""

LONGEST = 60.0
"""Seconds within which a run comes to the next moment of its course."""


class WithoutTraces(DefaultFailureConverterWithEncodedAttributes):
    """Failures without stack traces, which hold the paths of the machine."""

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See the base class."""
        super().to_failure(exception.with_traceback(None), payload_converter, failure)


async def take(client: Client, stage: Stage, course: Course, beginning: asyncio.Semaphore) -> Told:
    """Start a run, lead it along its course, and take its history."""
    run = f"{TOOL}:{TENANT}:{TICKET}:{course.full_name}"
    script = Script(course)
    stage.add(run, script)
    tenant_id = getattr(course.given, "tenant_id", TENANT)
    stage.add(reconcile_id(tenant_id), script)  # its child, if it has one
    async with beginning:
        handle = await client.start_workflow(
            course.workflow,
            course.given
            or RunInput(
                delivery=Delivery(tool=TOOL, tenant_id=TENANT, raw=b'{"example": true}', received_at=THEN),
                patience=course.patience,
            ),
            id=run,
            task_queue=TASK_QUEUE,
            search_attributes=search_attributes.for_run(TOOL, tenant_id, TICKET),
        )
        if not any(moment is begins for moment, _ in course.acts):
            await _reach(handle, lambda events: len(events) > len(_FIRST_TASK))
    for moment, act in course.acts:
        reached = await _reach(handle, moment)
        assert not reached.ended, f"{course.full_name}: it ended before that:\n" + "\n".join(reached.way)
        match act:
            case "resume":
                await handle.signal(RESUME)
            case "cancel":
                await handle.cancel()
            case "let it answer":
                script.let_answer.set()
    told = await _reach(handle, course.until)
    assert told.ended == (course.until is ended), f"{course.full_name}: it went another way:\n" + "\n".join(told.way)
    if course.retrying:

        async def tried() -> bool:
            pending = (await handle.describe()).raw_description.pending_activities
            return any(call.attempt > 1 for call in pending)

        assert await came_true(tried, seconds=30), f"{course.full_name}: its activity was not tried again"
    return told


_FIRST_TASK = ("started", "task scheduled", "task started", "task completed")


async def _reach(handle: WorkflowHandle[Any, Any], moment: Moment) -> Told:
    """Follow a run's history until it has come to a moment, or ends."""
    events: list[HistoryEvent] = []
    try:
        async with asyncio.timeout(LONGEST):
            async for event in handle.fetch_history_events(wait_new_event=True):
                events.append(event)
                if moment(events):
                    break
    except TimeoutError:
        way = "\n".join(Told(tuple(events)).way)
        raise AssertionError(f"{handle.id}: after {LONGEST:g} s it had not come further than:\n{way}") from None
    return Told(tuple(events))


async def record() -> dict[str, Told]:
    """Every course's history as it is now, by its name."""
    converter = DataConverter(
        payload_converter_class=CONVERTER.payload_converter_class,
        payload_codec=CONVERTER.payload_codec,
        failure_converter_class=WithoutTraces,
    )
    settings = [part for pair in DYNAMIC_CONFIG.items() for part in ("--dynamic-config-value", "=".join(pair))]
    # That activities fail and time out is what most courses are about: the SDK's warnings of it say nothing.
    warnings.filterwarnings("ignore", "Cannot find activity to cancel for token ", UserWarning)
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    logging.getLogger("temporalio").setLevel(logging.ERROR)
    stage, beginning = Stage(), asyncio.Semaphore(AT_ONCE)
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(temporal_binary()),
        dev_server_extra_args=settings,
        dev_server_log_level="error",
        search_attributes=search_attributes.ALL,
        data_converter=converter,
        identity=IDENTITY,
        runtime=Runtime(telemetry=TelemetryConfig(logging=quiet)),
    ) as server:
        client = server.client
        doing = stage.activities()
        async with (
            Worker(client, task_queue=TASK_QUEUE, workflows=[*WORKFLOWS.values()], activities=doing),
            Worker(client, task_queue=resumed_queue(TASK_QUEUE), activities=doing),
            Worker(client, task_queue=reconcile_queue(TASK_QUEUE), activities=doing),
        ):
            told = await asyncio.gather(*(take(client, stage, course, beginning) for course in COURSES))
    return {course.full_name: history for course, history in zip(COURSES, told, strict=True)}


def keep(recorded: Mapping[str, Told], *, replace: bool, folder: Path = FOLDER) -> Iterator[tuple[str, str]]:
    """Store what is new, and tell what became of each history: its name and `kept`, `new`, `changed` or `removed`."""
    paths = list(stored(folder).values())
    for name, told in recorded.items():
        before = versions(name, paths)
        same = [path for path in before if Told.read(path).way == told.way]
        if replace:
            yield from _remove(path for path in before if path not in same[:1])
        if same:
            yield name, "kept"
            continue
        number = 1 if replace or not before else len(before) + 1
        told.write(folder / (f"{name}.json" if number == 1 else f"{name}.{number}.json"))
        yield name, "changed" if before else "new"
    if replace:
        yield from _remove(path for path in paths if course_of(name_of(path)) not in recorded)


def _remove(paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        path.unlink()
        yield name_of(path), "removed"


def main() -> None:
    """Record, store, and say what changed."""
    parser = argparse.ArgumentParser(prog="make histories", description="Record the histories that are replayed.")
    parser.add_argument("--replace", action="store_true", help="keep only the way that runs take now")
    replace = parser.parse_args().replace
    results = list(keep(asyncio.run(record()), replace=replace))
    for name, what in results:
        print(f"{what:8} {name}")  # noqa: T201  # this is what it is for
    counts = Counter(what for _, what in results)
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())), f"in {FOLDER}")  # noqa: T201
    if counts["changed"] and not replace:
        print("What changed now has a further history beside the older one, which must replay as well.")  # noqa: T201


def _leave(code: int) -> None:
    """End at once: a process that held both a client and a worker can abort or hang as its interpreter ends, in the
    threads of the SDK.
    """
    with suppress(BrokenPipeError):
        sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    try:
        main()
    except Exception:
        traceback.print_exc()
        _leave(1)
    _leave(0)
