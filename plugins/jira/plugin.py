"""The Jira plugin: Jira Cloud's REST API v3 and its webhooks.

Sources: Atlassian's OpenAPI document of the platform API v3 (2025-12) and its "Webhooks" page. Jira Data Center is not
supported: it has no ADF, and Atlassian is ending it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote

import httpx

from plugins.base import TicketMetadata
from plugins.checking import Check
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    TicketRefusedError,
)
from plugins.http import HttpPlugin, Sightings, json_or_none
from plugins.jira import issues, webhooks
from plugins.jira.connection import JiraConnection
from plugins.jira.values import MAX_TEXT, PRIORITIES, checked_key, is_done, mapping, name_of, raw_texts, string
from plugins.parsing import normalise_priority
from plugins.payload import settings_of, signed_bytes
from plugins.rendering import to_adf
from plugins.signatures import hmac_sha256, matches_any, static_digest
from plugins.types import ConnectionReport, EventKind, PostedNote, TenantSettings, TicketContext

PAGE = 100
MAX_PAGES = 50
"""Jira Cloud takes 5,000 comments per issue."""

INTERNAL = {"key": "sd.public.comment", "value": {"internal": True}}
"""The comment property that makes a comment internal in a service project."""

SECRET_HEADER = "x-deskhand-secret"  # noqa: S105  # the header's name, not a secret

_MAX_WORDS = 300


@dataclass(frozen=True, slots=True)
class _Hiding:
    """What hides a note in a project."""

    internal: bool
    """It is an internal comment of a service project."""
    visibility: Mapping[str, str] | None
    """It is for a role only. Anywhere but in service projects, `None`: whoever sees the project may read it."""

    def hides(self, comment: Mapping[str, Any]) -> bool | None:
        """Whether Jira says that the comment is hidden like this; `None` if it does not say."""
        if self.internal:
            public = comment.get("jsdPublic")
            return not public if isinstance(public, bool) else None
        return self.visibility is None or _same(comment.get("visibility"), self.visibility)


class JiraPlugin(HttpPlugin):
    """Jira Cloud.

    Webhooks are signed (`X-Hub-Signature: sha256=…`), or, with the signature scheme `header`, carry the secret itself
    in `X-Deskhand-Secret`: Automation rules cannot sign. The latter does not protect the body.
    """

    __tool_type__ = "jira"
    __version__ = "1.0.0"

    connection_model = JiraConnection
    signature_header: ClassVar[str] = "X-Hub-Signature"
    signature_schemes: ClassVar[frozenset[str]] = frozenset({"hmac", "header"})

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
            secret = headers.get(SECRET_HEADER, "")
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

        Jira answers 404 also where the account may not see the issue. Under `deskhand` the answer has the priority by
        the tenant's own map, which `describe` cannot know.
        """
        issue = await self._issue(tenant_id, ticket_id, issues.FIELDS)
        priority = name_of(mapping(mapping(issue).get("fields")).get("priority"))
        if issue is not None and priority:
            settings = (await self.tenant(tenant_id)).settings
            issue[issues.OWN] = {"priority": normalise_priority(priority, settings, PRIORITIES)}
        return issue

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
        issue = await self._issue(tenant_id, ticket_id, "project,status")
        if issue is None:
            return None
        hiding = await self._hiding(tenant_id, issue)
        comment: dict[str, Any] = {"body": to_adf(content, limit=MAX_TEXT), "properties": [INTERNAL]}
        if hiding.visibility:
            comment["visibility"] = hiding.visibility
        response = await self._call(tenant_id, "POST", f"{_issue_path(ticket_id)}/comment", json_body=comment)
        if response.status_code == 404:
            return None
        if not response.is_success:
            self._refuse_comment(response, issue)
        reply = self.json_object(response)
        return PostedNote(private=hiding.hides(reply), note_id=string(reply.get("id")) or None)

    async def _hiding(self, tenant_id: str, issue: Mapping[str, Any]) -> _Hiding:
        """What hides a note on this issue. Its project's type decides, and must be known."""
        kind = mapping(mapping(issue.get("fields")).get("project")).get("projectTypeKey")
        if not isinstance(kind, str) or not kind:
            raise APIError(
                f"{self.tool_type}: the issue's project has no projectTypeKey, which says how to hide a note"
            )
        if kind == "service_desk":
            return _Hiding(internal=True, visibility=None)
        return _Hiding(internal=False, visibility=await self._visibility(tenant_id))

    async def _visibility(self, tenant_id: str) -> dict[str, str] | None:
        """Who may read a note outside service projects; `None` if the operator accepts whoever sees the project."""
        connection = await self.connection(tenant_id, JiraConnection)
        if connection.visibility_role:
            return {"type": "role", "value": connection.visibility_role}
        if connection.allow_project_visible:
            return None
        raise ConfigurationError(
            f"tenant {tenant_id}: visibility_role: the issue's project is no service project, where notes would be "
            "public; set visibility_role to a project role, or allow_project_visible to accept that"
        )

    def _refuse_comment(self, response: httpx.Response, issue: Mapping[str, Any]) -> NoReturn:
        """Raise what it means that Jira did not take the comment."""
        words = _words(response)
        errors = mapping(mapping(json_or_none(response)).get("errors"))
        if response.status_code == 413:
            # Documented for this request alone: the issue has as many comments as it can hold.
            raise TicketRefusedError(f"{self.tool_type} takes no more comments on this issue: {words}")
        if response.status_code == 400 and "commentLevel" in errors:
            raise ConfigurationError(f"visibility_role: {self.tool_type} refused it: {words}")
        if response.status_code == 400 and "permission to comment" in words:
            # Jira says the same of an issue that is closed to comments and of an account without "Add comments".
            if is_done(issue):
                raise TicketRefusedError(f"{self.tool_type} answered 400: {words}")
            raise AuthenticationError(f"{self.tool_type} answered 400: {words}")
        self._refuse(response)

    async def remove_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Delete the comment. Where Jira does not find it, it may also be that the account must not see it."""
        if posted.note_id is None:
            return False
        path = f"{_issue_path(ticket_id)}/comment/{quote(posted.note_id, safe='')}"
        response = await self._call(tenant_id, "DELETE", path)
        if response.status_code == 404:
            return False
        if not response.is_success:
            self._refuse(response)
        return True

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings:
        """Look through the comments, newest first."""
        seen = Sightings((await self.tenant(tenant_id)).settings.own_account_id)
        hiding: _Hiding | None = None
        start = 0
        for _ in range(MAX_PAGES):
            response = await self._call(
                tenant_id,
                "GET",
                f"{_issue_path(ticket_id)}/comment",
                params={"startAt": str(start), "maxResults": str(PAGE), "orderBy": "-created"},
            )
            if response.status_code == 404:
                seen.complete = True
                return seen
            page = self._success(response)
            comments = page.get("comments")
            if not isinstance(comments, list):
                raise APIError(f"{self.tool_type}: the list of comments holds no list")
            for comment in map(mapping, comments):
                if not any(ref in text for text in raw_texts(comment.get("body"))):
                    continue
                # Nowhere but in a service project is this false, so the project need not be asked for.
                private: bool | None = comment.get("jsdPublic") is False
                if not private:
                    if hiding is None:
                        issue = await self._issue(tenant_id, ticket_id, "project")
                        if issue is None:
                            seen.complete = True
                            return seen
                        hiding = await self._hiding(tenant_id, issue)
                    private = hiding.hides(comment)
                author = string(mapping(comment.get("author")).get("accountId")) or None
                seen.add(private=private, note_id=string(comment.get("id")) or None, author=author)
            start += len(comments)
            total = page.get("total")
            seen.complete = not comments or (isinstance(total, int) and start >= total)
            if seen.settled or seen.complete:
                return seen
        return seen

    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        """Ask Jira who we are."""
        check = Check()
        me = await check.attempt(self._myself(tenant_id), refused="give another API token")
        if me is None:
            return check.report()
        account = string(me.get("accountId"))
        check.good(f"signed in as {string(me.get('displayName'))}, account id {account}")
        own = (await self.tenant(tenant_id)).settings.own_account_id
        if own != account:
            check.open("events that our own notes cause are not recognised", f"set own_account_id to {account}")
        return check.report(account)

    async def _myself(self, tenant_id: str) -> dict[str, Any]:
        return self._success(await self._call(tenant_id, "GET", "/rest/api/3/myself"))

    async def _issue(self, tenant_id: str, ticket_id: str, fields: str) -> dict[str, Any] | None:
        response = await self._call(tenant_id, "GET", _issue_path(ticket_id), params={"fields": fields})
        return None if response.status_code == 404 else self._success(response)

    async def _call(
        self,
        tenant_id: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
    ) -> httpx.Response:
        connection = await self.connection(tenant_id, JiraConnection)
        return await self.send(
            tenant_id,
            method,
            connection.base_url + path,
            headers=connection.headers(),
            params=params,
            json_body=json_body,
            auth=connection.authorization(),
        )

    def _success(self, response: httpx.Response) -> dict[str, Any]:
        return self.json_object(response) if response.is_success else self._refuse(response)

    def _refuse(self, response: httpx.Response) -> NoReturn:
        words = _words(response)
        if response.status_code == 401:
            words += (
                " (the token may have expired or been revoked; a scoped token needs the base_url "
                "https://api.atlassian.com/ex/jira/<cloud id>)"
            )
        self.refuse(response, words.strip())


def _issue_path(ticket_id: str) -> str:
    return f"/rest/api/3/issue/{quote(checked_key(ticket_id), safe='')}"


def _same(given: object, asked: Mapping[str, str]) -> bool:
    return all(mapping(given).get(name) == value for name, value in asked.items())


def _words(response: httpx.Response) -> str:
    """Jira's own words out of `errorMessages` and `errors`, on one line and bounded."""
    body = mapping(json_or_none(response))
    messages = body.get("errorMessages")
    found = [message for message in (messages if isinstance(messages, list) else ()) if isinstance(message, str)]
    found += [f"{field}: {reason}" for field, reason in mapping(body.get("errors")).items() if isinstance(reason, str)]
    line = " ".join(" ".join(found).split())
    return "".join(filter(str.isprintable, line))[:_MAX_WORDS]
