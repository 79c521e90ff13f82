"""The two keyrings: what each is called, where it is set, and changing one that is in a file."""

import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from deskhand.crypto.keyfile import KeyFile, KeyFileError, changing, write
from deskhand.crypto.keyring import KEY_BYTES, Keyring, KeyringError, RingName, has_keys, keyring_of
from deskhand.settings import PREFIX, Settings, SettingsError


class RingKind(StrEnum):
    """The keyrings by their names on the command line."""

    PAYLOAD = "payload"
    CREDENTIAL = "credential"

    @property
    def setting(self) -> RingName:
        """The field of `Settings` that holds it."""
        return "payload_keys" if self is RingKind.PAYLOAD else "credential_keys"

    @property
    def variable(self) -> str:
        """The variable that holds it; with `_FILE` after it, the one that names its file."""
        return f"{PREFIX}{self.setting.upper()}"

    @property
    def prefix(self) -> str:
        """What the ids of its new keys begin with."""
        return self.value[0]


@dataclass(frozen=True, slots=True)
class Ring:
    """A keyring as it is set for this process."""

    kind: RingKind
    keyring: Keyring
    file: Path | None
    """Where it is, if not in its variable."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"file {self.file}" if self.file is not None else self.kind.variable


def ring_of(settings: Settings, kind: RingKind) -> Ring | None:
    """The keyring as it is now; `None` if it is not set.

    Raises:
        SettingsError: it is unusable.
    """
    if not has_keys(settings, kind.setting):
        return None
    file: Any = getattr(settings, f"{kind.setting}_file")
    return Ring(kind, keyring_of(settings, kind.setting).current(), Path(file) if file is not None else None)


class RingFile:
    """Changes a keyring that is in a file, one step at a time; whoever follows the file sees it whole.

    Every method raises `SettingsError`, in one line, where the file cannot be read or written.
    """

    def __init__(self, kind: RingKind, path: Path) -> None:
        self.kind = kind
        self._path = path

    def read(self) -> Keyring:
        """The keyring as it is now."""
        try:
            return Keyring.parse(KeyFile(self._path).read())
        except (KeyFileError, KeyringError) as error:
            raise self._failed(error) from None

    def new_id(self) -> str:
        """The id of a key that is still to be made."""
        return f"{self.kind.prefix}{secrets.token_hex(4)}"

    def add(self, key_id: str) -> None:
        """Make a key and put it behind the others: from now on it can open, and nothing is sealed with it yet."""
        self._change(lambda ring: ring.with_new(key_id, secrets.token_bytes(KEY_BYTES)))

    def promote(self, key_id: str) -> None:
        """Put a key in front: from now on it seals."""
        self._change(lambda ring: ring.promoted(key_id))

    def remove(self, key_id: str) -> None:
        """Take a key out. It must not be the primary one."""
        self._change(lambda ring: ring.without(key_id))

    def _change(self, change: Any) -> None:
        try:
            with changing(self._path):
                write(self._path, change(self.read()).entries())
        except KeyError as error:
            why = f"somebody else has changed it: {error.args[0]} is not there any more"
            raise self._failed(KeyFileError(why)) from None
        except KeyFileError as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> SettingsError:
        return SettingsError(f"{self.kind.variable}_FILE: {error}")
