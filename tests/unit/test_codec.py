import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from deskhand.crypto.codec import EncryptionCodec, data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import Purpose, SealError, seal
from plugins.types import EventKind
from workflows.contracts import Extracted, Metadata

KEYRING = Keyring.parse(Keyring.generate_text())
OTHER = Keyring.parse(Keyring.generate_text())


@given(st.binary(), st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.binary()))
async def test_a_payload_comes_back_as_it_was_and_shows_nothing_meanwhile(
    data: bytes, metadata: dict[str, bytes]
) -> None:
    codec = EncryptionCodec(KEYRING, allow_plaintext=False)
    payload = Payload(metadata=metadata, data=b"marker" + data)
    (sealed,) = await codec.encode([payload])
    assert dict(sealed.metadata) == {"encoding": b"binary/encrypted"}
    assert b"marker" not in sealed.SerializeToString()
    assert await codec.decode([sealed]) == [payload]


async def test_a_plain_payload_is_refused_unless_allowed() -> None:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"ticket text"')
    with pytest.raises(SealError) as caught:
        await EncryptionCodec(KEYRING, allow_plaintext=False).decode([plain])
    assert "ticket" not in str(caught.value)
    assert await EncryptionCodec(KEYRING, allow_plaintext=True).decode([plain]) == [plain]


@pytest.mark.parametrize("allow_plaintext", [False, True])
async def test_what_was_sealed_by_others_or_for_another_purpose_does_not_open(allow_plaintext: bool) -> None:
    codec = EncryptionCodec(KEYRING, allow_plaintext=allow_plaintext)
    strangers = await EncryptionCodec(OTHER, allow_plaintext=False).encode([Payload(data=b"x")])
    spooled = Payload(metadata={"encoding": b"binary/encrypted"}, data=seal(KEYRING, Purpose.SPOOL, b""))
    for payload in (*strangers, spooled, Payload(metadata={"encoding": b"binary/encrypted"}, data=b"junk")):
        with pytest.raises(SealError):
            await codec.decode([payload])


async def test_a_nested_seal_does_not_smuggle_plaintext() -> None:
    codec = EncryptionCodec(KEYRING, allow_plaintext=False)
    (once,) = await codec.encode([Payload(data=b"x")])
    (twice,) = await codec.encode([once])
    assert await codec.decode([twice]) == [once]


async def test_models_cross_the_boundary() -> None:
    converter = data_converter(KEYRING, allow_plaintext=False)
    value = Extracted(
        metadata=Metadata.model_validate(
            {
                "tenant_id": "acme",
                "ticket_id": "T-1",
                "description": "printer on fire",
                "priority": "low",
                "created_at": "2026-01-01T00:00:00Z",
            }
        ),
        kind=EventKind.CREATED,
    )
    encoded = await converter.encode([value])
    assert b"printer" not in encoded[0].SerializeToString()
    assert await converter.decode(encoded, [Extracted]) == [value]


async def test_failures_show_their_type_only() -> None:
    converter = data_converter(KEYRING, allow_plaintext=False)
    cause = ValueError("cause in the printer")
    error = ApplicationError("printer on fire", {"detail": "printer"}, type="APIError")
    error.__cause__ = cause
    failure = Failure()
    await converter.encode_failure(error, failure)
    assert b"printer" not in failure.SerializeToString()
    assert failure.application_failure_info.type == "APIError"
    opened = await converter.decode_failure(failure)
    assert isinstance(opened, ApplicationError)
    assert opened.message == "printer on fire"
    assert opened.details == ({"detail": "printer"},)
    assert "cause in the printer" in str(opened.__cause__)
