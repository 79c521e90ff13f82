"""Access tokens: JSON Web Tokens that the Temporal UI's issuer signed for the codec (RFC 7519, 8725, 9068)."""

import re
from typing import Any

import jwt

from deskhand.codec.issuer import IssuerKeys, Jwk

LEEWAY_SECONDS = 30
"""How far the issuer's clock may be from ours."""

_RSA = ("RSA", None)
_KEYS_FOR: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), _RSA),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", None),
}
"""The algorithms that are taken, each with the type and curve of its keys. Only ones whose key for checking is no
secret: with HS256 anyone who knows the issuer's public key could sign, and `none` signs nothing."""


class TokenRefusedError(Exception):
    """The token proves nothing. The message says which check failed, for the log and not for the caller."""


class NotInGroupError(Exception):
    """The token is good, but its owner is not in the group that may read tickets."""

    def __init__(self, sub: str) -> None:
        super().__init__("not in the group")
        self.sub = sub


class AccessTokens:
    """Says whom a token belongs to."""

    def __init__(
        self, keys: IssuerKeys, *, issuer: str, audience: str, group: str | None, groups_claim: str = "groups"
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._group = group
        self._groups_claim = groups_claim

    async def subject(self, token: str) -> str:
        """The `sub` of a token that is good and whose owner may read tickets.

        Raises:
            TokenRefusedError: it is not good.
            NotInGroupError: its owner may not.
            IssuerUnavailableError: there are no keys to say so with.
        """
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise TokenRefusedError("it is no signed token") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in _KEYS_FOR:
            raise TokenRefusedError("its algorithm is not taken")
        if not isinstance(kid, str):
            raise TokenRefusedError("it names no key")
        keys = await self._keys.named(kid)
        if not keys:
            raise TokenRefusedError("its key is not the issuer's")
        claims = self._claims(token, algorithm, keys)
        sub = claims["sub"]
        if not sub:
            raise TokenRefusedError("its sub is empty")
        if self._group is not None and not is_member(self._group, claims.get(self._groups_claim)):
            raise NotInGroupError(sub)
        return str(sub)

    def _claims(self, token: str, algorithm: str, keys: list[Jwk]) -> dict[str, Any]:
        key = next((key for key in keys if _fits(key, algorithm)), None)
        if key is None:
            raise TokenRefusedError("its algorithm is not its key's")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(key, algorithm),
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"], "enforce_minimum_key_length": True},
            )
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError) as error:
            raise TokenRefusedError(type(error).__name__) from None
        return claims


def is_member(group: str, claim: object) -> bool:
    """Whether the group is among those that a claim lists: a list, or a text with blanks or commas between them."""
    if isinstance(claim, str):
        return group == claim or group in re.split(r"[\s,]+", claim)
    return isinstance(claim, list) and group in claim


def _fits(key: Jwk, algorithm: str) -> bool:
    kind, curve = _KEYS_FOR[algorithm]
    return key["kty"] == kind and key.get("alg", algorithm) == algorithm and (curve is None or key.get("crv") == curve)
