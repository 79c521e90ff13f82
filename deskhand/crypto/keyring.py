"""Keyrings: named 256-bit keys, of which the first seals and all open."""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Self

from deskhand.settings import PREFIX, Settings, SettingsError

KEY_BYTES = 32

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class KeyringError(Exception):
    """A keyring's text is unusable. The message names the entry by its place or id, never by its content."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by id. To rotate, put a new key in front and keep the old ones for as long as something needs opening."""

    primary_id: str
    """The id of the key that seals."""
    keys: Mapping[str, bytes] = field(repr=False)
    """Every key, 32 bytes each, by id."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `keyid:base64url[,keyid2:base64url…]`; the first is primary.

        Ids are 1 to 32 letters, digits, `_` and `-`; a key is 32 bytes in base64url, with or without padding.

        Raises:
            KeyringError: naming the entry and the way out, never quoting key material.
        """
        keys: dict[str, bytes] = {}
        for place, entry in enumerate(text.split(","), start=1):
            key_id, colon, encoded = entry.strip().partition(":")
            if not colon:
                raise KeyringError(f"keyring: entry {place} must be keyid:key, the key 32 random bytes in base64url")
            if not _KEY_ID.fullmatch(key_id):
                raise KeyringError(f"keyring: the id of entry {place} must be 1 to 32 letters, digits, '_' and '-'")
            if key_id in keys:
                raise KeyringError(f"keyring: key id {key_id} is given twice")
            keys[key_id] = _decode(key_id, encoded)
        return cls(next(iter(keys)), MappingProxyType(keys))

    @staticmethod
    def generate_text(prefix: str = "k") -> str:
        """The text of a new keyring of one random key, whose id is `prefix` and eight random hex digits."""
        key = base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode().rstrip("=")
        return f"{prefix}{secrets.token_hex(4)}:{key}"


def keyring_of(settings: Settings, name: Literal["payload_keys", "credential_keys"]) -> Keyring:
    """The keyring that a setting holds.

    Raises:
        SettingsError: it is not set or unusable; the message names the setting.
    """
    try:
        return Keyring.parse(settings.secret(name))
    except KeyringError as error:
        raise SettingsError(f"{PREFIX}{name.upper()}: {error}") from None


def _decode(key_id: str, encoded: str) -> bytes:
    stripped = encoded.rstrip("=")
    try:
        key = base64.b64decode(stripped + "=" * (-len(stripped) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise KeyringError(f"keyring: key {key_id} is not base64url") from None
    if len(key) != KEY_BYTES:
        raise KeyringError(f"keyring: key {key_id} is {len(key)} bytes long, it must be {KEY_BYTES}")
    return key
