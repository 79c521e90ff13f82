"""Sealed bytes: AES-256-GCM under a key that is derived for each message, bound to what the message belongs to.

Layout of a sealed message; all of it up to the ciphertext is authenticated, together with the binding:

    version (1 byte) | length of key id (1 byte) | key id | salt (32 bytes) | ciphertext and tag (16 bytes)
"""

import hashlib
import hmac
import os
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from deskhand.crypto.keyring import KEY_BYTES, Keys

_VERSION = 1
_SALT_BYTES = 32
_TAG_BYTES = 16
# A key seals one message only, so its one nonce needs no randomness: that is in the salt.
_NONCE = bytes(12)


class Purpose(StrEnum):
    """What is sealed. Keys of one purpose open nothing of another."""

    CREDENTIAL = "credential"
    WEBHOOK_SECRET = "webhook-secret"  # noqa: S105 - the name of a purpose, not a secret
    SPOOL = "spool"
    PAYLOAD = "payload"


class SealError(Exception):
    """Sealed bytes do not open. The message holds nothing of their content."""


def seal(keys: Keys, purpose: Purpose, plaintext: bytes, *binding: str) -> bytes:
    """Seal under the primary key. What `binding` names (tenant, table, field) must be named again to open it."""
    keyring = keys.current()
    salt = os.urandom(_SALT_BYTES)
    header = sealed_prefix(keyring.primary_id) + salt
    cipher = AESGCM(_derive(keyring.keys[keyring.primary_id], purpose, salt))
    return header + cipher.encrypt(_NONCE, plaintext, header + _encode(binding))


def unseal(keys: Keys, purpose: Purpose, sealed: bytes, *binding: str) -> bytes:
    """Open what `seal` made with the same purpose and binding, under whichever key of the ring it names.

    One that is not in the ring may have been added just now: then the keys are looked up again.

    Raises:
        SealError: not sealed by us, its key is not in the ring, or it was altered or belongs elsewhere.
    """
    key_id = sealed_with(sealed)
    salt_at = 2 + sealed[1]
    body_at = salt_at + _SALT_BYTES
    key = keys.current().keys.get(key_id) or keys.again().keys.get(key_id)
    if key is None:
        raise SealError("sealed with a key that is not in this keyring; add the old key behind the primary one")
    cipher = AESGCM(_derive(key, purpose, sealed[salt_at:body_at]))
    try:
        return cipher.decrypt(_NONCE, sealed[body_at:], sealed[:body_at] + _encode(binding))
    except InvalidTag:
        raise SealError("sealed bytes were altered, or belong to another purpose or place") from None


def sealed_with(sealed: bytes) -> str:
    """The id of the key that sealed it, as its header says: it is proved only by opening it.

    Raises:
        SealError: not sealed by us, or cut short.
    """
    if len(sealed) < 2 or sealed[0] != _VERSION:
        raise SealError("not sealed in a format that this version knows")
    salt_at = 2 + sealed[1]
    if len(sealed) < salt_at + _SALT_BYTES + _TAG_BYTES:
        raise SealError("sealed bytes are cut short")
    return sealed[2:salt_at].decode("ascii", "replace")


def sealed_prefix(key_id: str) -> bytes:
    """The bytes that everything sealed with this key begins with, and nothing sealed with another."""
    return bytes((_VERSION, len(key_id))) + key_id.encode()


def keyed_hash(keys: Keys, purpose: Purpose, *parts: str) -> bytes:
    """HMAC-SHA256 (32 bytes) of the parts under the primary key: tells equal from different, and nothing else.

    It changes when the primary key does.
    """
    keyring = keys.current()
    key = _derive(keyring.keys[keyring.primary_id], purpose, b"keyed-hash")
    return hmac.digest(key, _encode(parts), hashlib.sha256)


def _derive(key: bytes, purpose: Purpose, salt: bytes) -> bytes:
    """HKDF-SHA256 (RFC 5869): a key of its own for each purpose and message."""
    return HKDF(SHA256(), KEY_BYTES, salt, b"deskhand/" + purpose.value.encode()).derive(key)


def _encode(parts: tuple[str, ...]) -> bytes:
    """Each part with its length in front: no two sequences of parts are the same bytes."""
    return b"".join(len(data).to_bytes(4, "big") + data for data in (part.encode() for part in parts))
