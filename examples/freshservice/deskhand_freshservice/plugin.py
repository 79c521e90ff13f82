"""Freshservice: the contract's four methods and a connection model, and nothing else."""

from typing import Any, ClassVar

import httpx
from pydantic import BaseModel, ConfigDict, Field

from plugins.base import TicketMetadata
from plugins.fields import Address, HeaderToken
from plugins.http import HttpPlugin
from plugins.parsing import normalise_priority, number_id, optional_text, time_or
from plugins.payload import received_at, settings_of, tenant_of
from plugins.rendering import html_to_text, to_html
from plugins.types import PostedNote, Priority

# Placeholders have names, the API has numbers.
PRIORITIES: dict[str, Priority] = {
    "Urgent": "high",
    "High": "high",
    "Medium": "medium",
    "Low": "low",
    "4": "high",
    "3": "high",
    "2": "medium",
    "1": "low",
}
MAX_NOTE_BYTES = 60_000
"""UTF-8 bytes of a note's HTML. Freshservice publishes no limit; this is ours."""
MAX_DESCRIPTION = 8_000
"""Characters that are read of a webhook's description, which must not cost its 10 ms (NFR001)."""


class FreshserviceConnection(BaseModel):
    """An agent's API key. Notes appear under this agent's name."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: Address = Field(description="The address of the account.", examples=["https://acme.freshservice.com"])
    api_key: HeaderToken = Field(description="The agent's API key, from Profile settings.")


class FreshservicePlugin(HttpPlugin):
    """Freshservice. A Workflow Automator rule calls the webhook, with the secret in the header `X-Deskhand-Secret`.

    Freshservice signs nothing: the secret shows who is calling, and does not protect the body.
    """

    __tool_type__ = "freshservice"
    __version__ = "1.0.0"

    connection_model = FreshserviceConnection
    signature_header: ClassVar[str] = "X-Deskhand-Secret"
    signature_is_secret: ClassVar[bool] = True

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        """Whether the header held a secret of the tenant that counted when the webhook was received."""
        return await self.static_secret_matches(payload, signature)

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        """What the rule's body says. All but `ticket_id` may be missing: `get_ticket` completes it."""
        return TicketMetadata(
            tenant_id=tenant_of(payload),
            ticket_id=number_id(payload.get("ticket_id"), "ticket_id", "ticket"),
            description=html_to_text(optional_text(payload.get("description"), "description")[:MAX_DESCRIPTION]),
            priority=normalise_priority(payload.get("priority"), settings_of(payload), PRIORITIES),
            created_at=time_or(payload.get("created_at"), received_at(payload), "created_at"),
        )

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        """Freshservice's `ticket` object; `None` if it is not there."""
        response = await self.call(tenant_id, "GET", f"tickets/{number_id(ticket_id, 'ticket_id', 'ticket')}")
        return None if response.status_code == 404 else self.success(response, "ticket")

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Add a private note. Whether it is private is what the reply says."""
        note = {"body": to_html(content, limit=MAX_NOTE_BYTES), "private": True}
        path = f"tickets/{number_id(ticket_id, 'ticket_id', 'ticket')}/notes"
        response = await self.call(tenant_id, "POST", path, json_body=note)
        if response.status_code == 404:
            return None
        posted = self.success(response, "conversation")
        return PostedNote(private=posted.get("private"), note_id=str(posted.get("id")))

    async def call(
        self, tenant_id: str, method: str, path: str, *, params: dict[str, str] | None = None, json_body: Any = None
    ) -> httpx.Response:
        """One request to the API v2. The key is the user name of Basic authentication, with any password."""
        connection = await self.connection(tenant_id, FreshserviceConnection)
        return await self.send(
            tenant_id,
            method,
            f"{connection.base_url}/api/v2/{path}",
            params=params,
            json_body=json_body,
            auth=(connection.api_key.get_secret_value(), "X"),
        )
