"""Field types for connection models: what an operator types in is checked once, in one way, with one wording."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr


def _address(value: str) -> str:
    value = value.strip()
    parts = urlsplit(value)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("must be an address such as https://helpdesk.acme.example")
    if "@" in parts.netloc:
        raise ValueError("must not hold credentials; they have fields of their own")
    if parts.query or parts.fragment:
        raise ValueError("must end before ? and #")
    return value.rstrip("/")


def _header_safe(token: SecretStr) -> SecretStr:
    value = token.get_secret_value()
    # Anything else would fail inside the HTTP library, whose error quotes the header: the token.
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be printable ASCII without spaces: was it copied whole, and nothing else?")
    return token


Address = Annotated[str, AfterValidator(_address)]
"""Where a tool answers, without a slash at its end. Whether it may be connected to is judged when it is."""

HeaderToken = Annotated[SecretStr, AfterValidator(_header_safe)]
"""A secret that is sent in a request header as it is."""
