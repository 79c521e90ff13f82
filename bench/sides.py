"""What the two ways of handling a ticket have in common that are compared: ours (`bench.ours`), and the floor.

Both have a Temporal server of their own with the same settings and a pretend Zendesk of their own, and are driven by
the same client: `start` ends where the work is taken durably, the run's `result` where the note is on the ticket.
"""

import base64
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowHandle

from bench import tickets
from bench.frame import BenchError
from plugins.conformance.pretend.controlling import Control

TOOL = "zendesk"
"""The tool whose calls the floor makes, too."""

_ID = re.compile(r"/\d+")


@dataclass(frozen=True, slots=True)
class Call:
    """A ticket, and the webhook call that tells of it."""

    ticket_id: str
    headers: Mapping[str, str]
    body: bytes


async def called(vendor: Control, ticket_id: str) -> Call:
    """The call that tells of a new ticket."""
    call = await vendor.delivery(ticket_id)
    return Call(ticket_id, call["headers"], base64.b64decode(call["body_base64"]))


class Side(ABC):
    """One of the two, running."""

    def __init__(self, client: Client, vendor: Control, pids: Mapping[str, int]) -> None:
        self.vendor = vendor
        self.pids = pids
        """The process ids by name; `worker` is among them."""
        self.client = client
        self._made = 0

    async def prepare(self, count: int) -> list[Call]:
        """Make tickets at the vendor, and the calls that tell of them."""
        calls = []
        for _ in range(count):
            self._made += 1
            ticket_id = await self.vendor.ticket(tickets.subject(self._made), tickets.description(self._made))
            calls.append(await called(self.vendor, ticket_id))
        return calls

    @abstractmethod
    async def start(self, call: Call) -> WorkflowHandle[Any, Any]:
        """Have the work on a ticket taken durably."""

    @abstractmethod
    async def stop_worker(self) -> None:
        """From here on work is taken, and not done."""

    @abstractmethod
    def posted(self, result: Any) -> bool:
        """Whether the result of a run says that the note is on the ticket."""

    async def handle(self, call: Call) -> None:
        """A ticket from its webhook to its note.

        Raises:
            BenchError: there is no note.
        """
        result = await (await self.start(call)).result()
        if not self.posted(result):
            raise BenchError(f"the run on ticket {call.ticket_id} ended without a note")

    async def calls_per_ticket(self, handled: int) -> dict[str, int]:
        """How often a run makes each of the vendor's calls, given how many runs there were; to the nearest number."""
        log = await self.vendor.log()
        counted = Counter(f"{entry['method']} {_ID.sub('/{id}', entry['path'])}" for entry in log)
        return {call: round(count / handled) for call, count in sorted(counted.items())}
