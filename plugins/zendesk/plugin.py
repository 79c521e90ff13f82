"""The Zendesk plugin: the contract's four methods and the hooks, over Zendesk's Support API v2."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel

from plugins.base import TicketMetadata
from plugins.checking import Check
from plugins.exceptions import TicketRefusedError
from plugins.parsing import normalise_priority
from plugins.payload import received_at, settings_of, signed_bytes
from plugins.sightings import Sightings
from plugins.signatures import matches_any
from plugins.types import MAX_COMMENTS, ConnectionReport, EventKind, PostedNote, TenantSettings, TicketContext
from plugins.zendesk import answers, checks, look, recent, setup, webhook
from plugins.zendesk.api import ZendeskApi
from plugins.zendesk.connection import ZendeskConnection
from plugins.zendesk.note import note_html

PAGE_SIZE = 100
"""Comments of one page, Zendesk's maximum."""
MAX_PAGES = 50
"""A ticket holds 5,000 comments at most (Support API), so this many pages are all there can be."""


class ZendeskPlugin(ZendeskApi):
    """Zendesk Support, with an OAuth client (client credentials) or an agent's API token. Notes are private comments,
    which is asked for explicitly every time.

    A write is a safe update: it fails if the ticket was updated since the look for an earlier note, so that one which
    lands in between is not doubled. Zendesk cannot delete a comment: a note that came out public is made private, and
    a second one of ours stays, private.

    Webhooks are signed with the time (`X-Zendesk-Webhook-Signature` and `…-Timestamp`), over the raw body.
    """

    __tool_type__: ClassVar[str] = "zendesk"
    __version__: ClassVar[str] = "1.0.0"

    connection_model: ClassVar[type[BaseModel]] = ZendeskConnection
    signature_header: ClassVar[str] = webhook.SIGNATURE_HEADER
    vendor_makes_secret: ClassVar[bool] = True

    def signature_from(self, headers: Mapping[str, str], settings: TenantSettings) -> str:
        """Both signature headers as `t=<timestamp>,v1=<base64>`; empty unless both are there."""
        del settings
        stamped = webhook.StampedSignature.from_headers(headers)
        return str(stamped) if stamped else ""

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        """Whether timestamp and raw body are signed with the tenant's secret, and the timestamp is near `received_at`.

        Zendesk's published secret for test deliveries has no special standing.
        """
        given = webhook.StampedSignature.parse(signature)
        if given is None:
            return False
        raw = signed_bytes(payload)
        authentic = matches_any(
            await self.webhook_secrets(payload),
            lambda secret: webhook.sign(secret, given.timestamp, raw),
            given.digest,
        )
        return authentic and given.fresh(received_at(payload), settings_of(payload).signature_window_seconds)

    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        """`ticket.created` and flat bodies without an event are new tickets; a change to solved or closed resolves."""
        return webhook.event_kind(payload)

    def resolved_version(self, payload: dict[str, Any]) -> str | None:
        """The ticket's update time in the signed body."""
        return webhook.resolved_version(payload)

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        """Metadata out of event and trigger bodies; see `plugins.zendesk.webhook`."""
        return webhook.extract_metadata(payload)

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        """Zendesk's `ticket` object, with `url`, `priority` and the last `comments` under the key `deskhand`."""
        number = webhook.ticket_number(ticket_id)
        connection = await self.connection(tenant_id, ZendeskConnection)
        ticket = await self.ticket(tenant_id, connection, number)
        comments = ticket and await self._last_comments(tenant_id, connection, number)
        if ticket is None or comments is None:
            return None
        settings = (await self.tenant(tenant_id)).settings
        extra = {
            "url": f"{connection.base_url}/agent/tickets/{number}",
            "priority": normalise_priority(ticket.get("priority"), settings, webhook.PRIORITIES),
            "comments": comments,
        }
        return {**ticket, answers.EXTRA: extra}

    async def _last_comments(self, tenant_id: str, connection: ZendeskConnection, number: str) -> list[Any] | None:
        """The newest comments, newest first. They are no part of a ticket's JSON and cannot be sideloaded."""
        params = {"sort": "-created_at", "page[size]": str(MAX_COMMENTS)}
        response = await self.call(tenant_id, connection, "GET", f"tickets/{number}/comments", params=params)
        return None if self.missing(tenant_id, response) else self.success(response, "comments", of=list)

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """Subject, description, status, type and last comments as text."""
        return answers.ticket_context(ticket, metadata)

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Update the ticket with a private comment, unless it was updated since this task's look for an earlier one.

        Privacy is what the reply's audit says of that comment.

        Raises:
            TicketRefusedError: the ticket is closed; Zendesk never takes another comment on it.
            APIError: the ticket was updated meanwhile. Nothing was written, and it is worth another look.
        """
        number = webhook.ticket_number(ticket_id)
        connection = await self.connection(tenant_id, ZendeskConnection)
        stamp = look.take(self, tenant_id, number) or await self.updated_at(tenant_id, connection, number)
        if stamp is None:
            return None
        changes = {
            "comment": {"html_body": note_html(content), "public": False},
            "safe_update": True,
            "updated_stamp": stamp,
        }
        response = await self.call(
            tenant_id, connection, "PUT", f"tickets/{number}.json", json_body={"ticket": changes}
        )
        if self.missing(tenant_id, response):
            return None
        if answers.ticket_is_closed(response):
            raise TicketRefusedError(f"{self.tool_type} refuses the note: {answers.error_words(response)}")
        if not response.is_success:
            self.refuse(response, self.error_words(response))
        return answers.posted_note(self.json_object(response))

    async def retract_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Make the comment private: Zendesk cannot delete one, and a private comment is what was wanted."""
        if posted.note_id is None:
            return False
        number = webhook.ticket_number(ticket_id)
        comment = webhook.ticket_number(posted.note_id, "note_id")
        connection = await self.connection(tenant_id, ZendeskConnection)
        response = await self.call(
            tenant_id, connection, "PUT", f"tickets/{number}/comments/{comment}/make_private", json_body={}
        )
        if self.missing(tenant_id, response):
            return False
        if not response.is_success:
            self.refuse(response, self.error_words(response))
        return True

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings:
        """Look through the comments, newest first. If there is no note, the look counts for the write that follows."""
        number = webhook.ticket_number(ticket_id)
        connection = await self.connection(tenant_id, ZendeskConnection)
        seen = Sightings((await self.tenant(tenant_id)).settings.own_account_id, ref)
        stamp = await self.updated_at(tenant_id, connection, number)
        if stamp is None:
            seen.complete = True
            return seen
        await self._search(tenant_id, connection, number, ref, seen)
        if seen.best is None:
            look.keep(self, tenant_id, number, stamp)
        return seen

    async def _search(
        self, tenant_id: str, connection: ZendeskConnection, number: str, ref: str, seen: Sightings
    ) -> None:
        params = {"sort": "-created_at", "page[size]": str(PAGE_SIZE)}
        for _ in range(MAX_PAGES):
            response = await self.call(tenant_id, connection, "GET", f"tickets/{number}/comments", params=params)
            if self.missing(tenant_id, response):
                seen.complete = True
                return
            for comment in self.success(response, "comments", of=list):
                if answers.holds(comment, ref):
                    note_id, author = answers.id_of(comment), answers.id_of(comment, "author_id")
                    text = answers.whole_text(comment)
                    seen.add(text, private=answers.is_private(comment), note_id=note_id, author=author)
            page = self.json_object(response)
            meta = page.get("meta")
            # Without `meta` it is paged the older way, or not at all.
            seen.complete = not meta.get("has_more") if isinstance(meta, dict) else not page.get("next_page")
            if seen.settled or seen.complete or not isinstance(meta, dict):
                return
            # The cursor and not `links.next`: credentials go to the tenant's own address, whatever a reply says.
            cursor = meta.get("after_cursor")
            if not isinstance(cursor, str) or cursor == params.get("page[after]"):
                return
            params["page[after]"] = cursor

    def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Event bodies for the tickets created since then; see `plugins.zendesk.recent`.

        All that the agent may see: which of them the tenant's triggers would not have told of is not to be known.
        """
        return recent.created_since(self, tenant_id, since)

    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        """Whether Zendesk is there, who we are, and whether we may read tickets and write private notes."""
        check = Check()
        connection = await check.attempt(self.connection(tenant_id, ZendeskConnection))
        if connection is not None and await self._is_there(check, tenant_id, connection):
            return check.report(*await self._rights(check, tenant_id, connection))
        return check.report()

    @classmethod
    def webhook_steps(cls, address: str, tenant_id: str, settings: TenantSettings) -> tuple[str, ...]:
        """A webhook, its secret brought here, and a trigger each for new and solved tickets."""
        del settings
        return setup.webhook_steps(address, tenant_id)

    async def _is_there(self, check: Check, tenant_id: str, connection: ZendeskConnection) -> bool:
        """Whether the address is right, which does not depend on the credentials."""
        answer = await check.attempt(self._as_a_stranger(tenant_id, connection))
        if answer is None:
            return False
        if not checks.is_zendesk(answer):
            check.bad(f"there is no Zendesk account at base_url: it answered {answer.status_code}", checks.ADDRESS)
            return False
        return True

    async def _rights(self, check: Check, tenant_id: str, connection: ZendeskConnection) -> tuple[str, str | None]:
        """Who we are and what we may do; the account and its id, if Zendesk says it."""
        user = await check.attempt(self._me(tenant_id, connection), refused=checks.refused(connection))
        if user is None:
            return "", None
        account = checks.who(check, user, (await self.tenant(tenant_id)).settings.own_account_id)
        if user and not account:
            return "", None
        tickets = self._any_ticket(tenant_id, connection)
        if await check.attempt(tickets, refused=checks.may_not_read(connection)) is not None:
            check.good("tickets can be read")
        checks.may_write(check, connection, user)
        checks.until_when(check, connection)
        return account, answers.id_of(user)

    async def _as_a_stranger(self, tenant_id: str, connection: ZendeskConnection) -> httpx.Response:
        url = f"{connection.base_url}/api/v2/users/me.json"
        response = await self.send(tenant_id, "GET", url, headers={"Accept": "application/json"})
        if response.status_code == 429 or response.is_server_error:
            self.refuse(response, self.error_words(response))
        return response

    async def _me(self, tenant_id: str, connection: ZendeskConnection) -> dict[str, Any]:
        """The user that we are; empty where a token's scope leaves that out."""
        response = await self.call(tenant_id, connection, "GET", "users/me.json")
        if connection.oauth and response.status_code == 403:
            return {}
        return self.success(response, "user")

    async def _any_ticket(self, tenant_id: str, connection: ZendeskConnection) -> list[Any]:
        response = await self.call(tenant_id, connection, "GET", "tickets.json", params={"page[size]": "1"})
        return self.success(response, "tickets", of=list)
