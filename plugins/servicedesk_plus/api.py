"""Calls of ServiceDesk Plus's API v3: how they authenticate, and what a failure means whatever its HTTP status."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, NoReturn

import httpx

from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    PermanentAPIError,
    RateLimitError,
)
from plugins.http import HttpPlugin, retry_after_seconds
from plugins.oauth import AccessToken, TokenAuth
from plugins.servicedesk_plus import answers, zoho
from plugins.servicedesk_plus.answers import Answer
from plugins.servicedesk_plus.connection import ServiceDeskPlusConnection


class ServiceDeskPlusApi(HttpPlugin):
    """The part of the plugin that knows keys, tokens and codes."""

    async def call(
        self,
        tenant_id: str,
        connection: ServiceDeskPlusConnection,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One call of the API, with the key or with an access token; whatever was answered."""
        auth = None
        if connection.cloud:
            auth = TokenAuth(
                partial(self.access, tenant_id, connection),
                kind=zoho.TOKEN_KIND,
                refuses=lambda response: Answer.of(response).refuses_credentials,
            )
        return await self.send(tenant_id, method, url, headers=connection.headers, params=params, form=form, auth=auth)

    async def access(self, tenant_id: str, connection: ServiceDeskPlusConnection, refused: str | None = None) -> str:
        """An access token for Cloud; another one than that which was `refused`.

        Raises:
            AuthenticationError: Zoho refuses client or refresh token.
            RateLimitError: Zoho has given out as many tokens as it will for now.
        """
        credentials = (connection.token_url, *connection.token_request.values())
        return await self.tokens.get(
            tenant_id, credentials, partial(self._ask_for_token, tenant_id, connection), refused=refused
        )

    async def _ask_for_token(self, tenant_id: str, connection: ServiceDeskPlusConnection) -> AccessToken:
        try:
            return await self.access_token(
                tenant_id, connection.token_url, form=connection.token_request, address="accounts_url"
            )
        except AuthenticationError as error:
            if zoho.is_throttled(error):
                raise RateLimitError(f"{error}: too many tokens were asked for") from None
            raise

    def body(self, response: httpx.Response, answer: Answer) -> dict[str, Any]:
        """The body of a success.

        Raises:
            PluginError: what the failure means, or that the body is no JSON object.
        """
        if answer.failed:
            self._refuse(response, answer)
        return self.json_object(response)

    def _refuse(self, response: httpx.Response, answer: Answer) -> NoReturn:
        said = f"{self.tool_type} answered {answer.http_status}" + (f": {answer.reason}" if answer.reason else "")
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
        if answer.http_status == 404 and answer.code is None:
            # A missing request is told with a code. Without one, a run must wait, and not end for want of a ticket.
            raise ConfigurationError(f"base_url: {said}, and not as ServiceDesk Plus's API does: is the address right?")
        self.refuse(response, answer.reason)


def compact(value: Mapping[str, Any]) -> str:
    """JSON as `input_data` holds it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
