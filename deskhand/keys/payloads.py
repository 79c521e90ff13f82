"""The sealed payloads inside what Temporal answers, wherever in it they are, and the keys that their headers name."""

from collections.abc import Iterator

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload

from deskhand.crypto.codec import ENCODING
from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import Purpose, SealError, seal, sealed_with, unseal

UNREADABLE = "?"
"""In place of a key's id: the header is damaged."""


def sealed_in(message: Message) -> Iterator[Payload]:
    """Every sealed payload in a message, to be read or changed in place."""
    if isinstance(message, Payload):
        if message.metadata.get("encoding") == ENCODING:
            yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for part in value.values():
                    yield from sealed_in(part)
        elif isinstance(value, Message):
            yield from sealed_in(value)
        else:
            for part in value:
                yield from sealed_in(part)


def keys_in(message: Message) -> set[str]:
    """The ids of the keys that anything in a message is sealed with."""
    return {key_of(payload.data) for payload in sealed_in(message)}


def key_of(sealed: bytes) -> str:
    """The id of the key that it is sealed with, or `UNREADABLE`."""
    try:
        return sealed_with(sealed)
    except SealError:
        return UNREADABLE


def reseal(ring: Keyring, message: Message) -> bool:
    """Seal with the primary key whatever is sealed with another, in place; whether anything was.

    Raises:
        SealError: something does not open. The message may be changed in part.
    """
    old = [payload for payload in sealed_in(message) if key_of(payload.data) != ring.primary_id]
    for payload in old:
        payload.data = seal(ring, Purpose.PAYLOAD, unseal(ring, Purpose.PAYLOAD, payload.data))
    return bool(old)
