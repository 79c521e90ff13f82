"""A client of the control API, for whoever drives pretend tools: the demo, tests, the bench."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from plugins.conformance.pretend.model import Event


@dataclass(frozen=True, slots=True)
class Created:
    """A ticket that was just created."""

    ticket_id: str
    url: str
    """Where a technician would open it."""
    announced: int | None
    """What the webhook answered; `None` if it was not called, or gave no answer."""


@dataclass(frozen=True, slots=True)
class ControlledAccount:
    """An account that the tool accepts from now on."""

    id: str
    connection: Mapping[str, Any] = field(repr=False)
    """The fields of the plugin's `connection_model` that connect as it; some are secret."""


class Control:
    """The control API of one pretend tool. Whatever it refuses raises `httpx.HTTPStatusError`."""

    def __init__(self, http: httpx.AsyncClient, origin: str) -> None:
        self.http = http
        self.origin = origin

    async def account(self, **fields: Any) -> ControlledAccount:
        """Accept an account with these fields of the vendor's `account_model`; what is not given is made up."""
        answer = await self._call("POST", "/accounts", fields)
        return ControlledAccount(answer["account_id"], answer["connection"])

    async def editions(self) -> dict[str, dict[str, Any]]:
        """Each way of connecting, as the fields that make an account connect that way."""
        return cast(dict[str, dict[str, Any]], await self._call("GET", "/editions"))

    async def expire_tokens(self) -> None:
        """Have all access tokens that were given out be refused from now on."""
        await self._call("DELETE", "/tokens")

    async def webhook(self, url: str, secret: str, tenant_id: str | None = None, scheme: str | None = None) -> None:
        """Announce tickets there."""
        await self._call("PUT", "/webhook", {"url": url, "secret": secret, "tenant_id": tenant_id, "scheme": scheme})

    async def ticket(self, subject: str = "VPN drops", description: str = "Every ten minutes.", **more: Any) -> str:
        """Create a ticket; its id. `announce` is off unless given."""
        fields = {"subject": subject, "description": description, "announce": False, **more}
        return (await self.create(**fields)).ticket_id

    async def create(self, **fields: Any) -> Created:
        """Create a ticket out of the fields of the vendor's `ticket_model`, and announce it unless told not to."""
        return Created(**await self._call("POST", "/tickets", fields))

    async def resolve(self, ticket_id: str, resolution: str, *, announce: bool = False) -> int | None:
        """Resolve a ticket; what the webhook answered."""
        body = {"resolution": resolution, "announce": announce}
        answer = await self._call("POST", f"/tickets/{ticket_id}/resolve", body)
        return cast(int | None, answer["announced"])

    async def close(self, ticket_id: str) -> None:
        """Close a ticket: it takes no more notes."""
        await self._call("POST", f"/tickets/{ticket_id}/close")

    async def delivery(self, ticket_id: str, event: Event = "created") -> dict[str, Any]:
        """The signed webhook call for an event, as `method`, `url`, `headers` and `body_base64`."""
        return cast(dict[str, Any], await self._call("GET", f"/tickets/{ticket_id}/delivery?event={event}"))

    async def fault(self, operation: str, kind: str, times: int | None = 1, **more: Any) -> None:
        """Switch a fault on, for the next request unless `times` says otherwise."""
        await self._call("POST", "/faults", {"operation": operation, "kind": kind, "times": times, **more})

    async def clear_faults(self) -> None:
        """Switch all faults off."""
        await self._call("DELETE", "/faults")

    async def tickets(self) -> list[dict[str, Any]]:
        """All tickets as the vendor stores them, oldest first."""
        return cast(list[dict[str, Any]], (await self._call("GET", "/tickets"))["tickets"])

    async def notes(self, ticket_id: str) -> list[dict[str, Any]]:
        """The notes on a ticket as the vendor stores them, oldest first."""
        tickets = await self.tickets()
        return next(cast(list[dict[str, Any]], ticket["notes"]) for ticket in tickets if ticket["id"] == ticket_id)

    async def log(self) -> list[dict[str, Any]]:
        """The requests to the vendor's API, oldest first."""
        return cast(list[dict[str, Any]], await self._call("GET", "/log"))

    async def _call(self, method: str, path: str, body: object = None) -> Any:
        response = await self.http.request(method, f"{self.origin}/_pretend{path}", json=body)
        response.raise_for_status()
        return response.json() if response.content else None
