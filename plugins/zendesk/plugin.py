"""The Zendesk plugin: the contract's four methods and the hooks, over Zendesk's Support API v2."""

from collections.abc import Mapping
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel

from plugins.base import TicketMetadata
from plugins.checking import Check
from plugins.exceptions import APIError, TicketRefusedError
from plugins.http import HttpPlugin, Sightings
from plugins.parsing import normalise_priority
from plugins.payload import received_at, settings_of, signed_bytes
from plugins.signatures import matches_any
from plugins.types import MAX_COMMENTS, ConnectionReport, EventKind, PostedNote, TenantSettings, TicketContext
from plugins.zendesk import answers, webhook
from plugins.zendesk.connection import ZendeskConnection
from plugins.zendesk.note import note_html

PAGE_SIZE = 100
"""Comments of one page, Zendesk's maximum."""
MAX_PAGES = 50
"""A ticket holds 5,000 comments at most (Support API), so this many pages are all there can be."""


class ZendeskPlugin(HttpPlugin):
    """Zendesk Support with an API token. Notes are comments with `public: false`, said explicitly every time."""

    __tool_type__: ClassVar[str] = "zendesk"
    __version__: ClassVar[str] = "1.0.0"

    connection_model: ClassVar[type[BaseModel]] = ZendeskConnection
    signature_header: ClassVar[str] = webhook.SIGNATURE_HEADER

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
        response = await self._call(tenant_id, connection, "GET", f"tickets/{number}.json")
        if response.status_code == 404:
            return None
        ticket = self._success(response).get("ticket")
        if not isinstance(ticket, dict):
            raise APIError(f"{self.tool_type} answered {response.status_code} without a ticket")
        settings = (await self.tenant(tenant_id)).settings
        extra = {
            "url": f"{connection.base_url}/agent/tickets/{number}",
            "priority": normalise_priority(ticket.get("priority"), settings, webhook.PRIORITIES),
            "comments": await self._last_comments(tenant_id, connection, number),
        }
        return {**ticket, answers.EXTRA: extra}

    async def _last_comments(self, tenant_id: str, connection: ZendeskConnection, number: str) -> list[Any]:
        """The newest comments, newest first. They are no part of a ticket's JSON and cannot be sideloaded."""
        params = {"sort": "-created_at", "page[size]": str(MAX_COMMENTS)}
        response = await self._call(tenant_id, connection, "GET", f"tickets/{number}/comments", params=params)
        comments = self._success(response).get("comments")
        return comments if isinstance(comments, list) else []

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """Subject, description, status, type and last comments as text."""
        return answers.ticket_context(ticket, metadata)

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Update the ticket with a private comment. Privacy is what the reply's audit says of that comment.

        Raises:
            TicketRefusedError: the ticket is closed; Zendesk never takes another comment on it.
        """
        number = webhook.ticket_number(ticket_id)
        connection = await self.connection(tenant_id, ZendeskConnection)
        comment = {"html_body": note_html(content), "public": False}
        response = await self._call(
            tenant_id, connection, "PUT", f"tickets/{number}.json", json_body={"ticket": {"comment": comment}}
        )
        if response.status_code == 404:
            return None
        if answers.ticket_is_closed(response):
            raise TicketRefusedError(f"{self.tool_type} refuses the note: {answers.error_words(response)}")
        return answers.posted_note(self._success(response))

    async def retract_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Make the comment private: Zendesk cannot delete one, and a private comment is what was wanted."""
        if posted.note_id is None:
            return False
        number = webhook.ticket_number(ticket_id)
        comment = webhook.ticket_number(posted.note_id, "note_id")
        connection = await self.connection(tenant_id, ZendeskConnection)
        response = await self._call(
            tenant_id, connection, "PUT", f"tickets/{number}/comments/{comment}/make_private", json_body={}
        )
        if response.status_code == 404:
            return False
        if not response.is_success:
            self._refuse(response)
        return True

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings:
        """Look through the comments, newest first."""
        seen = Sightings((await self.tenant(tenant_id)).settings.own_account_id)
        number = webhook.ticket_number(ticket_id)
        connection = await self.connection(tenant_id, ZendeskConnection)
        params = {"sort": "-created_at", "page[size]": str(PAGE_SIZE)}
        for _ in range(MAX_PAGES):
            response = await self._call(tenant_id, connection, "GET", f"tickets/{number}/comments", params=params)
            if response.status_code == 404:
                seen.complete = True
                return seen
            page = self._success(response)
            comments, meta = page.get("comments"), page.get("meta")
            if not isinstance(comments, list):
                raise APIError(f"{self.tool_type} answered {response.status_code} without comments")
            for comment in comments:
                if isinstance(comment, dict) and answers.holds(comment, ref):
                    note_id, author = answers.id_of(comment), answers.id_of(comment, "author_id")
                    seen.add(private=answers.is_private(comment), note_id=note_id, author=author)
            seen.complete = not isinstance(meta, dict) or not meta.get("has_more")
            if seen.settled or seen.complete or not isinstance(meta, dict):
                return seen
            # The cursor and not `links.next`: credentials go to the tenant's own address, whatever a reply says.
            cursor = meta.get("after_cursor")
            if not isinstance(cursor, str) or cursor == params.get("page[after]"):
                return seen
            params["page[after]"] = cursor
        return seen

    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        """Ask Zendesk who we are. It answers strangers too, with a user that has no id."""
        check = Check()
        body = await check.attempt(self._me(tenant_id), refused="give another API token or e-mail address")
        if body is None:
            return check.report()
        user = body.get("user")
        if not isinstance(user, dict) or user.get("id") is None:
            check.bad("Zendesk does not know this e-mail address and token", "give another API token or e-mail address")
            return check.report()
        account = f"{user.get('name') or 'unnamed'} (user {user['id']})"
        check.good(f"signed in as {account}")
        if user.get("role") not in ("agent", "admin"):
            check.bad("the account is no agent: it cannot write internal notes", "make it an agent in Zendesk")
        if (await self.tenant(tenant_id)).settings.own_account_id != str(user["id"]):
            check.open("events that our own notes cause are not recognised", f"set own_account_id to {user['id']}")
        return check.report(account)

    async def _me(self, tenant_id: str) -> dict[str, Any]:
        connection = await self.connection(tenant_id, ZendeskConnection)
        return self._success(await self._call(tenant_id, connection, "GET", "users/me.json"))

    async def _call(
        self,
        tenant_id: str,
        connection: ZendeskConnection,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
    ) -> httpx.Response:
        return await self.send(
            tenant_id,
            method,
            f"{connection.base_url}/api/v2/{path}",
            headers={"Accept": "application/json"},
            params=params,
            json_body=json_body,
            auth=connection.basic_auth,
        )

    def _success(self, response: httpx.Response) -> dict[str, Any]:
        if not response.is_success:
            self._refuse(response)
        return self.json_object(response)

    def _refuse(self, response: httpx.Response) -> None:
        words = answers.error_words(response)
        if response.status_code == 409:
            # Two updates met at Zendesk. Nothing is wrong with ours, and it was not done.
            raise APIError(f"{self.tool_type} answered 409" + (f": {words}" if words else ""))
        self.refuse(response, words)
