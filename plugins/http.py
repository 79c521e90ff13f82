"""An optional base for plugins over HTTP: what an answer means is said here once, and a note is private or not posted.

A call sends each request once. The only second request of a call is a *corrected* one after a definite refusal (a fresh
token after 401, the other root name); never the same request again, never after an unknown outcome, never a sleep.
"""

from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NoReturn

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


LONGEST_PAUSE = 999_999_999
"""Seconds of a Retry-After that are believed: what is added to a date must not leave the calendar."""


class ForbiddenAddressError(httpx.TransportError):
    """Raised by the shared client where a connection would go to an address that is not allowed."""


# Nothing had reached the vendor when these were raised: the request may be sent again without a look first.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)


class Sightings:
    """Which of the comments with our `ref` that a look comes upon is our note.

    A private one counts before any other. What is public and known to be another's is not ours: a quote.
    """

    def __init__(self, own_account_id: str | None) -> None:
        self._own_account_id = own_account_id
        self.best: PostedNote | None = None
        """What `find_note` is to return of what was seen so far, if anything."""

    @property
    def settled(self) -> bool:
        """Whether nothing that is still to be seen could count for more."""
        return self.best is not None and self.best.private is True

    def add(self, *, private: bool | None, note_id: str | None, author: str | int | None) -> None:
        """Take in a comment that has the `ref`."""
        ours = self._ours(author)
        # A private one counts whoever wrote it: `own_account_id` may be wrong, and a second note would be worse than
        # taking a colleague's quote for the first.
        if self.settled or (ours is False and private is not True):
            return
        note = PostedNote(private=private, note_id=note_id if ours else None)
        if self.best is None or private is True or self.best.note_id is None:
            self.best = note

    def _ours(self, author: str | int | None) -> bool | None:
        """Whether the account is ours; `None` where the vendor names none, or we do not know our own."""
        if author is None or self._own_account_id is None:
            return None
        return str(author) == self._own_account_id


class HttpPlugin(TicketingToolPlugin):
    """Makes `update_ticket` and `has_note` out of `post_note`, `find_note` and `retract_note`, and maps HTTP to
    exceptions.
    """

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

        Raises:
            PrivacyError: an earlier attempt's note is there, and not private. It was taken back where it is surely ours
                and that works.
        """
        found = await self.find_note(tenant_id, ticket_id, ref)
        if found is None or found is False:
            return found
        if found.private is True:
            return True
        said = "is public" if found.private is False else "does not say whether it is private"
        if found.note_id is None:
            done = (
                "it was left alone, since another account may be quoting ours: look at it by hand "
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

    @abstractmethod
    async def post_note(self, tenant_id: str, ticket_id: str, content: str) -> PostedNote | None:
        """Ask the vendor for a private note. `None`: the ticket is not there or will not take one."""
        ...

    @abstractmethod
    async def find_note(self, tenant_id: str, ticket_id: str, ref: str) -> PostedNote | Literal[False] | None:
        """Look for our note with this `ref`, newest first; `Sightings` chooses where several comments have it.

        Returns:
            The note, without its id where it is not known to be ours: it is then never taken back. `False` if none is
            there, `None` if that cannot be told.
        """
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
        if status in (502, 504) and _writes(response):
            # A gateway's word, not the vendor's: behind it the request may have been carried out.
            raise OutcomeUnknownError(said)
        raise APIError(said)

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
    return response.request.method not in ("GET", "HEAD")


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
