"""The Jira plugin: Jira Cloud's REST API v3 and its webhooks.

Sources: Atlassian's OpenAPI document of the platform API v3 (2025-12) and its "Webhooks" page. Jira Data Center is not
supported: it has no ADF, and Atlassian is ending it.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote

import httpx

from plugins.base import TicketMetadata
from plugins.checking import Check
from plugins.exceptions import APIError, AuthenticationError, ConfigurationError, TicketRefusedError
from plugins.jira import checks, issues, recent, refusals, setup, webhooks
from plugins.jira.api import JiraApi, issue_path
from plugins.jira.connection import JiraConnection
from plugins.jira.hiding import INTERNAL, Hiding, hiding_for
from plugins.jira.values import MAX_TEXT, PRIORITIES, is_done, mapping, name_of, raw_texts, rich_text, string
from plugins.parsing import normalise_priority
from plugins.payload import settings_of, signed_bytes
from plugins.rendering import to_adf
from plugins.sightings import Sightings
from plugins.signatures import hmac_sha256, matches_any, static_digest
from plugins.types import ConnectionReport, EventKind, PostedNote, TenantSettings, TicketContext

PAGE = 100
MAX_PAGES = 50
"""Jira Cloud takes 5,000 comments per issue."""

SECRET_HEADER = "X-Deskhand-Secret"  # noqa: S105  # the header's name, not a secret


class JiraPlugin(JiraApi):
    """Jira Cloud, with an API token (classic or with scopes), OAuth's or a service account's token. Notes are internal
    comments in service projects; in other projects they are hidden behind a role, or not posted.

    Webhooks are signed (`X-Hub-Signature: sha256=…`), or, with the signature scheme `header`, carry the secret itself
    in `X-Deskhand-Secret`: Automation rules cannot sign. The latter does not protect the body.
    """

    __tool_type__ = "jira"
    __version__ = "1.0.0"

    connection_model = JiraConnection
    signature_header: ClassVar[str] = "X-Hub-Signature"
    signature_schemes: ClassVar[frozenset[str]] = frozenset({"hmac", "header"})
    default_scheme: ClassVar[str | None] = "hmac"

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        """Whether the webhook is signed with a secret of its tenant that counted when it was received."""
        scheme = settings_of(payload).signature_scheme
        if scheme == "header":
            return await self.static_secret_matches(payload, signature)
        body = signed_bytes(payload)
        accepted = await self.webhook_secrets(payload) if scheme in (None, "hmac") else ()
        # Any other method than sha256 differs in the prefix, and is refused with it.
        return matches_any(accepted, lambda secret: f"sha256={hmac_sha256(secret, body).hex()}", signature)

    def signature_from(self, headers: Mapping[str, str], settings: TenantSettings) -> str:
        """`X-Hub-Signature` as it is; under the scheme `header` a digest of `X-Deskhand-Secret`."""
        if settings.signature_scheme == "header":
            secret = headers.get(SECRET_HEADER.lower(), "")
            return static_digest(secret) if secret else ""
        return super().signature_from(headers, settings)

    def event_kind(self, payload: dict[str, Any]) -> EventKind:
        """What the event asks for; see `plugins.jira.webhooks`."""
        return webhooks.event_kind(payload)

    def resolved_version(self, payload: dict[str, Any]) -> str | None:
        """When the issue was resolved, or last changed, as the body has it."""
        return webhooks.resolved_version(payload)

    def extract_metadata(self, payload: dict[str, Any]) -> TicketMetadata:
        """The normalised metadata; see `plugins.jira.webhooks` for the bodies that are understood."""
        return webhooks.extract_metadata(payload)

    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        """Jira's JSON of the issue, with the fields that `describe` reads; `None` if it is not there.

        Jira answers 404 also where the account may not see the issue. Under `deskhand` the answer has what `describe`
        cannot know: the priority by the tenant's own map, and the site's address.
        """
        issue = await self.issue(tenant_id, ticket_id, issues.FIELDS)
        if issue is None:
            return None
        known: dict[str, Any] = {"site": (await self.connection(tenant_id, JiraConnection)).site}
        priority = name_of(mapping(issue.get("fields")).get("priority"))
        if priority:
            settings = (await self.tenant(tenant_id)).settings
            known["priority"] = normalise_priority(priority, settings, PRIORITIES)
        return {**issue, issues.OWN: known}

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """The issue as bounded text; see `plugins.jira.issues`."""
        return issues.describe(ticket, metadata)

    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Add the note as a comment that the requester cannot see.

        In a service project it is an internal comment, and the reply must say so. Anywhere else a comment can be hidden
        only behind a role.

        Raises:
            ConfigurationError: the project is no service project, and nothing says how to hide the note. Nothing was
                posted.
        """
        issue = await self.issue(tenant_id, ticket_id, "project,status")
        if issue is None:
            return None
        hiding = await self._hiding(tenant_id, issue)
        comment: dict[str, Any] = {"body": to_adf(content, limit=MAX_TEXT), "properties": [INTERNAL]}
        if hiding.visibility:
            comment["visibility"] = hiding.visibility
        response = await self.call(tenant_id, "POST", f"{issue_path(ticket_id)}/comment", json_body=comment)
        if self.missing(tenant_id, response):
            return None
        if not response.is_success:
            self._refuse_comment(tenant_id, response, issue)
        reply = self.json_object(response)
        return PostedNote(private=hiding.hides(reply), note_id=string(reply.get("id")) or None)

    async def _hiding(self, tenant_id: str, issue: Mapping[str, Any]) -> Hiding:
        return hiding_for(issue, await self.connection(tenant_id, JiraConnection), tenant_id)

    def _refuse_comment(self, tenant_id: str, response: httpx.Response, issue: Mapping[str, Any]) -> NoReturn:
        """Raise what it means that Jira did not take the comment."""
        status, words = response.status_code, refusals.words(response)
        if status == 413 and refusals.is_jiras(response):
            # Documented for this request alone: the issue has as many comments as it can hold.
            raise TicketRefusedError(f"{self.tool_type} takes no more comments on this issue: {words}")
        if status == 400 and not {"commentLevel", "visibility"}.isdisjoint(refusals.field_errors(response)):
            raise ConfigurationError(f"tenant {tenant_id}: visibility_role: {self.tool_type} refused it: {words}")
        if status == 400 and "permission to comment" in words:
            # Jira says the same of an issue that is closed to comments and of an account without "Add comments".
            if is_done(issue):
                raise TicketRefusedError(f"{self.tool_type} answered 400: {words}")
            raise AuthenticationError(
                f"{self.tool_type} answered 400: {words} (the account needs the project permission Add comments)"
            )
        self.refuse(response, self.error_words(response))

    async def remove_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Delete the comment, which takes the project permission "Delete own comments".

        Where Jira does not find it, it may also be that the account must not see it.
        """
        if posted.note_id is None:
            return False
        path = f"{issue_path(ticket_id)}/comment/{quote(posted.note_id, safe='')}"
        response = await self.call(tenant_id, "DELETE", path)
        if self.missing(tenant_id, response):
            return False
        if not response.is_success:
            self.refuse(response, self.error_words(response))
        return True

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings:
        """Look through the comments, newest first."""
        seen = Sightings((await self.tenant(tenant_id)).settings.own_account_id, ref)
        hiding: Hiding | None = None
        start = 0
        for _ in range(MAX_PAGES):
            response = await self.call(
                tenant_id,
                "GET",
                f"{issue_path(ticket_id)}/comment",
                params={"startAt": str(start), "maxResults": str(PAGE), "orderBy": "-created"},
            )
            if self.missing(tenant_id, response):
                seen.complete = True
                return seen
            page = self.answer(response)
            comments = page.get("comments")
            if not isinstance(comments, list):
                raise APIError(f"{self.tool_type}: the list of comments holds no list")
            if len(comments) > PAGE:
                raise APIError(f"{self.tool_type}: a page of comments is longer than was asked for")
            for comment in map(mapping, comments):
                if not any(ref in text for text in raw_texts(comment.get("body"))):
                    continue
                # Nowhere but in a service project is this false, so the project need not be asked for.
                private: bool | None = comment.get("jsdPublic") is False
                if not private:
                    if hiding is None:
                        issue = await self.issue(tenant_id, ticket_id, "project")
                        if issue is None:
                            seen.complete = True
                            return seen
                        hiding = await self._hiding(tenant_id, issue)
                    private = hiding.hides(comment)
                author = string(mapping(comment.get("author")).get("accountId")) or None
                text = rich_text(comment.get("body"), MAX_TEXT)
                seen.add(text, private=private, note_id=string(comment.get("id")) or None, author=author)
            start += len(comments)
            total = page.get("total")
            seen.complete = not comments or (isinstance(total, int) and start >= total)
            if seen.settled or seen.complete:
                return seen
        return seen

    def recent_tickets(self, tenant_id: str, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Native bodies for the issues created since then, oldest first; see `plugins.jira.recent`.

        All that the account may see, in every project: which of them the JQL of the tenant's webhook, or its rules,
        would not have told of is not to be known.
        """
        return recent.created_since(self, tenant_id, since)

    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        """Who we are, what we may do, and where issues are opened; see `plugins.jira.checks`."""
        check = Check()
        connection = await check.attempt(self.connection(tenant_id, JiraConnection))
        if connection is None:
            return check.report()
        settings = (await self.tenant(tenant_id)).settings
        read = partial(self.read, tenant_id)
        account = await checks.examine(check, connection, settings, read)
        return check.report(account, account or None)

    @classmethod
    def webhook_steps(cls, address: str, tenant_id: str, settings: TenantSettings) -> tuple[str, ...]:
        """A webhook of the site, or under the scheme `header` two Automation rules; see `plugins.jira.setup`."""
        del tenant_id
        if settings.signature_scheme == "header":
            return setup.automation_steps(address, SECRET_HEADER)
        return setup.webhook_steps(address)
