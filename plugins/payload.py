"""The webhook's body: parsed within bounds, and remembering the bytes that were signed."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, Self

from plugins.exceptions import ValidationError
from plugins.types import Payload, TenantSettings

MAX_DEPTH = 64
"""Levels of nesting that a body may have. No vendor's comes near; Python's own parser dies at about a thousand."""

# The possessive quantifiers and the unclosed string at the end keep these linear on whatever a stranger sends.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ALIKE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ROUNDS = 8


class WebhookPayload(dict[str, Any]):
    """A parsed webhook body that remembers its raw bytes, when it was received, and its tenant's plain settings.

    The three attributes cannot be set after construction, and survive `copy()` and `|`.
    """

    __slots__ = ("_raw", "_received_at", "_settings")

    def __init__(
        self,
        body: Mapping[str, Any],
        *,
        raw: bytes,
        received_at: datetime,
        settings: TenantSettings | None = None,
    ) -> None:
        super().__init__(body)
        self._raw = raw
        self._received_at = received_at
        self._settings = settings or TenantSettings()

    @property
    def raw(self) -> bytes:
        """The body as it came over the wire: what the vendor signed."""
        return self._raw

    @property
    def received_at(self) -> datetime:
        """When the door took the delivery (UTC). Signatures are judged as of this moment."""
        return self._received_at

    @property
    def settings(self) -> TenantSettings:
        """The tenant's plain settings."""
        return self._settings

    def _like(self, body: Mapping[str, Any]) -> Self:
        return type(self)(body, raw=self._raw, received_at=self._received_at, settings=self._settings)

    def copy(self) -> Self:
        """A shallow copy with the same raw bytes, time and settings."""
        return self._like(self)

    __copy__ = copy

    def __or__(self, other: Any) -> Any:
        return self._like({**self, **other}) if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return self._like({**other, **self}) if isinstance(other, Mapping) else NotImplemented


def signed_bytes(payload: Payload) -> bytes:
    """The bytes a signature covers: the raw body, else compact JSON as in the interface reference's example."""
    if isinstance(payload, WebhookPayload):
        return payload.raw
    return json.dumps(payload, separators=(",", ":")).encode()


def received_at(payload: Payload) -> datetime:
    """When the payload was received; now, for a plain dict."""
    return payload.received_at if isinstance(payload, WebhookPayload) else datetime.now(UTC)


def tenant_of(payload: Payload) -> str:
    """The tenant that the payload names; the door has put it there.

    Raises:
        ValidationError: it names none.
    """
    tenant_id = payload.get("tenant_id")
    if not isinstance(tenant_id, str) or not tenant_id:
        raise ValidationError("tenant_id: is missing")
    return tenant_id


def settings_of(payload: Payload) -> TenantSettings:
    """The tenant's plain settings that came with the payload; the defaults, for a plain dict."""
    return payload.settings if isinstance(payload, WebhookPayload) else TenantSettings()


def parse_body(raw: bytes) -> Payload:
    """Parse a webhook body, refusing what would bite later.

    Control characters inside strings are accepted: tools that fill text into a template do not always escape them.

    Raises:
        ValidationError: not UTF-8, not JSON, not an object, nested deeper than `MAX_DEPTH`, NaN or Infinity, a number
            too large to hold, a lone surrogate, or more than one `tenant_id`.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValidationError(f"body: not UTF-8 at byte {error.start}") from None
    _refuse_depth(raw)
    # Names can only be doubled unseen where letters may be escaped; looking at every name takes twice as long.
    names_are_plain = text.count('"tenant_id"') <= 1 and "\\u00" not in text
    try:
        body = (_DECODER if names_are_plain else _CAREFUL_DECODER).decode(text)
    except json.JSONDecodeError as error:
        raise ValidationError(f"body: not JSON at character {error.pos}") from None
    except ValueError:  # Python converts no number of more than 4,300 digits
        raise ValidationError("body: a number too large to hold") from None
    if not isinstance(body, dict):
        raise ValidationError("body: must be a JSON object")
    if _SURROGATE_ESCAPE.search(text) and _LONE_SURROGATE.search(json.dumps(body, ensure_ascii=False)):
        raise ValidationError("body: holds half of a surrogate pair")
    return body


def for_tenant(
    body: Payload, raw: bytes, tenant_id: str, received_at: datetime, settings: TenantSettings
) -> WebhookPayload:
    """A parsed body as its tenant's payload: `tenant_id` is put in where the body has none.

    Raises:
        ValidationError: the body names another tenant.
    """
    named = body.get("tenant_id")
    if named is not None and named != tenant_id:
        raise ValidationError("tenant_id: the body names another tenant than the address")
    return WebhookPayload({**body, "tenant_id": tenant_id}, raw=raw, received_at=received_at, settings=settings)


def rebuild(raw: bytes, tenant_id: str, received_at: datetime, settings: TenantSettings) -> WebhookPayload:
    """The payload that plugins are given, out of a delivery's raw body.

    Raises:
        ValidationError: the body does not parse (see `parse_body`), or names another tenant.
    """
    return for_tenant(parse_body(raw), raw, tenant_id, received_at, settings)


def _refuse_depth(raw: bytes) -> None:
    """Refuse deep nesting before the parser recurses into it."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    left = _STRING.sub(b"", raw).translate(_ALIKE, _NO_BRACKETS)
    # Taking away the innermost pairs lowers the depth by one each time: after a few rounds little is left to walk.
    depth = 0
    for _ in range(_ROUNDS):
        left = left.replace(b"[]", b"")
        depth += 1
    for bracket in left:
        depth += 1 if bracket == ord("[") else -1
        if depth > MAX_DEPTH:
            raise ValidationError(f"body: nested deeper than {MAX_DEPTH} levels")


def _refuse_constant(name: str) -> NoReturn:
    raise ValidationError(f"body: {name} is not JSON")


def _fraction(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValidationError("body: a number too large to hold")
    return number


def _one_tenant(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs) and sum(1 for name, _ in pairs if name == "tenant_id") > 1:
        raise ValidationError("tenant_id: given more than once")
    return body


_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse_constant, parse_float=_fraction)
_CAREFUL_DECODER = json.JSONDecoder(
    strict=False, parse_constant=_refuse_constant, parse_float=_fraction, object_pairs_hook=_one_tenant
)
