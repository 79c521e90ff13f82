"""How webhook signatures are computed and compared. One place, so that every comparison is in constant time."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable

STATIC_PREFIX = "static-sha256="

_STAND_IN = "no-such-tenant"
"""Stands in where a tenant has no secret, so that refusing takes as long as checking."""


def hmac_sha256(secret: str, message: bytes) -> bytes:
    """HMAC-SHA256 of `message` under the secret's UTF-8 bytes, 32 bytes."""
    return hmac.digest(secret.encode(), message, hashlib.sha256)


def static_digest(value: str) -> str:
    """What takes the place of a signature where the header *is* the secret: `static-sha256=<hex>`.

    The secret itself would otherwise stand in every run's input.
    """
    return STATIC_PREFIX + hashlib.sha256(value.encode()).hexdigest()


def matches_any(accepted: Iterable[str], expected: Callable[[str], str], given: str) -> bool:
    """Whether `given` is what `expected` makes of any of the `accepted` secrets, all of which are always tried."""
    candidates = tuple(accepted)
    found = False
    for secret in candidates or (_STAND_IN,):
        found |= secrets.compare_digest(expected(secret).encode(), given.encode("utf-8", "surrogatepass"))
    return found and bool(candidates)
