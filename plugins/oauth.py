"""Access tokens that a vendor gives out for a while (OAuth 2.0, RFC 6749): kept per tenant, renewed once for all.

Vendors bound how many tokens they give out, so: one request for a token at a time per tenant, however many calls wait
for it; a refusal of the credentials is believed for `REFUSAL_KEPT`; and a token that the vendor refuses before its time
is renewed once, and the call's request sent once more with the new one.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from plugins.exceptions import AuthenticationError, RateLimitError

MARGIN = 60.0
"""Seconds before its end at which a token is not used any more, or a tenth of its life where that is less."""
REFUSAL_KEPT = 30.0
"""Seconds for which a refusal is believed without asking again: of the credentials, and of a token that was fresh."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a vendor gave out."""

    value: str = field(repr=False)
    seconds: float
    """How long it counts from now on."""


@dataclass(slots=True)
class _Entry:
    credentials: str
    token: AccessToken | None = field(default=None, repr=False)
    until: float = 0.0
    renewed_until: float = 0.0
    """Until when this token counts as fresh: it took the place of a refused one."""
    refusal: AuthenticationError | RateLimitError | None = None
    request: asyncio.Task[AccessToken] | None = None


class AccessTokens:
    """The tokens of all tenants of one plugin. In memory only: another process asks for its own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    async def get(
        self,
        tenant_id: str,
        credentials: tuple[str, ...],
        ask: Callable[[], Awaitable[AccessToken]],
        *,
        refused: str | None = None,
    ) -> str:
        """The tenant's token, asked for by `ask` unless one is at hand that counts.

        Args:
            credentials: what the token is asked for with; a token got with others is not used any more.
            refused: the token that the vendor has just refused. Another one is asked for, unless this one was fresh:
                then it is not the token's fault, and the same one is returned.

        Raises:
            PluginError: whatever `ask` raised, for every call that waited for it.
        """
        entry = self._entry(tenant_id, credentials)
        now = self._clock()
        if entry.token is not None and now < entry.until:
            if entry.token.value != refused or now < entry.renewed_until:
                return entry.token.value
            entry.renewed_until = now + REFUSAL_KEPT
            entry.token = None  # or the next one that was refused with it would be told that it is fresh
        if entry.refusal is not None and now < entry.until:
            raise _again(entry.refusal, entry.until - now)
        if entry.request is None:
            entry.request = asyncio.ensure_future(self._ask(entry, ask))
        # Shielded: a call that is closed at its budget must not take the token away from those that wait with it.
        return (await asyncio.shield(entry.request)).value

    def _entry(self, tenant_id: str, credentials: tuple[str, ...]) -> _Entry:
        digest = hashlib.sha256("\0".join(credentials).encode()).hexdigest()
        entry = self._entries.get(tenant_id)
        if entry is None or entry.credentials != digest:
            entry = self._entries[tenant_id] = _Entry(digest)
        return entry

    async def _ask(self, entry: _Entry, ask: Callable[[], Awaitable[AccessToken]]) -> AccessToken:
        entry.token = entry.refusal = None
        try:
            entry.token = token = await ask()
            entry.until = self._clock() + token.seconds - min(MARGIN, token.seconds / 10)
        except (AuthenticationError, RateLimitError) as error:
            entry.refusal, entry.until = error, self._clock() + _seconds_kept(error)
            raise
        else:
            return token
        finally:
            entry.request = None


def _seconds_kept(refusal: AuthenticationError | RateLimitError) -> float:
    asked = refusal.retry_after if isinstance(refusal, RateLimitError) else None
    return REFUSAL_KEPT if asked is None else min(asked, REFUSAL_KEPT)


def _again(refusal: AuthenticationError | RateLimitError, seconds_left: float) -> AuthenticationError | RateLimitError:
    """The same refusal as a new error: one that is raised again and again would keep every call's frames."""
    if isinstance(refusal, RateLimitError):
        return RateLimitError(str(refusal), retry_after=max(1, round(seconds_left)))
    return AuthenticationError(str(refusal))


class TokenAuth(httpx.Auth):
    """Sends a token; after a definite refusal of it, the request goes out once more with a fresh one."""

    def __init__(
        self,
        token: Callable[[str | None], Awaitable[str]],
        *,
        kind: str = "Bearer",
        refuses: Callable[[httpx.Response], bool] = lambda response: response.status_code == 401,
    ) -> None:
        """`token` is given the token that was refused, if any; `refuses` tells an answer that refuses the token."""
        self._token = token
        self._kind = kind
        self._refuses = refuses

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The request with its token, twice at most."""
        token = await self._token(None)
        request.headers["Authorization"] = f"{self._kind} {token}"
        response = yield request
        await response.aread()  # what refuses a token may stand in the body
        if self._refuses(response):
            fresh = await self._token(token)
            if fresh != token:
                request.headers["Authorization"] = f"{self._kind} {fresh}"
                yield request
