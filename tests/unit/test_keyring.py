import base64

import pytest

from deskhand.crypto.keyring import Keyring, KeyringError

ONE = base64.urlsafe_b64encode(bytes(range(32))).decode()
TWO = base64.urlsafe_b64encode(bytes(range(32, 64))).decode()


def test_the_first_key_is_primary_and_all_are_kept() -> None:
    ring = Keyring.parse(f"new:{ONE}, old:{TWO.rstrip('=')}")
    assert ring.primary_id == "new"
    assert dict(ring.keys) == {"new": bytes(range(32)), "old": bytes(range(32, 64))}


def test_generated_text_parses_and_every_one_is_new() -> None:
    first, second = (Keyring.parse(Keyring.generate_text("pay")) for _ in range(2))
    assert first.primary_id.startswith("pay")
    assert first.primary_id != second.primary_id
    assert first.keys[first.primary_id] != second.keys[second.primary_id]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "entry 1"),
        (ONE, "entry 1"),
        (f"k1:{ONE},{TWO}", "entry 2"),
        (f"k1:{ONE},", "entry 2"),
        (f"k 1:{ONE}", "id of entry 1"),
        (f":{ONE}", "id of entry 1"),
        (f"k1:{ONE},k1:{TWO}", "k1 is given twice"),
        (f"k1:{ONE[:-4]}", "k1 is 30 bytes long, it must be 32"),
        (f"k1:{ONE}AAAA", "k1 is not base64url"),
        ("k1:" + ONE.replace("A", "!"), "k1 is not base64url"),
        ("k1:é" + ONE, "k1 is not base64url"),
        ("k1:", "k1 is 0 bytes long"),
    ],
)
def test_errors_name_the_entry_and_never_quote_a_key(text: str, says: str) -> None:
    with pytest.raises(KeyringError) as caught:
        Keyring.parse(text)
    assert says in str(caught.value)
    assert ONE[:12] not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_do_not_show_in_a_repr() -> None:
    ring = Keyring.parse(f"k1:{ONE}")
    assert "k1" in repr(ring)
    assert "\\x01" not in repr(ring)


def test_a_new_key_opens_first_and_seals_once_it_is_put_in_front() -> None:
    old = Keyring.parse(f"old:{ONE}")
    both = old.with_new("new", bytes(range(32, 64)))
    assert (both.ids, both.promoted("new").ids) == (("old", "new"), ("new", "old"))
    assert both.promoted("new").without("old") == Keyring.parse(f"new:{TWO}")
    assert old.ids == ("old",), "a keyring never changes"


def test_entries_read_back_as_the_same_keyring() -> None:
    ring = Keyring.parse(f"new:{ONE},old:{TWO}").promoted("old")
    assert Keyring.parse(",".join(ring.entries())) == ring
    assert ring.entries()[0].startswith("old:")


def test_each_key_of_a_ring_is_primary_in_turn() -> None:
    ring = Keyring.parse(f"new:{ONE},old:{TWO}")
    assert [each.primary_id for each in ring.each()] == ["new", "old"]
    assert all(each.keys == ring.keys for each in ring.each())
