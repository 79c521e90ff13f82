"""An optional base for plugins over HTTP: what an answer means is said here once, and a note is private or not posted.

A call sends each request once. The only second request of a call is a *corrected* one after a definite refusal (a fresh
token after 401, the other root name); never the same request again, never after an unknown outcome, never a sleep.
"""

import logging
import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn, overload
from urllib.parse import urlsplit

import httpx

from plugins.base import TicketingToolPlugin
from plugins.connecting import connection_problem
from plugins.echoes import without_echo
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
from plugins.oauth import AccessToken, AccessTokens
from plugins.sightings import Sightings
from plugins.tenants import TenantConfigs
from plugins.types import PostedNote

_OAUTH_ERROR = re.compile(r"[A-Za-z_ -]{1,60}")
"""An error code such as `invalid_client` (RFC 6749). Anything longer may be words, and quote a credential."""

_log = logging.getLogger(__name__)

TENANT_EXTENSION = "deskhand.tenant"
"""The httpx request extension that names the tenant: the shared client bounds calls in flight by it."""

PRIVATE_EXTENSION = "deskhand.private"
"""The httpx request extension that says whether the tenant's tool may be at a private address."""


DEFAULT_TOKEN_SECONDS = 300.0
"""How long an access token is used whose vendor does not say."""

LONGEST_PAUSE = 999_999_999
"""Seconds of a Retry-After that are believed: what is added to a date must not leave the calendar."""


class ForbiddenAddressError(httpx.TransportError):
    """Raised by the shared client where a connection would go to an address that is not allowed."""


# Nothing had reached the vendor when these were raised: the request may be sent again without a look first.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


class HttpPlugin(TicketingToolPlugin):
    """Makes `update_ticket` and `has_note` out of `post_note`, `find_notes`, `remove_note` and `retract_note`, and maps
    HTTP to exceptions.

    `post_note` takes the place of the contract's `update_ticket`; the other three have defaults that cannot.
    """

    def __init__(self, tenants: TenantConfigs, http: httpx.AsyncClient) -> None:
        super().__init__(tenants, http)
        self.tokens = AccessTokens()

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

    async def has_note(self, tenant_id: str, ticket_id: str, ref: str) -> bool | None:
        """Whether the ticket has our note with this `ref`, by the same rule: a note of ours is private.

        What an attempt left beside it whose outcome was unknown is removed where the vendor allows.

        Raises:
            APIError, RateLimitError: removing it failed in a way that may heal: ask again.
            PrivacyError: an earlier attempt's note is there, and not private. It was taken back where it is surely ours
                and that works.
        """
        seen = await self.find_notes(tenant_id, ticket_id, ref)
        if seen is None:
            return None
        found = seen.best
        if found is None:
            return False if seen.complete else None
        if found.private is True:
            for note in seen.surplus:
                await self._remove_surplus(tenant_id, ticket_id, note)
            return True
        said = "is public" if found.private is False else "does not say whether it is private"
        if found.note_id is None:
            done = (
                "it was left alone, since somebody may be quoting ours: look at it by hand "
                "(with own_account_id set, quotes are told apart)"
            )
        else:
            done = await self._take_back(tenant_id, ticket_id, found)
        raise PrivacyError(f"{self.tool_type}: an earlier note {said}; {done}")

    async def _take_back(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> str:
        try:
            gone = await self.retract_note(tenant_id, ticket_id, posted)
        except PluginError as error:
            return f"taking it back failed: {error}"
        return "it was taken back" if gone else "it could not be taken back: remove it by hand"

    async def _remove_surplus(self, tenant_id: str, ticket_id: str, note: PostedNote) -> None:
        remove = self.remove_note if note.private is True else self.retract_note
        try:
            gone = await remove(tenant_id, ticket_id, note)
        except PluginError as error:
            if isinstance(error, APIError | RateLimitError) and not isinstance(error, PermanentAPIError):
                raise
            # Our note is on the ticket: that a second one stays for good is no reason to fail. The error's words may be
            # the vendor's, and those may quote the ticket.
            _log.warning("tenant %s: a surplus note was not removed (%s)", tenant_id, type(error).__name__)
            return
        _log.info("tenant %s: a surplus note was %s", tenant_id, "removed" if gone else "left: it cannot be removed")

    @abstractmethod
    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Ask the vendor for a private note. `None`: the ticket is not there or will not take one."""
        ...

    async def find_notes(self, tenant_id: str, ticket_id: str, ref: str) -> Sightings | None:
        """Look for comments with this `ref`, newest first, until one is our note or all were seen.

        The page on which it was found is read to its end: what else of ours is there is surplus. Default: `None`, this
        plugin cannot look.
        """
        del tenant_id, ticket_id, ref
        return None

    async def remove_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Delete a note of ours. Default: cannot; returns whether it is gone."""
        del tenant_id, ticket_id, posted
        return False

    async def retract_note(self, tenant_id: str, ticket_id: str, posted: PostedNote) -> bool:
        """Have a note of ours that came out public be seen no more. Default: delete it; returns whether it is done."""
        return await self.remove_note(tenant_id, ticket_id, posted)

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
        address: str = "base_url",
    ) -> httpx.Response:
        """Send one request and return whatever the vendor answered, of any status.

        Args:
            address: the field of the connection that the URL comes from, for errors.

        Raises:
            APIError: nothing reached the vendor, or a read had no whole answer.
            OutcomeUnknownError: a write left and no whole answer came.
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
            raise ConfigurationError(f"tenant {tenant_id}: {address}: {error}") from error
        except _NOT_SENT as error:
            raise APIError(
                f"{self.tool_type}: could not connect to {urlsplit(url).hostname}: {connection_problem(error).what}",
                last_error=error,
            ) from error
        except (httpx.LocalProtocolError, UnicodeEncodeError) as error:
            # The library's words quote the header that it would not send: a credential.
            raise ConfigurationError(
                f"tenant {tenant_id}: the request cannot be written ({type(error).__name__}): credentials must be "
                "printable ASCII, on one line"
            ) from None
        except httpx.HTTPError as error:
            # Whatever became of a question, nothing was written.
            kind = OutcomeUnknownError if _is_write(method) else APIError
            raise kind(f"{self.tool_type}: no answer to {method} ({type(error).__name__})", last_error=error) from error

    async def access_token(
        self, tenant_id: str, url: str, *, form: Mapping[str, str] | None = None, json_body: Any = None, address: str
    ) -> AccessToken:
        """Ask for an access token, the request given as a form or as JSON (RFC 6749, section 4).

        `address` is the field of the connection that the URL comes from.

        Raises:
            AuthenticationError: the credentials are refused, in whatever way vendors say so.
            APIError: there is no token, for another reason. Nothing was written, so the outcome is never unknown.
        """
        try:
            response = await self.send(
                tenant_id,
                "POST",
                url,
                headers={"Accept": "application/json"},
                form=form,
                json_body=json_body,
                address=address,
            )
        except OutcomeUnknownError as error:
            raise APIError(f"{error} when asked for a token", last_error=error.last_error) from error
        body = json_or_none(response)
        body = body if isinstance(body, dict) else {}
        token, seconds = body.get("access_token"), body.get("expires_in")
        if response.is_success and isinstance(token, str) and token.isascii() and token.isprintable() and token:
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
                seconds = DEFAULT_TOKEN_SECONDS
            return AccessToken(token, float(min(seconds, LONGEST_PAUSE)))
        reason = body.get("error")
        said = f"{self.tool_type} answered {response.status_code} when asked for a token"
        if isinstance(reason, str) and _OAUTH_ERROR.fullmatch(reason):
            said += f": {reason}"
        if response.status_code == 429:
            raise RateLimitError(said, retry_after=retry_after_seconds(response.headers.get("Retry-After")))
        # Some say it with 400 (the RFC), some with 401, and Zoho with 200. What is not about us is said with 5xx.
        if response.status_code in (400, 401, 403) or (response.is_success and reason):
            raise AuthenticationError(said)
        if 300 <= response.status_code < 500:
            raise ConfigurationError(f"{said}: is {address} right?")
        raise APIError(said)

    def refuse(self, response: httpx.Response, words: str = "") -> NoReturn:
        """Raise what a response that is not a success means. `words` are the vendor's own, where the body gave some."""
        status = response.status_code
        words = without_echo(words, response)
        said = f"{self.tool_type} answered {status}" + (f": {words}" if words else "")
        if status in (401, 403):
            raise AuthenticationError(said)
        if status == 429:
            raise RateLimitError(said, retry_after=retry_after_seconds(response.headers.get("Retry-After")))
        if 300 <= status < 400:
            raise ConfigurationError(f"{said}: a redirect; give base_url as the address that answers itself")
        if 400 <= status < 500:
            raise PermanentAPIError(said)
        if status in (502, 504) and _writes(response):
            # A gateway's word, not the vendor's: behind it the request may have been carried out.
            raise OutcomeUnknownError(said)
        raise APIError(said)

    def error_words(self, response: httpx.Response) -> str:
        """The vendor's own words in an answer that refuses: bounded, on one line, no secret. Default: none."""
        del response
        return ""

    @overload
    def success(self, response: httpx.Response, name: str) -> dict[str, Any]: ...

    @overload
    def success(self, response: httpx.Response, name: str, *, of: type[list[Any]]) -> list[Any]: ...

    def success(
        self, response: httpx.Response, name: str, *, of: type[dict[str, Any]] | type[list[Any]] = dict
    ) -> dict[str, Any] | list[Any]:
        """What a success has under `name`: an object, or a list of objects.

        Raises:
            PluginError: the vendor refused (see `refuse`), or there is no such thing in its answer: `APIError`, and
                `OutcomeUnknownError` in answer to a write.
        """
        if not response.is_success:
            self.refuse(response, self.error_words(response))
        found = self.json_object(response).get(name)
        if isinstance(found, list) and of is list:
            return [row for row in found if isinstance(row, dict)]
        if isinstance(found, dict) and of is dict:
            return found
        error = OutcomeUnknownError if _writes(response) else APIError
        raise error(f"{self.tool_type} answered {response.status_code} without {name}")

    def json_object(self, response: httpx.Response) -> dict[str, Any]:
        """The body of a success as a JSON object.

        Raises:
            APIError: it is something else (a login page, a proxy's error).
            OutcomeUnknownError: the same in answer to a write, which may have been carried out.
        """
        body = json_or_none(response)
        if isinstance(body, dict):
            return body
        kind = response.headers.get("Content-Type", "no media type").split(";")[0]
        said = f"{kind}, not JSON" if body is None else "JSON that is no object"
        error = OutcomeUnknownError if _writes(response) else APIError
        raise error(f"{self.tool_type} answered {response.status_code} with {said}")


def json_or_none(response: httpx.Response) -> Any:
    """The body, if it is JSON; `None` for whatever else a vendor or a proxy may send, nested too deeply included."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _writes(response: httpx.Response) -> bool:
    return _is_write(response.request.method)


def _is_write(method: str) -> bool:
    return method not in ("GET", "HEAD")


def retry_after_seconds(value: str | None) -> int | None:
    """A Retry-After header (seconds or HTTP date, RFC 9110) as whole seconds from now; `None` if absent or unreadable.

    0 and moments in the past mean 1: the vendor asked for a pause, however short.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(max(1, int(value[:20])), LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(1, round((moment - datetime.now(UTC)).total_seconds())), LONGEST_PAUSE)
