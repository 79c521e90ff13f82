"""Everything that Temporal's messages say: the payloads, opened, and every plain text."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload

from deskhand.crypto.codec import EncryptionCodec
from deskhand.forgetting.sought import parsed

NOBODY = frozenset({"identity"})
"""Fields that name one of our processes, and so no requester."""


async def values_in(message: Message, codec: EncryptionCodec) -> AsyncIterator[Any]:
    """Every value in a message, out of JSON where it is JSON: arguments, results, memo, summaries, failures, details.

    Raises:
        SealError: a payload does not open.
    """
    for part in _parts(message):
        if isinstance(part, str):
            yield part
        else:
            (opened,) = await codec.decode([part])
            yield _value(opened)


def _value(payload: Payload) -> Any:
    text = payload.data.decode(errors="replace")
    return parsed(text) if text else ""


def _parts(value: Any) -> Iterator[Payload | str]:
    if isinstance(value, Payload):
        yield value
    elif isinstance(value, Message):
        for field, part in value.ListFields():
            if field.name not in NOBODY:
                yield from _parts(part)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, bytes | int | float):
        return
    elif hasattr(value, "items"):
        for name, part in value.items():
            yield str(name)
            yield from _parts(part)
    else:
        for part in value:
            yield from _parts(part)
