"""What tests of the Jira plugin share: a tenant that is connected to a pretend site."""

from dataclasses import dataclass
from typing import Any

import httpx

from deskhand.pretend.jira import PretendJira
from plugins.conformance.pretend.controlling import Control
from plugins.conformance.pretend.model import PretendNote, now
from plugins.conformance.tenants import MemoryTenants
from plugins.jira import JiraPlugin
from plugins.types import TenantSettings

TOKEN = "api-token-of-a-test"
REF = "dh-0123456789ab"
NOTE = f"### What this looks like\n\nA **broken** cable.\n\n*ref {REF}*"


@dataclass
class Jira:
    """A connected tenant `acme`, and the pretend site it is connected to."""

    plugin: JiraPlugin
    tenants: MemoryTenants
    vendor: PretendJira
    site: Control
    account_id: str = ""
    connection: dict[str, Any] | None = None

    @classmethod
    async def connected(
        cls, vendor: PretendJira, site: Control, tenants: MemoryTenants, http: httpx.AsyncClient, **account: Any
    ) -> "Jira":
        """A tenant connected as an account with these fields."""
        jira = cls(JiraPlugin(tenants, http), tenants, vendor, site)
        await jira.be(**account)
        return jira

    async def be(self, **account: Any) -> None:
        """Connect the tenant as an account with these fields."""
        token = f"{TOKEN}-{account.get('kind', 'classic')}"
        made = await self.site.account(**{"api_token": token, **account})
        self.account_id, self.connection = made.id, dict(made.connection)
        self.connect()

    def connect(self, settings: TenantSettings | None = None, **changes: Any) -> None:
        """Change the tenant's settings and connection."""
        self.tenants.add("acme", "jira", connection={**(self.connection or {}), **changes}, settings=settings)

    async def update(self, key: str, content: str = NOTE) -> bool:
        """Write the note."""
        return await self.plugin.update_ticket("acme", key, content)

    async def asked(self) -> list[str]:
        """What was asked for so far."""
        return [entry["operation"] for entry in await self.site.log()]

    def quote(self, key: str, author: str) -> None:
        """Somebody writes a public comment that quotes our note."""
        self.say(key, author, f"As ref {REF} says")

    def say(self, key: str, author: str, *texts: str) -> None:
        """Somebody writes public comments."""
        for text in texts:
            note = PretendNote(str(self.vendor.next_number()), adf(text), False, author, now())
            self.vendor.tickets[key].notes.append(note)


def adf(*paragraphs: str) -> dict[str, Any]:
    """An ADF document."""
    content = [{"type": "paragraph", "content": [{"type": "text", "text": text}]} for text in paragraphs]
    return {"type": "doc", "version": 1, "content": content}
