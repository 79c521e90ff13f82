"""What a run's history says of its attempts."""

from dataclasses import dataclass

from temporalio.api.enums.v1 import TimeoutType
from temporalio.client import WorkflowHistory

WORKFLOW_TASK = "workflow task"


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often the parts of a run were tried."""

    latest: dict[str, int]
    """The number of the attempt that ended each activity, by its name."""
    unended: set[str]
    """The activities of which an attempt never reported, and `WORKFLOW_TASK` if one did not."""


def attempts(history: WorkflowHistory) -> Attempts:
    """Read them out of a history. Local activities are part of a workflow task here."""
    names = {
        event.event_id: event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events
    }
    latest: dict[str, int] = {}
    unended: set[str] = set()
    for event in history.events:
        if event.HasField("activity_task_started_event_attributes"):
            started = event.activity_task_started_event_attributes
            name = names[started.scheduled_event_id]
            latest[name] = started.attempt
            if started.last_failure.timeout_failure_info.timeout_type == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
                unended.add(name)
        # The other kind is a task for a worker that is gone, which had not begun it.
        if event.workflow_task_timed_out_event_attributes.timeout_type == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
            unended.add(WORKFLOW_TASK)
    return Attempts(latest, unended)
