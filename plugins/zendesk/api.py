"""Zendesk's Support API v2: how a request goes out with either kind of credentials, and what an answer means."""

from collections.abc import Mapping
from typing import Any, NoReturn

import httpx

from plugins.exceptions import APIError, ConfigurationError
from plugins.http import HttpPlugin
from plugins.oauth import AccessToken, TokenAuth
from plugins.zendesk import answers
from plugins.zendesk.connection import ZendeskConnection


class ZendeskApi(HttpPlugin):
    """What of the plugin knows the API's addresses, credentials and refusals, and nothing of notes."""

    async def call(
        self,
        tenant_id: str,
        connection: ZendeskConnection,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
    ) -> httpx.Response:
        """Send one request to `/api/v2/{path}` and return whatever Zendesk answered, of any status.

        Raises:
            APIError: nothing reached Zendesk, or a read had no whole answer.
            OutcomeUnknownError: a write left and no whole answer came.
        """
        return await self.send(
            tenant_id,
            method,
            f"{connection.base_url}/api/v2/{path}",
            headers={"Accept": "application/json"},
            params=params,
            json_body=json_body,
            auth=self._auth(tenant_id, connection),
        )

    def _auth(self, tenant_id: str, connection: ZendeskConnection) -> httpx.Auth | tuple[str, str]:
        if not connection.oauth:
            return connection.basic_auth

        async def ask() -> AccessToken:
            return await self.access_token(
                tenant_id, connection.token_url, json_body=connection.token_request, address="base_url"
            )

        async def token(refused: str | None) -> str:
            return await self.tokens.get(tenant_id, connection.token_credentials, ask, refused=refused)

        return TokenAuth(token)

    def error_words(self, response: httpx.Response) -> str:
        """The reason in Zendesk's words."""
        return answers.error_words(response)

    def refuse(self, response: httpx.Response, words: str = "") -> NoReturn:
        """As for any tool; 409 says that two updates met: nothing is wrong with ours, and it was not done."""
        if response.status_code == 409:
            raise APIError(f"{self.tool_type} answered 409" + (f": {words}" if words else ""))
        super().refuse(response, words)

    def missing(self, tenant_id: str, response: httpx.Response) -> bool:
        """Whether Zendesk says that it has no such ticket or comment.

        Raises:
            ConfigurationError: it is not Zendesk that says so. A run must wait then, and not end for want of a ticket.
        """
        if answers.is_elsewhere(response):
            raise ConfigurationError(f"tenant {tenant_id}: base_url: there is no Zendesk account at this address (404)")
        return response.status_code == 404

    async def ticket(self, tenant_id: str, connection: ZendeskConnection, number: str) -> dict[str, Any] | None:
        """Zendesk's `ticket` object; `None` if it is not there."""
        response = await self.call(tenant_id, connection, "GET", f"tickets/{number}.json")
        return None if self.missing(tenant_id, response) else self.success(response, "ticket")

    async def updated_at(self, tenant_id: str, connection: ZendeskConnection, number: str) -> str | None:
        """When the ticket was last updated, as Zendesk spells it; `None` if it is not there."""
        ticket = await self.ticket(tenant_id, connection, number)
        if ticket is None:
            return None
        stamp = ticket.get("updated_at")
        if not isinstance(stamp, str) or not stamp:
            raise APIError(f"{self.tool_type} answered 200 without the ticket's updated_at, which guards the write")
        return stamp
