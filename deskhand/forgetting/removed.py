"""What was removed, and what could not be."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Removed:
    """Counts that are right at any moment, also where the work breaks off half-way."""

    history: int = 0
    """Rows of the ticket history."""
    spooled: int = 0
    """Orders in the spool."""
    runs: int = 0
    """Executions in Temporal, each with its whole history; the passes of `deskhand reconcile` count, too."""
    ended: int = 0
    """How many of them had not ended, and were terminated."""
    restarted: list[str] = field(default_factory=list)
    """Workflow ids of runs of other tickets that had not ended: started again, without what is forgotten."""
    unreadable: int = 0
    """Orders in the spool, of whichever tenant, under keys that are not in the ring: nobody can say whose they are."""
    schedule: bool = False
    """Whether there was a schedule of passes."""
    problems: list[str] = field(default_factory=list)
    """What is still there, or could not be looked at: one line each, with the way out. Empty: all is gone."""
