import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskhand.crypto.keyring import Keyring
from deskhand.crypto.sealing import Purpose, SealError, keyed_hash, seal, sealed_prefix, sealed_with, unseal

OLD_TEXT = Keyring.generate_text("old")
NEW_TEXT = Keyring.generate_text("new")
OLD = Keyring.parse(OLD_TEXT)
NEW = Keyring.parse(NEW_TEXT)
BOTH = Keyring.parse(f"{NEW_TEXT},{OLD_TEXT}")

words = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=4)


@given(st.binary(max_size=500), st.sampled_from(Purpose), words)
def test_what_was_sealed_opens(plaintext: bytes, purpose: Purpose, binding: list[str]) -> None:
    assert unseal(BOTH, purpose, seal(BOTH, purpose, plaintext, *binding), *binding) == plaintext


@given(words, words)
def test_another_binding_does_not_open(sealed_for: list[str], asked_for: list[str]) -> None:
    sealed = seal(OLD, Purpose.CREDENTIAL, b"x", *sealed_for)
    if sealed_for != asked_for:
        with pytest.raises(SealError):
            unseal(OLD, Purpose.CREDENTIAL, sealed, *asked_for)


def test_parts_of_a_binding_do_not_run_together() -> None:
    sealed = seal(OLD, Purpose.CREDENTIAL, b"x", "acme", "jira")
    with pytest.raises(SealError, match="altered"):
        unseal(OLD, Purpose.CREDENTIAL, sealed, "acmejira")


@pytest.mark.parametrize("other", [p for p in Purpose if p is not Purpose.SPOOL])
def test_another_purpose_does_not_open(other: Purpose) -> None:
    sealed = seal(OLD, Purpose.SPOOL, b"x")
    with pytest.raises(SealError, match="altered"):
        unseal(OLD, other, sealed)


def test_any_altered_bit_is_noticed() -> None:
    sealed = seal(OLD, Purpose.PAYLOAD, b"secret text")
    for place in range(len(sealed)):
        altered = bytearray(sealed)
        altered[place] ^= 1
        with pytest.raises(SealError):
            unseal(OLD, Purpose.PAYLOAD, bytes(altered))


def test_any_cut_is_noticed() -> None:
    sealed = seal(OLD, Purpose.PAYLOAD, b"")
    for length in range(len(sealed)):
        with pytest.raises(SealError):
            unseal(OLD, Purpose.PAYLOAD, sealed[:length])


def test_a_new_key_in_front_seals_and_the_old_one_still_opens() -> None:
    assert unseal(BOTH, Purpose.SPOOL, seal(OLD, Purpose.SPOOL, b"x")) == b"x"
    with pytest.raises(SealError, match="not in this keyring"):
        unseal(OLD, Purpose.SPOOL, seal(BOTH, Purpose.SPOOL, b"x"))


def test_a_renamed_key_does_not_open() -> None:
    sealed = seal(OLD, Purpose.SPOOL, b"x")
    new_id, old_id = NEW.primary_id, OLD.primary_id
    same_key_other_name = Keyring(new_id, {new_id: OLD.keys[old_id]})
    with pytest.raises(SealError, match="altered"):
        unseal(same_key_other_name, Purpose.SPOOL, sealed.replace(old_id.encode(), new_id.encode()))


def test_equal_plaintexts_do_not_look_equal() -> None:
    assert seal(OLD, Purpose.SPOOL, b"x") != seal(OLD, Purpose.SPOOL, b"x")


def test_keyed_hash_tells_equal_from_different() -> None:
    known = keyed_hash(OLD, Purpose.SPOOL, "acme", "T-1")
    assert len(known) == 32
    assert known == keyed_hash(Keyring.parse(OLD_TEXT), Purpose.SPOOL, "acme", "T-1")
    others = [
        keyed_hash(OLD, Purpose.SPOOL, "acmeT-1"),
        keyed_hash(OLD, Purpose.SPOOL, "acm", "eT-1"),
        keyed_hash(OLD, Purpose.PAYLOAD, "acme", "T-1"),
        keyed_hash(NEW, Purpose.SPOOL, "acme", "T-1"),
    ]
    assert known not in others


def test_the_header_tells_which_key_it_is() -> None:
    for ring in (OLD, NEW, BOTH):
        sealed = seal(ring, Purpose.SPOOL, b"")
        assert sealed_with(sealed) == ring.primary_id
        assert sealed.startswith(sealed_prefix(ring.primary_id))
    assert not seal(OLD, Purpose.SPOOL, b"").startswith(sealed_prefix(OLD.primary_id[:-1]))
    for damaged in (b"", b"\x01", b"\x02" + sealed[1:], sealed[:-1]):
        with pytest.raises(SealError):
            sealed_with(damaged)
