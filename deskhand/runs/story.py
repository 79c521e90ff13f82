"""What happened to a run so far: its steps, what it waits for, how it ended."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from deskhand.runs.visibility import RunFound

State = Literal["ok", "failed", "at work", "stopped"]
"""`stopped`: it was under way when the run ended."""


@dataclass(slots=True)
class Step:
    """One activity of a run, with all its attempts and wakes. Times are UTC."""

    activity: str
    began: datetime
    summary: str = ""
    state: State = "at work"
    attempts: int = 0
    wakes: int = 0
    """How often the run parked at this step and woke."""
    ended: datetime | None = None
    """`None` as well where only the last of several attempts is on record."""
    said: str = ""
    """What it answered, or why its last attempt failed: one bounded line without control characters."""
    next_attempt: datetime | None = None
    """When an attempt that waits in the activity's own policy begins."""


@dataclass(slots=True)
class Pause:
    """What a run waits for now. Times are UTC."""

    reason: str
    since: datetime
    summary: str = ""
    until: datetime | None = None
    """When it wakes by itself; `None`: an attempt is under way."""
    by_itself: bool = True
    """Whether it wakes by itself before its deadline."""


@dataclass(slots=True)
class Story:
    """What happened to a run so far. Times are UTC."""

    run: RunFound
    workflow: str = ""
    origin: str = ""
    received: datetime | None = None
    delivery_id: str = ""
    deadline: datetime | None = None
    """When it gives up waiting."""
    steps: list[Step] = field(default_factory=list)
    resumed: int = 0
    """How many times it was told to resume."""
    waits: Pause | None = None
    sleeps: tuple[str, datetime] | None = None
    """For what, and until when, it sleeps between two steps."""
    trouble: str = ""
    """Why no worker takes the run on, where that is so."""
    cancelling: bool = False
    """Whether it was asked to end and has not yet."""
    ref: str = ""
    ended: str = ""
    """How it ended, in words: one bounded line."""
