"""What is kept of a run in which something went wrong: the histories and vendors' logs of the tickets, all logs."""

import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from tests.chaos.judging import wrongs
from tests.chaos.records import Record, Records
from tests.chaos.setting import Setting


async def keep(setting: Setting, records: Records, folder: Path) -> None:
    """Write it into a folder: a file for each ticket with something wrong, and the processes' logs."""
    shutil.copytree(setting.desk.stack.state.folder / "logs", folder / "logs", dirs_exist_ok=True)
    for record in records.tickets:
        if found := list(wrongs(record)):
            lines = [record.delivered.where, *found, f"answers {record.delivered.answers}", ""]
            lines += [line async for line in _history(setting.desk.client, record)]
            lines += ["", "vendor's log:", *await _vendor_log(record), "", "notes:", *_notes(record)]
            name = f"{record.delivered.tenant.tool}-{record.delivered.ticket_id}.txt"
            (folder / name).write_text("\n".join(lines) + "\n")


async def _history(client: Client, record: Record) -> AsyncIterator[str]:
    try:
        history = await client.get_workflow_handle(record.delivered.run).fetch_history()
    except RPCError as error:
        yield f"no history: {error.message}"
        return
    for event in history.events:
        said = [f"{event.event_id:4}", event.event_time.ToJsonString(), EventType.Name(event.event_type)[11:].lower()]
        said += [f"{what}: {await _words(client, failure)}" for what, failure in _failures(event)]
        if event.HasField("activity_task_scheduled_event_attributes"):
            said.append(event.activity_task_scheduled_event_attributes.activity_type.name)
        if event.HasField("activity_task_started_event_attributes"):
            started = event.activity_task_started_event_attributes
            said += [f"attempt {started.attempt}", f"by {started.identity}"]
        if event.HasField("timer_started_event_attributes"):
            said.append(event.timer_started_event_attributes.start_to_fire_timeout.ToJsonString())
        yield "  ".join(said)


def _failures(event: HistoryEvent) -> Iterator[tuple[str, Failure]]:
    if event.activity_task_started_event_attributes.HasField("last_failure"):
        yield "the attempt before", event.activity_task_started_event_attributes.last_failure
    for attributes in (
        event.activity_task_failed_event_attributes,
        event.activity_task_timed_out_event_attributes,
        event.workflow_task_failed_event_attributes,
        event.workflow_execution_failed_event_attributes,
    ):
        if attributes.HasField("failure"):
            yield "failure", attributes.failure


async def _words(client: Client, failure: Failure) -> str:
    error = await client.data_converter.decode_failure(failure)
    return f"{type(error).__name__} {getattr(error, 'type', '')} {error}"


async def _vendor_log(record: Record) -> list[str]:
    ticket = record.delivered.ticket_id
    log = await record.delivered.tenant.vendor.log()
    return [
        f"{entry['began']:.3f} to {entry['ended'] or 0.0:.3f}  {entry['operation']}  {entry['method']} "
        f"{entry['path']}  {entry['status']}{_odd(entry)}"
        for entry in log
        if ticket in entry["path"].split("/")
    ]


def _odd(entry: Mapping[str, Any]) -> str:
    fault = f"  fault {entry['fault']}" if entry["fault"] else ""
    return f"{fault}  client gone" if entry["client_gone"] else fault


def _notes(record: Record) -> list[str]:
    return [f"{note['created_at']}  {note['id']}  private {note['private']}" for note in record.notes]
