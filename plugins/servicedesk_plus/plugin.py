"""The ServiceDesk Plus plugin: the contract's four methods and the hooks, over the API v3 on-premises and in Cloud."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

import httpx
from pydantic import BaseModel

from plugins.base import TicketMetadata
from plugins.exceptions import APIError, PluginError, TicketRefusedError
from plugins.parsing import normalise_priority
from plugins.payload import signed_bytes
from plugins.rendering import to_html
from plugins.servicedesk_plus import answers, authentication, recent, setup, webhook
from plugins.servicedesk_plus.answers import Answer
from plugins.servicedesk_plus.api import ServiceDeskPlusApi, compact
from plugins.servicedesk_plus.checks import check_connection
from plugins.servicedesk_plus.connection import ServiceDeskPlusConnection
from plugins.sightings import Sightings
from plugins.signatures import matches_any
from plugins.types import ConnectionReport, EventKind, PostedNote, TenantSettings, TicketContext

MAX_NOTE_BYTES = 60_000
"""UTF-8 bytes of a note's HTML. ServiceDesk Plus publishes no limit; this is ours."""
PAGE_SIZE = 100
"""Rows of one page, the API's maximum."""
MAX_PAGES = 50
MAX_SINGLE_NOTES = 8
"""Notes that one look fetches one by one, where the list leaves out their text: more would not fit into the 5 s of an
attempt (NFR001)."""


class ServiceDeskPlusPlugin(ServiceDeskPlusApi):
    """ServiceDesk Plus on-premises and MSP (a technician's API key) and Cloud (Zoho OAuth), API v3. ServiceDesk Plus
    signs no webhooks: `header` (a secret in X-Deskhand-Secret) and `basic` (the secret as a password) show that the
    sender knows the secret, and protect no body; `hmac` covers the body, and a script of the tenant's own computes it.

    Notes have `show_to_requester: false`, and notify nobody. See `plugins.servicedesk_plus.authentication` for the
    schemes, and `plugins.servicedesk_plus.webhook` for the body.
    """

    __tool_type__: ClassVar[str] = "servicedesk_plus"
    __version__: ClassVar[str] = "1.0.0"

    connection_model: ClassVar[type[BaseModel]] = ServiceDeskPlusConnection
    signature_header: ClassVar[str] = authentication.SECRET_HEADER
    signature_schemes: ClassVar[frozenset[str]] = frozenset(authentication.Scheme)
    default_scheme: ClassVar[str | None] = authentication.Scheme.HEADER.value

    def signature_from(self, headers: Mapping[str, str], settings: TenantSettings) -> str:
        """By the scheme in force (`signature_scheme`); see `plugins.servicedesk_plus.authentication`."""
        return authentication.signature_from(headers, settings)

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        """Whether the delivery satisfies the scheme in force; a signature of another scheme's form never does."""
        if authentication.scheme_for(payload) is not authentication.Scheme.HMAC:
            return await self.static_secret_matches(payload, signature)
        raw = signed_bytes(payload)
        return matches_any(
            await self.webhook_secrets(payload), lambda secret: authentication.sign(secret, raw), signature
        )

    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        """By `event`, else by the request's status; a body with neither is a new ticket."""
        return webhook.event_kind(payload)

    def resolved_version(self, payload: dict[str, Any]) -> str | None:
        """The request's resolved or updated time in the body."""
        return webhook.resolved_version(payload)

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        """Metadata out of flat bodies and those with a `request`; see `plugins.servicedesk_plus.webhook`."""
        return webhook.extract_metadata(payload)

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        """The API's `request` object, with `url` and `priority` for the technician under the key `deskhand`."""
        number = webhook.request_number(ticket_id)
        connection = await self.connection(tenant_id, ServiceDeskPlusConnection)
        response = await self.call(tenant_id, connection, "GET", connection.url(number))
        answer = Answer.of(response)
        if answer.not_found:
            return None
        request = self.body(response, answer).get("request")
        if not isinstance(request, dict):
            raise APIError(f"{self.tool_type} answered {response.status_code} without a request")
        settings = (await self.tenant(tenant_id)).settings
        extra = {
            "url": connection.technician_url(number),
            "priority": normalise_priority(request.get("priority"), settings, webhook.PRIORITIES),
        }
        return {**request, answers.EXTRA: extra}

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """Subject, description, status, category and resolution as text."""
        return answers.ticket_context(ticket, metadata)

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Add a note that the requester does not see. Privacy is what the reply says.

        A refusal that names the key around the note is answered once by the same note under the other key.

        Raises:
            TicketRefusedError: the request is closed.
        """
        number = webhook.request_number(ticket_id)
        connection = await self.connection(tenant_id, ServiceDeskPlusConnection)
        note = {
            "description": to_html(content, limit=MAX_NOTE_BYTES),
            "show_to_requester": False,
            "notify_technician": False,
            "mark_first_response": False,  # it would stop the clock of the response time agreed with the requester
            "add_to_linked_requests": False,  # those may belong to other people
        }
        first, other = connection.note_roots
        response = await self._add_note(tenant_id, connection, number, {first: note})
        answer = Answer.of(response)
        if answer.wrong_note_root:
            response = await self._add_note(tenant_id, connection, number, {other: note})
            answer = Answer.of(response)
        if answer.not_found:
            return None
        if answer.about_the_request:
            closed = await self._is_closed(tenant_id, connection, number)
            if answer.says_closed if closed is None else closed:
                raise TicketRefusedError(f"{self.tool_type} refuses the note, the request is closed: {answer.reason}")
        return answers.posted_note(self.body(response, answer))

    async def _add_note(
        self, tenant_id: str, connection: ServiceDeskPlusConnection, number: str, body: Mapping[str, Any]
    ) -> httpx.Response:
        return await self.call(
            tenant_id, connection, "POST", connection.url(number, "notes"), form={"input_data": compact(body)}
        )

    async def _is_closed(self, tenant_id: str, connection: ServiceDeskPlusConnection, number: str) -> bool | None:
        """Whether the request is closed; `None` if that cannot be told.

        ServiceDesk Plus has no code for "closed", and its words come in the installation's language: the request itself
        says it. A look that fails must not hide what the note was refused with.
        """
        try:
            response = await self.call(tenant_id, connection, "GET", connection.url(number))
            request = self.body(response, Answer.of(response)).get("request")
        except PluginError:
            return None
        return answers.is_closed(request) if isinstance(request, dict) else None

    async def remove_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Delete the note."""
        if posted.note_id is None:
            return False
        number = webhook.request_number(ticket_id)
        note = webhook.request_number(posted.note_id, "note_id")
        connection = await self.connection(tenant_id, ServiceDeskPlusConnection)
        response = await self.call(tenant_id, connection, "DELETE", connection.url(number, "notes", note))
        answer = Answer.of(response)
        if answer.not_found:
            return False
        self.body(response, answer)
        return True

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings:
        """Look through the notes, newest first; `MAX_SINGLE_NOTES` one by one where the list leaves things out."""
        seen = Sightings((await self.tenant(tenant_id)).settings.own_account_id, ref)
        number = webhook.request_number(ticket_id)
        connection = await self.connection(tenant_id, ServiceDeskPlusConnection)
        sorting: Mapping[str, Any] = {"sort_field": answers.SORT_FIELD, "sort_order": "desc"}
        fetched = 0
        for page in range(MAX_PAGES):
            rows = {"row_count": PAGE_SIZE, "start_index": page * PAGE_SIZE + 1}
            response = await self._list_notes(tenant_id, connection, number, {**rows, **sorting})
            answer = Answer.of(response)
            if sorting and answer.wrong_sorting:
                sorting = {}  # then as they come
                response = await self._list_notes(tenant_id, connection, number, rows)
                answer = Answer.of(response)
            if answer.not_found:
                seen.complete = True
                return seen
            body = self.body(response, answer)
            listed_notes = answers.notes(body)
            if len(listed_notes) > PAGE_SIZE:
                raise APIError(f"{self.tool_type}: a page of notes is longer than was asked for")
            for listed in listed_notes:
                note: Mapping[str, Any] = listed
                if not answers.is_whole(listed, ref):
                    note_id = answers.id_of(listed) or ""
                    if fetched == MAX_SINGLE_NOTES or not note_id.isdecimal():
                        return seen
                    fetched += 1
                    note = await self._note(tenant_id, connection, number, note_id)
                if answers.holds(note, ref):
                    seen.add(
                        answers.whole_text(note),
                        private=answers.is_private(note),
                        note_id=answers.id_of(note),
                        author=answers.author_of(note),
                    )
            seen.complete = answers.is_last_page(body, listed_notes, PAGE_SIZE)
            if seen.settled or seen.complete:
                return seen
        return seen

    async def _list_notes(
        self, tenant_id: str, connection: ServiceDeskPlusConnection, number: str, list_info: Mapping[str, Any]
    ) -> httpx.Response:
        params = {"input_data": compact({"list_info": list_info})}
        return await self.call(tenant_id, connection, "GET", connection.url(number, "notes"), params=params)

    async def _note(
        self, tenant_id: str, connection: ServiceDeskPlusConnection, number: str, note_id: Any
    ) -> Mapping[str, Any]:
        """One note; an empty one if it is gone by now."""
        address = connection.url(number, "notes", webhook.request_number(note_id, "note_id"))
        response = await self.call(tenant_id, connection, "GET", address)
        answer = Answer.of(response)
        return {} if answer.not_found else answers.note_in(self.body(response, answer))

    def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Flat bodies for the requests created since then, newest first; see `plugins.servicedesk_plus.recent`.

        All that the technician may see: which of them the tenant's triggers would not have told of is not to be known.
        """
        return recent.created_since(self, tenant_id, since)

    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        """Whether the credentials are accepted and requests can be read; see `plugins.servicedesk_plus.checks`."""
        return await check_connection(self, tenant_id)

    @classmethod
    def webhook_steps(cls, address: str, tenant_id: str, settings: TenantSettings) -> tuple[str, ...]:
        """By the scheme in force; see `plugins.servicedesk_plus.setup`."""
        del tenant_id
        return setup.webhook_steps(address, authentication.scheme_of(settings))
