"""Delivering webhooks as the vendors do: who repeats what, and how often.

Sources: Atlassian's "Webhooks" page (Jira Cloud), Zendesk's "Webhooks" reference and what is reported of it; for
ServiceDesk Plus no repetition is documented anywhere. Waits are shortened, so that a run ends the same day: Jira's to a
hundredth, Zendesk's to a tenth.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

import httpx

from tests.chaos.plan import Ticket
from tests.support.desk import Signed, Tenant

JIRA_REPEATS = frozenset({408, 409, 425, 429})


@dataclass(slots=True)
class Delivered:
    """What became of a ticket's webhook."""

    ticket: Ticket
    tenant: Tenant
    ticket_id: str
    first_sent: float = 0.0
    """Seconds of the wall clock."""
    answers: list[int | None] = field(default_factory=list)
    """The statuses in order; `None` where there was no answer."""

    @property
    def admitted(self) -> bool:
        """Whether the vendor was told that its webhook was taken."""
        return any(status is not None and status < 300 for status in self.answers)

    @property
    def run(self) -> str:
        """The workflow id."""
        return self.tenant.run(self.ticket_id)

    @property
    def ref(self) -> str:
        """The note's mark."""
        return self.tenant.ref(self.ticket_id)

    @property
    def where(self) -> str:
        """For a line about it."""
        return f"ticket {self.tenant.tool} {self.ticket_id} ({self.ref}, run {self.run})"


class Sender:
    """Delivers webhooks over a connection each, and repeats what their vendor repeats."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._http = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    async def close(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    async def deliver(self, signed: Signed, delivered: Delivered, copy: int = 0) -> None:
        """Make the call, again if the vendor would, and note the answers. `copy` tells deliveries of a ticket apart."""
        chance = Random(f"{self._seed} {delivered.ticket.number} {copy}")  # noqa: S311 - to be repeated
        tool = delivered.tenant.tool
        tried: Counter[int | None] = Counter()
        while True:
            answer = await self._post(signed, tool)
            status = None if answer is None else answer.status_code
            delivered.answers.append(status)
            tried[status] += 1
            pause = _pause(tool, answer, tried, chance)
            if pause is None:
                return
            await asyncio.sleep(pause)

    async def _post(self, signed: Signed, tool: str) -> httpx.Response | None:
        timeout = 12.0 if tool == "zendesk" else 20.0
        try:
            return await self._http.post(signed.url, headers=signed.headers, content=signed.raw, timeout=timeout)
        except httpx.HTTPError:
            return None


def _pause(tool: str, answer: httpx.Response | None, tried: Mapping[int | None, int], chance: Random) -> float | None:
    """How long until the vendor makes the call again; `None`: it does not."""
    status = None if answer is None else answer.status_code
    if tool == "jira":
        repeated = status is None or status in JIRA_REPEATS or status >= 500
        return chance.uniform(3, 9) if repeated and sum(tried.values()) <= 5 else None
    if tool == "zendesk":
        if answer is None:
            return chance.uniform(1, 3) if tried[None] <= 5 else None
        if status == 409:
            return chance.uniform(1, 3) if tried[409] <= 3 else None
        if status in (429, 503):
            said = answer.headers.get("Retry-After", "")
            return float(said) / 10 if said.isdigit() and int(said) < 60 else None
    return None
