"""Everything that Temporal's messages say of a ticket: the payloads, opened.

What they hold in plain text is ids of runs, and names of workflows, activities, queues and processes.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload

from deskhand.crypto.codec import EncryptionCodec
from deskhand.forgetting.sought import parsed


async def values_in(message: Message, codec: EncryptionCodec) -> AsyncIterator[Any]:
    """Every value in a message, out of JSON where it is JSON: arguments, results, memo, summaries, failures, details.

    Raises:
        SealError: a payload does not open.
    """
    for payload in _payloads(message):
        (opened,) = await codec.decode([payload])
        yield _value(opened)


def _value(payload: Payload) -> Any:
    text = payload.data.decode(errors="replace")
    return parsed(text) if text else ""


def _payloads(value: Any) -> Iterator[Payload]:
    if isinstance(value, Payload):
        yield value
    elif isinstance(value, Message):
        for _, part in value.ListFields():
            yield from _payloads(part)
    elif isinstance(value, str | bytes | int | float):
        return
    else:
        for part in value.values() if hasattr(value, "values") else value:
            yield from _payloads(part)
