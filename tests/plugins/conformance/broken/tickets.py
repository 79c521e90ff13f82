"""Broken in how they read tickets."""

from datetime import UTC, datetime
from typing import Any

from plugins.base import TicketMetadata
from plugins.exceptions import APIError
from plugins.types import TicketContext
from tests.plugins.conformance.acme import AcmePlugin
from tests.plugins.conformance.broken.registry import breaks


@breaks("A ticket is read as a dict that JSON can hold.")
class HoldsTime(AcmePlugin):
    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        ticket = await super().get_ticket(tenant_id, ticket_id)
        return ticket and {**ticket, "read_at": datetime.now(UTC)}


@breaks("A ticket that is not there is None.")
class MissingTicketRaises(AcmePlugin):
    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        ticket = await super().get_ticket(tenant_id, ticket_id)
        if ticket is None:
            raise APIError("acme answered 404")
        return ticket


@breaks("A ticket is described in text, with what its requester wrote.")
class SaysNothing(AcmePlugin):
    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        return super().describe({"description": ""}, metadata)


@breaks(
    "However long a ticket is, its description in text stays within 32 KB.",
    "Whatever the vendor's JSON holds, describing it yields a TicketContext.",
)
class Unbounded(AcmePlugin):
    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        return super().describe(ticket, metadata).model_copy(update={"description": ticket["description"].strip()})


@breaks("A ticket's id never leads to another address: it is refused, or stays in its place.")
class IdAsItIs(AcmePlugin):
    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        response = await self.ask(tenant_id, "GET", ticket_id)
        return None if response.status_code == 404 else self.body(response)
