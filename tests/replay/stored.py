"""The stored histories: where they lie, the key that opens them, and what a history tells of its run.

Each is a file of JSON, one event a line, in the folder of its workflow. Payloads are sealed as everywhere, under a key
that stands here for everybody to read: it is for these tests, and has never sealed anything else.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from google.protobuf.json_format import MessageToDict
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from workflows.search_attributes import OUTCOME, WAITING_FOR

FOLDER = Path(__file__).parent / "histories"

TEST_KEYS = Keyring.parse(
    "test-only:" + base64.urlsafe_b64encode(b"a test key, known to everybody..").decode().rstrip("=")
)
CONVERTER = data_converter(TEST_KEYS, allow_plaintext=False)

_ENDS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    }
)
_WORKFLOW_TASKS = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
    }
)
"""How often the worker was called, which depends on how fast it was, and on no change of ours."""


@dataclass(frozen=True, slots=True)
class Told:
    """A history, and what it tells."""

    events: tuple[HistoryEvent, ...] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The history in a file."""
        history = WorkflowHistory.from_json("", path.read_text())
        return cls(tuple(history.events))

    def write(self, path: Path) -> None:
        """Store it, one event a line."""
        lines = ",\n".join(
            json.dumps(_without_noise(MessageToDict(event)), sort_keys=True, separators=(",", ":"))
            for event in self.events
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{"events": [\n{lines}\n]}}\n')

    def history(self) -> WorkflowHistory:
        """As the replayer takes it."""
        started = self.events[0].workflow_execution_started_event_attributes
        return WorkflowHistory(started.workflow_id, self.events)

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return self.events[-1].event_type in _ENDS

    @property
    def outcome(self) -> str:
        """The outcome on record; empty while there is none."""
        return self._attribute(OUTCOME.name)

    @property
    def waiting_for(self) -> str:
        """What the run is parked for; empty if it is not parked."""
        return self._attribute(WAITING_FOR.name)

    @property
    def step(self) -> str:
        """The activity that the run called last; empty if there was none."""
        return next((name for name in map(activity_of, reversed(self.events)) if name), "")

    @property
    def way(self) -> tuple[str, ...]:
        """The way that the run took: its events, without payloads, times and ids. Equal for two runs alike."""
        return tuple(_words(event) for event in self.events if event.event_type not in _WORKFLOW_TASKS)

    def _attribute(self, name: str) -> str:
        value = ""
        for event in self.events:
            value = _upserted(event).get(name, value)
        return value


def _without_noise(value: Any) -> Any:
    """A JSON value without the server's own marks, which differ from run to run and which no replay reads."""
    if isinstance(value, dict):
        return {name: _without_noise(inner) for name, inner in value.items() if name not in _NOISE}
    return [_without_noise(inner) for inner in value] if isinstance(value, list) else value


_NOISE = frozenset({"taskId", "requestId", "workerVersion", "meteringMetadata", "historySizeBytes"})


def stored(folder: Path = FOLDER) -> dict[str, Path]:
    """Every stored history, by its name: `EnhanceTicket/posted`."""
    return {name_of(path): path for path in sorted(folder.glob("*/*.json"))}


def name_of(path: Path) -> str:
    """The name of a stored history."""
    return f"{path.parent.name}/{path.stem}"


def course_of(name: str) -> str:
    """The name of the course that a stored history is of."""
    return name.partition(".")[0]


def versions(name: str, paths: Iterable[Path]) -> list[Path]:
    """The stored histories of one course, oldest first: `posted.json`, `posted.2.json`, …"""
    return sorted(
        (path for path in paths if course_of(name_of(path)) == name),
        key=lambda path: int(path.stem.partition(".")[2] or 1),
    )


def activity_of(event: HistoryEvent) -> str:
    """The activity that an event schedules, or keeps the local result of; empty for any other."""
    if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
        return event.activity_task_scheduled_event_attributes.activity_type.name
    if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
        marker = event.marker_recorded_event_attributes
        for payload in marker.details["data"].payloads if "data" in marker.details else ():
            return str(json.loads(payload.data).get("activity_type", ""))
    return ""


def timers(events: Sequence[HistoryEvent]) -> int:
    """How many timers were started."""
    return sum(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in events)


def _upserted(event: HistoryEvent) -> dict[str, str]:
    fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
    return {name: json.loads(payload.data or b"null") or "" for name, payload in fields.items()}


def _words(event: HistoryEvent) -> str:
    kind = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").lower()
    scheduled = event.activity_task_scheduled_event_attributes
    what = (
        activity_of(event),
        "resumed" if scheduled.task_queue.name.endswith("-resumed") else "",
        event.workflow_execution_signaled_event_attributes.signal_name,
        event.marker_recorded_event_attributes.marker_name,
        *(f"{name}={value}" for name, value in _upserted(event).items()),
    )
    return " ".join(filter(None, (kind, *what)))
