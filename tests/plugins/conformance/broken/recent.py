"""Broken in how they tell recent tickets."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from plugins.exceptions import PluginError
from tests.plugins.conformance.acme import PAGE, AcmePlugin
from tests.plugins.conformance.broken.registry import breaks

AS_A_WEBHOOK = "Recent tickets are payloads as a webhook would have brought them, or a ConfigurationError."
ALL_SINCE = "Recent tickets are all that were created since then, that very moment included, and none from before."
COME_AND_GO = "Tickets that come and go while recent ones are read make no other be left out."
PAGE_BY_PAGE = "Recent tickets are read page by page, as they are asked for."
AN_ERROR = "Recent tickets that cannot be read to their end are an error, whatever was read before."


@breaks(AS_A_WEBHOOK)
class ListsWhatIsNoTicket(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        yield {"event": "created", "ticket_id": 1}


@breaks(AS_A_WEBHOOK)
class ListsTicketsAsTheyAre(AcmePlugin):
    """So that nobody knows what happened to them, and no run is started."""

    def announced(self, tenant_id: str, ticket: Mapping[str, Any]) -> dict[str, Any]:
        return {"tenant_id": tenant_id, "ticket_id": ticket["id"], **ticket}


@breaks(AS_A_WEBHOOK)
class LeavesResolvedOut(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        async for payload in super().recent_tickets(tenant_id, since):
            ticket = await self.get_ticket(tenant_id, str(payload["ticket_id"]))
            if ticket and ticket["status"] == "Open":
                yield payload


@breaks(ALL_SINCE)
class FirstPageOnly(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        page = self.body(await self.ask(tenant_id, "GET", "", params={"since": since.isoformat()}))
        for ticket in page["tickets"]:
            yield self.announced(tenant_id, ticket)


@breaks(ALL_SINCE)
class OnlyAfterThatMoment(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        async for payload in super().recent_tickets(tenant_id, since + timedelta(milliseconds=1)):
            yield payload


@breaks(ALL_SINCE)
class EverythingThereIs(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        async for payload in super().recent_tickets(tenant_id, since - timedelta(days=365)):
            yield payload


@breaks(COME_AND_GO)
class PagesByNumber(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        params = {"since": since.isoformat(), "skip": "0"}
        more = True
        while more:
            page = self.body(await self.ask(tenant_id, "GET", "", params=params))
            for ticket in page["tickets"]:
                yield self.announced(tenant_id, ticket)
            more = page["next"] is not None
            params["skip"] = str(int(params["skip"]) + PAGE)


@breaks(PAGE_BY_PAGE)
class ReadsAllFirst(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        for payload in [each async for each in super().recent_tickets(tenant_id, since)]:
            yield payload


@breaks(AN_ERROR)
class EndsQuietly(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        told = False
        try:
            async for payload in super().recent_tickets(tenant_id, since):
                yield payload
                told = True
        except PluginError:
            if not told:
                raise


@breaks(AN_ERROR)
class AsksAgain(AcmePlugin):
    async def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        try:
            async for payload in super().recent_tickets(tenant_id, since):
                yield payload
        except PluginError:
            async for payload in super().recent_tickets(tenant_id, since):
                yield payload
