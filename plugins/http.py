"""An optional base for plugins over HTTP: what an answer means is said here once, and a note is private or not posted.

A call sends each request once. The only second request of a call is a *corrected* one after a definite refusal (a fresh
token after 401, the other root name); never the same request again, never after an unknown outcome, never a sleep.
"""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import httpx

from plugins.base import TicketingToolPlugin
from plugins.exceptions import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    OutcomeUnknownError,
    PermanentAPIError,
    PluginError,
    PrivacyError,
    RateLimitError,
)
from plugins.types import PostedNote

TENANT_EXTENSION = "deskhand.tenant"
"""The httpx request extension that names the tenant: the shared client bounds calls in flight by it."""

PRIVATE_EXTENSION = "deskhand.private"
"""The httpx request extension that says whether the tenant's tool may be at a private address."""


class ForbiddenAddressError(httpx.TransportError):
    """Raised by the shared client where a connection would go to an address that is not allowed."""


# Nothing had reached the vendor when these were raised: the request may be sent again without a look first.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


class HttpPlugin(TicketingToolPlugin):
    """Makes `update_ticket` out of `post_note` and `retract_note`, and maps HTTP to exceptions."""

    async def update_ticket(self, tenant_id: str, ticket_id: str, content: str) -> bool:
        """Post the note, and accept nothing but the vendor's own word that it is private.

        Raises:
            PrivacyError: the note came out public, or the reply does not say. It was taken back where that works.
        """
        posted = await self.post_note(tenant_id, ticket_id, content)
        if posted is None:
            return False
        if posted.private is True:
            return True
        said = "public" if posted.private is False else "without saying whether it is private"
        raise PrivacyError(
            f"{self.tool_type}: the note came out {said}; {await self._take_back(tenant_id, ticket_id, posted)}"
        )

    async def _take_back(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> str:
        try:
            gone = await self.retract_note(tenant_id, ticket_id, posted)
        except PluginError as error:
            return f"taking it back failed: {error}"
        return "it was taken back" if gone else "it could not be taken back: remove it by hand"

    @abstractmethod
    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Ask the vendor for a private note. `None`: the ticket is not there or will not take one."""
        ...

    async def retract_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Delete a note that came out public, or make it private. Default: cannot; returns whether it is done."""
        del tenant_id, ticket_id, posted
        return False

    async def send(
        self,
        tenant_id: str,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json_body: Any = None,
        form: Mapping[str, str] | None = None,
        auth: httpx.Auth | tuple[str, str] | None = None,
    ) -> httpx.Response:
        """Send one request and return whatever the vendor answered, of any status.

        Raises:
            APIError: nothing reached the vendor.
            OutcomeUnknownError: the request left and no whole answer came.
            ConfigurationError: the address is not one that may be connected to.
        """
        try:
            request = self.http.build_request(
                method,
                url,
                headers=headers,
                params=params,
                json=json_body,
                data=form,
                extensions={
                    TENANT_EXTENSION: tenant_id,
                    PRIVATE_EXTENSION: (await self.tenant(tenant_id)).settings.allow_private_address,
                },
            )
            return await self.http.send(request, auth=auth if auth is not None else httpx.USE_CLIENT_DEFAULT)
        except ForbiddenAddressError as error:
            raise ConfigurationError(f"tenant {tenant_id}: {error}") from error
        except _NOT_SENT as error:
            raise APIError(f"{self.tool_type}: could not connect ({type(error).__name__})", last_error=error) from error
        except (httpx.LocalProtocolError, UnicodeEncodeError) as error:
            # The library's words quote the header that it would not send: a credential.
            raise ConfigurationError(
                f"tenant {tenant_id}: the request cannot be written ({type(error).__name__}): credentials must be "
                "printable ASCII, on one line"
            ) from None
        except httpx.HTTPError as error:
            raise OutcomeUnknownError(
                f"{self.tool_type}: no answer to {method} ({type(error).__name__})", last_error=error
            ) from error

    def refuse(self, response: httpx.Response, words: str = "") -> NoReturn:
        """Raise what a response that is not a success means. `words` are the vendor's own, where the body gave some."""
        status = response.status_code
        said = f"{self.tool_type} answered {status}" + (f": {words}" if words else "")
        if status in (401, 403):
            raise AuthenticationError(said)
        if status == 429:
            raise RateLimitError(said, retry_after=retry_after_seconds(response.headers.get("Retry-After")))
        if 300 <= status < 400:
            raise ConfigurationError(f"{said}: a redirect; give base_url as the address that answers itself")
        if 400 <= status < 500:
            raise PermanentAPIError(said)
        raise APIError(said)

    def json_object(self, response: httpx.Response) -> dict[str, Any]:
        """The response's body as a JSON object.

        Raises:
            APIError: it is something else (a login page, a proxy's error).
        """
        try:
            body = response.json()
        except (ValueError, RecursionError):
            kind = response.headers.get("Content-Type", "no media type").split(";")[0]
            raise APIError(f"{self.tool_type} answered {response.status_code} with {kind}, not JSON") from None
        if not isinstance(body, dict):
            raise APIError(f"{self.tool_type} answered {response.status_code} with JSON that is no object")
        return body


def retry_after_seconds(value: str | None) -> int | None:
    """A Retry-After header (seconds or HTTP date, RFC 9110) as whole seconds from now; `None` if absent or unreadable.

    0 and moments in the past mean 1: the vendor asked for a pause, however short.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return max(1, int(value[:9]))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(1, round((moment - datetime.now(UTC)).total_seconds()))
