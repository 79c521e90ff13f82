"""What tests of the Zendesk plugin share: a tenant that is connected to a pretend account."""

from datetime import timedelta
from typing import Any

import httpx

from deskhand.pretend.zendesk import PretendZendesk
from plugins.conformance.pretend.faults import Fault
from plugins.conformance.pretend.model import PretendNote, PretendTicket, now
from plugins.conformance.tenants import MemoryTenants
from plugins.types import TenantSettings
from plugins.zendesk import ZendeskPlugin

REF = "dh-0123456789ab"
NOTE = f"**Try** turning it off.\n\nref {REF}"
NOWHERE = "http://127.0.0.1:9"


class Zendesk:
    """A tenant `acme`, and the pretend Zendesk that it is connected to."""

    def __init__(self, vendor: PretendZendesk, tenants: MemoryTenants, http: httpx.AsyncClient, **account: Any) -> None:
        self.vendor = vendor
        self.tenants = tenants
        self.http = http
        self.plugin = ZendeskPlugin(tenants, http)
        self.be(**account)

    def be(self, **account: Any) -> None:
        """Connect the tenant as a new account with these fields."""
        self.account = self.vendor.add_account(account)
        self.connect()

    def connect(self, settings: TenantSettings | None = None, **changed: Any) -> None:
        """Change the tenant's settings and connection; what is changed to `None` is left out."""
        connection = {**self.account.connection, **changed}
        given = {name: value for name, value in connection.items() if value is not None}
        self.tenants.add("acme", "zendesk", connection=given, settings=settings)

    def own_account_known(self) -> None:
        """Have the tenant's settings say which account is ours."""
        self.connect(TenantSettings(own_account_id=self.account.id))

    def ticket(self, **fields: Any) -> PretendTicket:
        """A ticket whose last update was a minute ago: Zendesk tells updates within one second not apart."""
        given = {"subject": "Printer", "description": "On fire", "priority": "urgent", "requester": "Robin", **fields}
        ticket = self.vendor.add_ticket(given)
        ticket.created_at = ticket.updated_at = ticket.created_at - timedelta(minutes=1)
        return ticket

    def comment(self, ticket: PretendTicket, html: str, author: str, *, private: bool = False, count: int = 1) -> None:
        """Somebody adds comments."""
        for _ in range(count):
            ticket.notes.append(PretendNote(str(self.vendor.next_number()), html, private, author, now()))

    def fault(self, operation: str, kind: str, **more: Any) -> None:
        """Switch a fault on until faults are cleared."""
        self.vendor.faults.add(Fault(operation=operation, kind=kind, **more))  # type: ignore[arg-type]  # it checks

    def asked(self) -> list[str]:
        """What was asked for since the last time."""
        operations = [entry.operation for entry in self.vendor.log]
        self.vendor.log.clear()
        return operations

    async def update(self, ticket: PretendTicket, content: str = NOTE) -> bool:
        """Write the note."""
        return await self.plugin.update_ticket("acme", ticket.id, content)

    async def has_note(self, ticket: PretendTicket) -> bool | None:
        """Look for the note."""
        return await self.plugin.has_note("acme", ticket.id, REF)


def answering(tenants: MemoryTenants, *answers: httpx.Response) -> ZendeskPlugin:
    """A plugin whose tenant `acme` is given these answers in turn, and the last of them from then on."""
    tenants.add("acme", "zendesk", connection={"base_url": NOWHERE, "email": "deskhand@acme.example", "api_token": "t"})
    left = list(answers)
    transport = httpx.MockTransport(lambda _: left.pop(0) if len(left) > 1 else left[0])
    return ZendeskPlugin(tenants, httpx.AsyncClient(transport=transport))
