"""Freshservice with the hooks that make the notes better: what the ticket says, and whether a note is there already."""

from typing import Any

from deskhand_freshservice.plugin import FreshservicePlugin
from plugins.base import TicketMetadata
from plugins.parsing import number_id, parse_time, text_or_empty
from plugins.rendering import html_to_text
from plugins.sightings import Sightings
from plugins.types import EventKind, PostedNote, TicketContext

PAGE = 100
MAX_PAGES = 50
MAX_TEXT = 12_000
"""Characters that are read of a description: more than a `TicketContext` holds."""
STATUSES = {"2": "open", "3": "pending", "4": "resolved", "5": "closed"}


class FullFreshservicePlugin(FreshservicePlugin):
    """Freshservice. A Workflow Automator rule calls the webhook, with the secret in the header `X-Deskhand-Secret`.

    Freshservice signs nothing: the secret shows who is calling, and does not protect the body.
    """

    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        """What the rule's body says in `event`; a new ticket where it says nothing."""
        match payload.get("event"):
            case None | "ticket_created":
                return EventKind.CREATED
            case "ticket_resolved":
                return EventKind.RESOLVED
            case _:
                return EventKind.OTHER

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """Subject, description, status and category as text; what the ticket does not say comes from the webhook."""
        known = super().describe(ticket, metadata)
        return TicketContext(
            ticket_id=known.ticket_id,
            subject=text_or_empty(ticket.get("subject")),
            description=html_to_text(text_or_empty(ticket.get("description")), limit=MAX_TEXT) or known.description,
            status=STATUSES.get(str(ticket.get("status")), ""),
            priority=known.priority,
            category=text_or_empty(ticket.get("category")),
            created_at=parse_time(ticket.get("created_at")) or known.created_at,
        )

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings:
        """Look through the ticket's conversations, which Freshservice lists oldest first."""
        seen = Sightings((await self.tenant(tenant_id)).settings.own_account_id, ref)
        path = f"tickets/{number_id(ticket_id, 'ticket_id', 'ticket')}/conversations"
        for page in range(1, MAX_PAGES + 1):
            params = {"page": str(page), "per_page": str(PAGE)}
            response = await self.call(tenant_id, "GET", path, params=params)
            if response.status_code == 404:
                seen.complete = True
                return seen
            rows = self.success(response, "conversations", of=list)
            for row in reversed(rows):
                if ref in (body := text_or_empty(row.get("body"))):
                    note_id, author = str(row.get("id")), row.get("user_id")
                    seen.add(html_to_text(body), private=row.get("private"), note_id=note_id, author=author)
            seen.complete = len(rows) < PAGE
            if seen.settled or seen.complete:
                break
        return seen

    async def remove_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Delete a note of ours: one that came out public, or a second one."""
        del ticket_id
        note = number_id(posted.note_id, "note_id", "note")
        response = await self.call(tenant_id, "DELETE", f"conversations/{note}")
        if not response.is_success and response.status_code != 404:
            self.refuse(response)
        return response.status_code != 404
