"""Who may read tickets through the codec."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from starlette.datastructures import Headers

from deskhand.codec.hosts import host_name, is_loopback
from deskhand.codec.issuer import IssuerUnavailableError
from deskhand.codec.tokens import AccessTokens, NotInGroupError, TokenRefusedError
from deskhand.settings import Settings

RETRY_AFTER_SECONDS = 5

WHO_ASKS = "an access token is needed"
"""The one answer to whatever is wrong with who asks."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may read."""

    by: Literal["jwt", "token", "loopback"]
    """What let them in: an access token of the issuer, the static token, or that this is a development machine."""
    sub: str | None = None
    """The id of the person at the issuer."""


class RefusedError(Exception):
    """The call is not answered. The message is what the caller sees; `why` is for the log."""

    def __init__(
        self,
        status: int,
        said: str,
        why: str,
        *,
        headers: Mapping[str, str] | None = None,
        sub: str | None = None,
    ) -> None:
        super().__init__(said)
        self.status = status
        self.why = why
        self.headers = headers
        self.sub = sub


class Callers:
    """Looks at a request's headers: by which name we were reached, from which page, and who asks."""

    def __init__(self, settings: Settings, access_tokens: AccessTokens | None) -> None:
        self._names = frozenset(map(host_name, settings.codec_host_names))
        self._loopback = is_loopback(settings.codec_host)
        self._origin = settings.codec_origin
        self._token = settings.codec_token.get_secret_value().encode() if settings.codec_token else None
        self._access_tokens = access_tokens

    async def admit(self, headers: Headers) -> Caller:
        """Who calls.

        Raises:
            RefusedError: somebody who may not.
        """
        self._check_host(headers.getlist("host"))
        origins = headers.getlist("origin")
        if origins and origins != [self._origin]:
            raise RefusedError(403, "this origin may not call the codec", "origin")
        if self._token is None and self._access_tokens is None:
            return Caller("loopback")
        given = _bearer(headers.getlist("authorization"))
        # A page could be made to send the static token by whoever pasted it there; command lines send no origin.
        if self._token is not None and not origins and secrets.compare_digest(given.encode(), self._token):
            return Caller("token")
        if self._access_tokens is None:
            raise _unknown("static token from a page" if origins else "static token")
        return Caller("jwt", await _subject(self._access_tokens, given))

    def _check_host(self, hosts: list[str]) -> None:
        """A page whose name was pointed at this address after it was loaded is not kept out by its origin's check."""
        name = host_name(hosts[0]) if len(hosts) == 1 else None
        if name is None or not (name in self._names or (self._loopback and is_loopback(name))):
            raise RefusedError(400, "the Host header must name the codec", "host")


async def _subject(tokens: AccessTokens, given: str) -> str:
    if not given:
        raise _unknown("no bearer token")
    try:
        return await tokens.subject(given)
    except TokenRefusedError as error:
        raise _unknown(str(error)) from None
    except NotInGroupError as error:
        raise RefusedError(403, "this caller may not read tickets", str(error), sub=error.sub) from None
    except IssuerUnavailableError as error:
        raise RefusedError(
            503,
            "who calls cannot be checked now",
            f"issuer: {error}",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        ) from None


def _unknown(why: str) -> RefusedError:
    return RefusedError(401, WHO_ASKS, why, headers={"WWW-Authenticate": "Bearer"})


def _bearer(authorizations: list[str]) -> str:
    """The token; empty where there is none, or more than one header to choose from."""
    if len(authorizations) != 1:
        return ""
    scheme, _, token = authorizations[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
