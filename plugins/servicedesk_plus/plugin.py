"""The ServiceDesk Plus plugin: the contract's four methods and the hooks, over the on-premises API v3."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

import httpx
from pydantic import BaseModel

from plugins.base import TicketMetadata
from plugins.checking import Check
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    PermanentAPIError,
    RateLimitError,
    TicketRefusedError,
)
from plugins.http import HttpPlugin, Sightings, retry_after_seconds
from plugins.parsing import normalise_priority
from plugins.payload import signed_bytes
from plugins.rendering import to_html
from plugins.servicedesk_plus import answers, authentication, webhook
from plugins.servicedesk_plus.answers import NOTE_ROOTS, Answer
from plugins.servicedesk_plus.connection import ServiceDeskPlusConnection
from plugins.signatures import matches_any
from plugins.types import ConnectionReport, EventKind, PostedNote, TenantSettings, TicketContext

MAX_NOTE_BYTES = 60_000
"""UTF-8 bytes of a note's HTML. ServiceDesk Plus publishes no limit; this is ours."""
PAGE_SIZE = 100
"""Rows of one page, the API's maximum."""
MAX_PAGES = 50
MAX_SINGLE_NOTES = 20
"""Notes that one look fetches one by one, where the list leaves out their text."""


class ServiceDeskPlusPlugin(HttpPlugin):
    """ServiceDesk Plus on-premises with a technician's API key. Notes have `show_to_requester: false`."""

    __tool_type__: ClassVar[str] = "servicedesk_plus"
    __version__: ClassVar[str] = "1.0.0"

    connection_model: ClassVar[type[BaseModel]] = ServiceDeskPlusConnection
    signature_header: ClassVar[str] = authentication.SECRET_HEADER
    signature_schemes: ClassVar[frozenset[str]] = frozenset(authentication.Scheme)

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
        response = await self._call(tenant_id, connection, "GET", connection.url(number))
        answer = Answer.of(response)
        if answer.not_found:
            return None
        request = self._success(response, answer).get("request")
        if not isinstance(request, dict):
            raise APIError(f"{self.tool_type} answered {response.status_code} without a request")
        settings = (await self.tenant(tenant_id)).settings
        name = webhook.name_of(request.get("priority"))
        extra = {
            "url": connection.technician_url(number),
            "priority": normalise_priority(name, settings, webhook.PRIORITIES),
        }
        return {**request, answers.EXTRA: extra}

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """Subject, description, status, category and resolution as text."""
        return answers.ticket_context(ticket, metadata)

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Add a note that the requester does not see. Privacy is what the reply says.

        A refusal that names the key around the note is answered once by the same note under the other key.

        Raises:
            TicketRefusedError: the request is closed to notes.
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
        root = connection.note_root
        response = await self._add_note(tenant_id, connection, number, {root: note})
        answer = Answer.of(response)
        if answer.wrong_note_root:
            other = next(name for name in NOTE_ROOTS if name != root)
            response = await self._add_note(tenant_id, connection, number, {other: note})
            answer = Answer.of(response)
        if answer.not_found:
            return None
        if answer.closed:
            raise TicketRefusedError(f"{self.tool_type} refuses the note: {answer.words}")
        return answers.posted_note(self._success(response, answer))

    async def _add_note(
        self, tenant_id: str, connection: ServiceDeskPlusConnection, number: str, body: Mapping[str, Any]
    ) -> httpx.Response:
        return await self._call(
            tenant_id, connection, "POST", connection.url(number, "notes"), form={"input_data": _compact(body)}
        )

    async def remove_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Delete the note."""
        if posted.note_id is None:
            return False
        number = webhook.request_number(ticket_id)
        note = webhook.request_number(posted.note_id, "note_id")
        connection = await self.connection(tenant_id, ServiceDeskPlusConnection)
        response = await self._call(tenant_id, connection, "DELETE", connection.url(number, "notes", note))
        answer = Answer.of(response)
        if answer.not_found:
            return False
        self._success(response, answer)
        return True

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings:
        """Look through the notes, newest first; `MAX_SINGLE_NOTES` one by one where the list leaves things out."""
        seen = Sightings((await self.tenant(tenant_id)).settings.own_account_id)
        number = webhook.request_number(ticket_id)
        connection = await self.connection(tenant_id, ServiceDeskPlusConnection)
        fetched = 0
        for page in range(MAX_PAGES):
            rows = {"row_count": PAGE_SIZE, "start_index": page * PAGE_SIZE + 1}
            newest_first = {"sort_field": "added_time", "sort_order": "desc"}
            params = {"input_data": _compact({"list_info": rows | newest_first})}
            response = await self._call(tenant_id, connection, "GET", connection.url(number, "notes"), params=params)
            answer = Answer.of(response)
            if answer.not_found:
                seen.complete = True
                return seen
            body = self._success(response, answer)
            for listed in answers.notes(body):
                note: Mapping[str, Any] = listed
                if not answers.is_whole(listed, ref):
                    if fetched == MAX_SINGLE_NOTES:
                        return seen
                    fetched += 1
                    note = await self._note(tenant_id, connection, number, listed.get("id"))
                if answers.holds(note, ref):
                    private, note_id = answers.is_private(note), answers.id_of(note)
                    seen.add(private=private, note_id=note_id, author=answers.id_of(note.get("added_by")))
            seen.complete = not answers.has_more_rows(body)
            if seen.settled or seen.complete:
                return seen
        return seen

    async def _note(
        self, tenant_id: str, connection: ServiceDeskPlusConnection, number: str, note_id: Any
    ) -> Mapping[str, Any]:
        """One note; an empty one if it is gone by now."""
        address = connection.url(number, "notes", webhook.request_number(note_id, "note_id"))
        response = await self._call(tenant_id, connection, "GET", address)
        answer = Answer.of(response)
        return {} if answer.not_found else answers.note_in(self._success(response, answer))

    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        """List one request. The API has no way to ask who we are."""
        check = Check()
        if await check.attempt(self._list_one(tenant_id), refused="give another API key") is None:
            return check.report()
        check.good("ServiceDesk Plus accepts the API key and lists requests")
        if (await self.tenant(tenant_id)).settings.own_account_id is None:
            check.open(
                "events that our own notes cause are not recognised",
                "set own_account_id to the technician's id if your webhooks tell of updates too",
            )
        return check.report()

    async def _list_one(self, tenant_id: str) -> dict[str, Any]:
        connection = await self.connection(tenant_id, ServiceDeskPlusConnection)
        params = {"input_data": _compact({"list_info": {"row_count": 1}})}
        response = await self._call(tenant_id, connection, "GET", connection.url(), params=params)
        answer = Answer.of(response)
        if answer.not_found:
            raise ConfigurationError(
                f"base_url or resource_path: there is no {connection.url()}; newer versions want /app/<portal>"
            )
        return self._success(response, answer)

    async def _call(
        self,
        tenant_id: str,
        connection: ServiceDeskPlusConnection,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        return await self.send(tenant_id, method, url, headers=connection.headers, params=params, form=form)

    def _success(self, response: httpx.Response, answer: Answer) -> dict[str, Any]:
        if answer.failed:
            self._refuse(response, answer)
        return self.json_object(response)

    def _refuse(self, response: httpx.Response, answer: Answer) -> NoReturn:
        said = f"{self.tool_type} answered {answer.http_status}: {answer.reason}"
        match answer.code:
            case answers.RATE_LIMIT:
                raise RateLimitError(said, retry_after_seconds(response.headers.get("Retry-After")))
            case answers.BAD_API_KEY | answers.NOT_ALLOWED:
                raise AuthenticationError(said)
            case answers.LICENCE:
                raise ConfigurationError(said)
            case answers.INTERNAL_ERROR:
                raise APIError(said)
        if response.is_success:
            raise PermanentAPIError(said)
        self.refuse(response, answer.reason)


def _compact(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
