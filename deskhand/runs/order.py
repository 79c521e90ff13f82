"""An order for a run, and what becomes of it."""

from enum import StrEnum
from typing import Protocol

from plugins.types import Priority, Value
from workflows.contracts import Delivery


class RunsUnavailableError(Exception):
    """Temporal did not take the run now. A start that ran into its time-out may still have happened."""


class RunsRefusedError(Exception):
    """Temporal refuses this run, and will again. The message is the server's reason."""


class Order(Value):
    """A run to be started, and what its delivery was."""

    workflow: str
    """The workflow's name."""
    run: str
    """The workflow id."""
    ticket_id: str
    delivery: Delivery
    priority: Priority = "medium"
    """The ticket's, as the delivery says: an urgent one goes before others of its tenant."""
    delivery_id: str = ""
    """The vendor's own id of the delivery: an unsigned header, only ever for people to look at."""
    may_have_landed: bool = False
    """Whether an earlier run of the same ticket may have left its note."""


class Taken(StrEnum):
    """How an order was taken; each is durable."""

    STARTED = "started"
    REPEATED = "repeated"
    """There is a run with this id, running or completed: the delivery is a repeat."""
    SPOOLED = "spooled"
    """Kept in the database until Temporal takes it."""


class RunStarter(Protocol):
    """Whatever takes an order durably."""

    async def start(self, order: Order) -> Taken:
        """Take the order.

        Raises:
            RunsUnavailableError: not now.
            RunsRefusedError: never like this.
        """
        ...

    async def check(self) -> None:
        """Raise `RunsUnavailableError` unless an order could be taken now."""
        ...
