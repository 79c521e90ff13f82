"""Fields of connection models: what an operator types in is checked once, and what is secret is known as such."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, SecretStr


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


def secret_fields(model: type[BaseModel]) -> frozenset[str]:
    """The names of the fields that may hold a `SecretStr`."""
    return frozenset(name for name, info in model.model_fields.items() if _may_be_secret(info.annotation))


def split_secrets(model: type[BaseModel], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was given for the model's fields, as what is plain and what is secret; without what is `None`."""
    names = secret_fields(model)
    present = {name: value for name, value in given.items() if value is not None}
    plain = {name: value for name, value in present.items() if name not in names}
    return plain, {name: value for name, value in present.items() if name in names}


def _may_be_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_may_be_secret(part) for part in get_args(annotation))
