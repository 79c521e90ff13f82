"""Keyrings: named 256-bit keys, of which the first seals and all open."""

import base64
import binascii
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, Self

import structlog

from deskhand.crypto.keyfile import KeyFile, KeyFileError
from deskhand.settings import PREFIX, Settings, SettingsError

KEY_BYTES = 32

RingName = Literal["payload_keys", "credential_keys"]

log = structlog.get_logger(__name__)

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}")


class KeyringError(Exception):
    """A keyring's text is unusable. The message names the entry by its place or id, never by its content."""


class Keys(Protocol):
    """Where the keys are to be had that count now. One operation takes `current()` once and keeps to it."""

    def current(self) -> "Keyring":
        """The keyring as it is now."""
        ...

    def again(self) -> "Keyring":
        """The keyring, looked up anew: for whoever has met a key that `current()` does not hold."""
        ...


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys by id. To rotate, put a new key in front and keep the old ones for as long as something needs opening.

    It is `Keys` that never change.
    """

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
        return f"{prefix}{secrets.token_hex(4)}:{_encode(secrets.token_bytes(KEY_BYTES))}"

    @property
    def ids(self) -> tuple[str, ...]:
        """Every key's id, the primary one first."""
        return (self.primary_id, *(key for key in self.keys if key != self.primary_id))

    def current(self) -> "Keyring":
        """See `Keys`."""
        return self

    def again(self) -> "Keyring":
        """See `Keys`."""
        return self

    def each(self) -> Iterator["Keyring"]:
        """This keyring with each of its keys as the primary one, the one that is first: for hashes under every key."""
        return (Keyring(key_id, self.keys) for key_id in self.ids)

    def with_new(self, key_id: str, key: bytes) -> "Keyring":
        """The same with one more key behind the others: it opens, and does not seal yet."""
        return Keyring(self.primary_id, MappingProxyType({**self.keys, key_id: key}))

    def promoted(self, key_id: str) -> "Keyring":
        """The same with this key, which it holds, as the primary one."""
        return Keyring(key_id, self.keys)

    def without(self, key_id: str) -> "Keyring":
        """The same without this key, which must not be the primary one."""
        return Keyring(
            self.primary_id, MappingProxyType({name: key for name, key in self.keys.items() if name != key_id})
        )

    def entries(self) -> tuple[str, ...]:
        """What `parse` reads, key by key. Secret."""
        return tuple(f"{key_id}:{_encode(self.keys[key_id])}" for key_id in self.ids)


class FileKeys:
    """Keys in a file, followed while everything runs: what is put into the file counts a second later at the latest.

    A file that is gone, damaged or for everybody to write leaves the last good keyring in force; that is logged once
    for each state of the file.
    """

    def __init__(self, file: KeyFile, setting: str) -> None:
        """`setting` is where the file is named, for messages.

        Raises:
            SettingsError: there is nothing usable in it.
        """
        self._file = file
        self._setting = setting
        self._why = ""
        try:
            self._ring = Keyring.parse(file.read())
        except (KeyFileError, KeyringError) as error:
            raise SettingsError(f"{setting}: {error}") from None

    def current(self) -> Keyring:
        """See `Keys`."""
        return self._read(self._file.changed())

    def again(self) -> Keyring:
        """See `Keys`."""
        return self._read(self._file.changed(now=True))

    def _read(self, changed: bool) -> Keyring:
        if changed:
            before, self._why = self._why, self._replace()
            why = self._why
            if why and why != before:
                log.error("keys.not_read", setting=self._setting, why=why, hint="the keys read before stay in force")
            elif not why:
                log.info("keys.read", setting=self._setting, primary=self._ring.primary_id, keys=list(self._ring.ids))
        return self._ring

    def _replace(self) -> str:
        """Why the file is of no use now; empty: its keys are taken over."""
        try:
            self._ring = Keyring.parse(self._file.read())
        except (KeyFileError, KeyringError) as error:
            return str(error)
        return ""


def has_keys(settings: Settings, name: RingName) -> bool:
    """Whether a keyring is set, by the variable or as a file."""
    return getattr(settings, name) is not None or _file_of(settings, name) is not None


def keyring_of(settings: Settings, name: RingName) -> Keys:
    """The keyring that a setting holds, or the file that `…_FILE` names.

    Raises:
        SettingsError: none is set, or both, or it is unusable; the message names the setting.
    """
    variable = f"{PREFIX}{name.upper()}"
    file = _file_of(settings, name)
    if file is not None:
        if getattr(settings, name) is not None:
            raise SettingsError(f"{variable} and {variable}_FILE are both set: leave one of them out")
        return FileKeys(KeyFile(file), f"{variable}_FILE")
    if getattr(settings, name) is None:
        raise SettingsError(f"{variable} is not set, nor {variable}_FILE")
    try:
        return Keyring.parse(settings.secret(name))
    except KeyringError as error:
        raise SettingsError(f"{variable}: {error}") from None


def _file_of(settings: Settings, name: RingName) -> str | None:
    file: str | None = getattr(settings, f"{name}_file")
    return file


def _encode(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode().rstrip("=")


def _decode(key_id: str, encoded: str) -> bytes:
    stripped = encoded.rstrip("=")
    try:
        key = base64.b64decode(stripped + "=" * (-len(stripped) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise KeyringError(f"keyring: key {key_id} is not base64url") from None
    if len(key) != KEY_BYTES:
        raise KeyringError(f"keyring: key {key_id} is {len(key)} bytes long, it must be {KEY_BYTES}")
    return key
