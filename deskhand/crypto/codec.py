"""Temporal's payloads, sealed: arguments, results, memos, summaries and the texts of failures.

What stays plain in Temporal are search attributes, workflow ids, and the type names of failures.
"""

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    PayloadConverter,
)

from deskhand.crypto.keyring import Keys
from deskhand.crypto.sealing import Purpose, SealError, seal, unseal

ENCODING = b"binary/encrypted"
"""What the metadata of a sealed payload says; its data is a whole serialized payload, sealed."""


class EncryptionCodec(PayloadCodec):
    """Seals each payload by itself under the payload keys.

    With `allow_plaintext`, a payload that is not sealed is passed on as it is: for a person's view of a history, which
    holds a few that Temporal makes itself, and for the development stack. Without it such a payload is an error, so
    that only a holder of the keys can give a worker its input.
    """

    def __init__(self, keys: Keys, *, allow_plaintext: bool) -> None:
        self._keys = keys
        self._allow_plaintext = allow_plaintext

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Seal every payload, all with one key."""
        keyring = self._keys.current()
        return [
            Payload(
                metadata={"encoding": ENCODING},
                data=seal(keyring, Purpose.PAYLOAD, payload.SerializeToString()),
            )
            for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open every payload.

        Raises:
            SealError: one does not open, or is not sealed and plaintext is not allowed.
        """
        return [self._open(payload) for payload in payloads]

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") == ENCODING:
            return Payload.FromString(unseal(self._keys, Purpose.PAYLOAD, payload.data))
        if self._allow_plaintext:
            return payload
        raise SealError("a payload is not encrypted, and only encrypted ones are accepted here")


class SealedFailures(DefaultFailureConverterWithEncodedAttributes):
    """Failures with sealed texts, but for those that say that a payload did not open.

    A worker with other keys would seal these under its own: the workers with the right ones could then not read what
    became of the activity, and its run would be stuck for good. The message of a `SealError` holds no content.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """See the base class."""
        cause: BaseException | None = exception
        while cause is not None and not isinstance(cause, SealError):
            cause = cause.__cause__
        if cause is None:
            super().to_failure(exception, payload_converter, failure)
            return
        failure.message = str(cause)
        failure.application_failure_info.type = SealError.__name__


def data_converter(keys: Keys, *, allow_plaintext: bool) -> DataConverter:
    """How every Deskhand process talks to Temporal: pydantic models, sealed, and failures sealed as well.

    Where a payload that is not ours reaches a workflow, its task fails and is tried again: the run keeps waiting.
    """
    return DataConverter(
        payload_converter_class=PydanticPayloadConverter,
        payload_codec=EncryptionCodec(keys, allow_plaintext=allow_plaintext),
        failure_converter_class=SealedFailures,
    )
