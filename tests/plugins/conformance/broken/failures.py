"""Broken in what they make of failures."""

import asyncio
import logging
from typing import Any

import httpx

from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentAPIError,
    RateLimitError,
)
from plugins.http import json_or_none
from tests.plugins.conformance.acme import AcmePlugin
from tests.plugins.conformance.broken.registry import breaks


@breaks("401 and 403 are an AuthenticationError.")
class RefusalSwallowed(AcmePlugin):
    async def get_ticket(self, tenant_id: str, ticket_id: str) -> dict[str, Any] | None:
        try:
            return await super().get_ticket(tenant_id, ticket_id)
        except AuthenticationError:
            return None


@breaks("Credentials that the vendor does not know are an AuthenticationError.")
class WrongCredentialsAreConfiguration(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code == 401:
            raise ConfigurationError("tenant acme: api_token: is refused")
        return super().body(response)


@breaks("429 is a RateLimitError.")
class RateLimitIsFailure(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code == 429:
            raise APIError("acme answered 429")
        return super().body(response)


@breaks("retry_after is what Retry-After says, seconds or a date, and None where nothing is said.")
class RetryAfterIgnored(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code == 429:
            raise RateLimitError("acme answered 429")
        return super().body(response)


@breaks("Another 4xx is an error for good: PermanentAPIError, TicketRefusedError or ConfigurationError.")
class RefusalMayHeal(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code in (400, 422):
            raise APIError("acme answered 400")
        return super().body(response)


@breaks("500 and 503 are an APIError, which is tried again.")
class FailureForGood(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code >= 500:
            raise PermanentAPIError("acme answered 500")
        return super().body(response)


@breaks("After a gateway's 502 or 504 a write's outcome is unknown; for anything else they are an APIError.")
class GatewayIsTheTool(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code >= 500:
            raise APIError("acme answered 500")
        return super().body(response)


@breaks("An answer that is not the tool's leaves a write's outcome unknown; for anything else it is an APIError.")
class AnythingIsAnAnswer(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        return json_or_none(response) or {} if response.is_success else super().body(response)


@breaks("A reply that does not come leaves a write's outcome unknown; for anything else it is an APIError.")
class UnknownAsKnown(AcmePlugin):
    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        try:
            return await super().update_ticket(tenant_id, ticket_id, content)
        except OutcomeUnknownError as error:
            raise APIError(str(error)) from error


@breaks("An outcome is unknown only once a write had left.")
class LooksFirst(AcmePlugin):
    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        try:
            ticket = await self.get_ticket(tenant_id, ticket_id)
        except APIError as error:
            raise OutcomeUnknownError("acme did not say whether the ticket is there") from error
        return ticket is not None and await super().update_ticket(tenant_id, ticket_id, content)


@breaks("A redirect is a ConfigurationError, and is not followed.")
class FollowsRedirects(AcmePlugin):
    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        response = await super().ask(tenant_id, method, path, **more)
        return await self.http.send(response.next_request) if response.next_request else response


@breaks("A connection that is refused is an APIError, and nothing was done.")
class NeverConnectedIsUnknown(AcmePlugin):
    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return await super().ask(tenant_id, method, path, **more)
        except APIError as error:
            raise OutcomeUnknownError(str(error)) from error


@breaks("The same request is never sent again within a call.")
class Retries(AcmePlugin):
    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        response = await super().ask(tenant_id, method, path, **more)
        return await super().ask(tenant_id, method, path, **more) if response.status_code >= 500 else response


@breaks("A plugin never waits: time is Temporal's.")
class Waits(AcmePlugin):
    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        response = await super().ask(tenant_id, method, path, **more)
        if response.status_code == 429:
            await asyncio.sleep(30)
        return response


@breaks("Whatever goes wrong, there is no second note.")
class RetriesAfterUnknown(AcmePlugin):
    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        try:
            return await super().update_ticket(tenant_id, ticket_id, content)
        except OutcomeUnknownError:
            return await super().update_ticket(tenant_id, ticket_id, content)


@breaks("A failure's message says what happened in 500 characters, without credentials and ticket content.")
class CredentialInMessage(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code == 401:
            raise AuthenticationError(f"acme refuses {response.request.headers['Authorization']}")
        return super().body(response)


@breaks("A failure's message says what happened in 500 characters, without credentials and ticket content.")
class NoteInMessage(AcmePlugin):
    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        try:
            return await super().update_ticket(tenant_id, ticket_id, content)
        except RateLimitError:
            raise RateLimitError(f"acme does not take {content} now") from None


@breaks("retry_count stays 0: only Temporal counts attempts.")
class CountsAttempts(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code == 503:
            raise APIError("acme answered 503", retry_count=3)
        return super().body(response)


@breaks("Nothing that a plugin logs holds credentials or ticket content.")
class CredentialInLog(AcmePlugin):
    def body(self, response: httpx.Response) -> dict[str, Any]:
        logging.getLogger("acme").debug("asked with %s", response.request.headers["Authorization"])
        return super().body(response)


@breaks("429 is a RateLimitError.")
class StumblesWithCredential(AcmePlugin):
    """What it raises is no `PluginError`, and quotes what no build's log should hold."""

    def body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code == 429:
            raise RuntimeError(f"asked with {response.request.headers['Authorization']}")
        return super().body(response)
