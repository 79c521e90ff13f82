"""How a ServiceDesk Plus webhook proves who sent it.

ServiceDesk Plus signs nothing. What a tenant can do is one of the schemes below; the setting `signature_scheme` says
which is in force, and no other is then accepted. A shared secret shows that the sender knows it and nothing more: it
does not protect the body, and whoever reads one delivery can send others. Only `hmac` covers the body, and a script of
the tenant's own must compute it.
"""

from base64 import b64decode
from collections.abc import Mapping
from enum import StrEnum

from plugins.exceptions import ConfigurationError
from plugins.payload import WebhookPayload
from plugins.signatures import hmac_sha256, static_digest
from plugins.types import Payload, TenantSettings

SECRET_HEADER = "X-Deskhand-Secret"  # noqa: S105  # the name of a header, not a secret
HMAC_HEADER = "X-ServiceDesk-Signature"


class Scheme(StrEnum):
    """The values of the setting `signature_scheme`."""

    HEADER = "header"
    """The secret itself in `X-Deskhand-Secret`. The default: every edition can add a header.

    Protects from senders who do not know the secret. Does not protect the body: who sees one delivery (a proxy that
    ends TLS, an administrator of ServiceDesk Plus) can send any other until the secret is changed.
    """
    BASIC = "basic"
    """The secret as the password of Basic authentication, with any user name. Protects as much as `header`."""
    HMAC = "hmac"
    """`X-ServiceDesk-Signature: sha256=<hex>` over the raw body. A script of the tenant's own computes it, such as a
    Deluge function.

    Protects the body too: who sees one delivery can send that one again, and no other.
    """


def scheme_of(settings: TenantSettings) -> Scheme:
    """The scheme in force.

    Raises:
        ConfigurationError: the setting names none that there is.
    """
    try:
        return Scheme(settings.signature_scheme or Scheme.HEADER)
    except ValueError:
        raise ConfigurationError(f"signature_scheme: must be one of {', '.join(Scheme)}") from None


def scheme_for(payload: Payload) -> Scheme:
    """The scheme for this payload. A plain dict has no settings; the interface reference's example has `sha256=`."""
    return scheme_of(payload.settings) if isinstance(payload, WebhookPayload) else Scheme.HMAC


def signature_from(headers: Mapping[str, str], settings: TenantSettings) -> str:
    """What stands for the signature under the scheme in force; a secret in the clear becomes its digest."""
    match scheme_of(settings):
        case Scheme.HMAC:
            return headers.get(HMAC_HEADER.lower(), "").strip()
        case Scheme.BASIC:
            secret = _basic_password(headers.get("authorization", ""))
        case Scheme.HEADER:
            secret = headers.get(SECRET_HEADER.lower(), "")
    return static_digest(secret) if secret else ""


def sign(secret: str, raw: bytes) -> str:
    """`sha256=` and the lower-case hex of HMAC-SHA256 over the raw body."""
    return "sha256=" + hmac_sha256(secret, raw).hex()


def _basic_password(authorization: str) -> str:
    kind, _, credentials = authorization.partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
