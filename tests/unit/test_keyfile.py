"""Key files: what they may hold, who may write to them, and that a change counts while everything runs."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from deskhand.crypto.keyfile import MAX_BYTES, KeyFile, KeyFileError, create, write
from deskhand.crypto.keyring import FileKeys, Keyring, has_keys, keyring_of
from deskhand.crypto.sealing import Purpose, SealError, keyed_hash, seal, unseal
from deskhand.settings import Settings, SettingsError

OLD, NEW, THIRD = (Keyring.generate_text(name) for name in ("old", "new", "third"))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "payload.keys"
    create(path, [OLD])
    return path


@pytest.fixture
def keys(path: Path, clock: Clock) -> FileKeys:
    return FileKeys(KeyFile(path, clock), "DESKHAND_PAYLOAD_KEYS_FILE")


@pytest.mark.parametrize(
    "content",
    [
        f"{NEW}\n{OLD}\n",
        f"{NEW},{OLD}",
        f"# rotated in May\n\n  {NEW}  # the new one\r\n{OLD},\n#{THIRD}\n",
    ],
)
def test_keys_stand_one_per_line_or_with_commas_between_beside_comments(path: Path, content: str) -> None:
    path.write_text(content)
    assert Keyring.parse(KeyFile(path).read()).entries() == (NEW, OLD)


def test_a_file_that_could_not_be_read_is_read_at_the_next_look(
    path: Path, keys: FileKeys, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def none_left(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with capture_logs() as logs:
        write(path, [NEW, OLD])
        monkeypatch.setattr(os, "open", none_left)
        for _ in range(3):
            clock.now += 1
            assert keys.current().entries() == (OLD,)
        monkeypatch.setattr(os, "open", opened)
        clock.now += 1
        assert keys.current().entries() == (NEW, OLD), "though the file has not changed again"
    assert [line["event"] for line in logs] == ["keys.not_read", "keys.read"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no key"),
        (b"# nothing\n,\n", "holds no key"),
        (b"\xff\xfe", "is not text"),
        (b"hunter2", "keyring: entry 1 must be keyid:key"),
        (b"k:hunter2", "keyring: key k is"),
        (b"#" * (MAX_BYTES + 1), "holds more than 65536 bytes: it is no key file"),
    ],
)
def test_a_file_that_is_of_no_use_is_refused_in_one_line_without_its_content(
    path: Path, content: bytes, message: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        FileKeys(KeyFile(path), "DESKHAND_PAYLOAD_KEYS_FILE")
    assert str(caught.value).startswith(f"DESKHAND_PAYLOAD_KEYS_FILE: {message}")
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("gone", "No such file"), ("pipe", "is not a file"), (".", "cannot be read|is not a file")):
        with pytest.raises(KeyFileError, match=message):
            KeyFile(tmp_path / name).read()


@pytest.mark.parametrize("mode", [0o400, 0o444, 0o660])
def test_a_file_as_container_platforms_make_them_is_taken(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert KeyFile(path).read() == OLD


def test_a_file_that_everybody_may_write_to_is_refused(path: Path) -> None:
    path.chmod(0o606)
    with pytest.raises(KeyFileError, match="everybody on this machine may write to it"):
        KeyFile(path).read()


def test_a_change_counts_a_second_later_at_the_latest(keys: FileKeys, path: Path, clock: Clock) -> None:
    assert keys.current().entries() == (OLD,)
    write(path, [NEW, OLD])
    assert keys.current().entries() == (OLD,), "it is not looked at for each key"
    clock.now += 1
    assert keys.current().entries() == (NEW, OLD)


def test_a_key_that_is_not_known_has_the_file_looked_at_at_once(keys: FileKeys, path: Path) -> None:
    both = Keyring.parse(f"{NEW},{OLD}")
    assert keys.current().entries() == (OLD,)
    write(path, [NEW, OLD])
    assert unseal(keys, Purpose.PAYLOAD, seal(both, Purpose.PAYLOAD, b"text")) == b"text"


def test_keys_that_nobody_has_cost_one_look_a_second(keys: FileKeys, path: Path, clock: Clock) -> None:
    strange = seal(Keyring.parse(THIRD), Purpose.PAYLOAD, b"text")
    with pytest.raises(SealError, match="not in this keyring"):
        unseal(keys, Purpose.PAYLOAD, strange)
    write(path, [OLD, THIRD])
    with pytest.raises(SealError, match="not in this keyring"):
        unseal(keys, Purpose.PAYLOAD, strange)
    clock.now += 1
    assert unseal(keys, Purpose.PAYLOAD, strange) == b"text"


def test_one_operation_keeps_to_one_keyring(keys: FileKeys, path: Path, clock: Clock) -> None:
    ring = keys.current()
    before = keyed_hash(ring, Purpose.SPOOL, "acme")
    write(path, [NEW, OLD])
    clock.now += 1
    assert keyed_hash(keys, Purpose.SPOOL, "acme") != before
    assert keyed_hash(ring, Purpose.SPOOL, "acme") == before


def damaged(path: Path) -> None:
    path.write_text("hunter2")


def gone(path: Path) -> None:
    path.unlink()


def open_to_all(path: Path) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize("spoil", [damaged, gone, open_to_all])
def test_a_file_that_is_spoilt_while_everything_runs_leaves_the_last_keys_in_force(
    keys: FileKeys, path: Path, clock: Clock, spoil: Callable[[Path], None]
) -> None:
    spoil(path)
    with capture_logs() as logs:
        for _ in range(3):
            clock.now += 1
            assert keys.current().entries() == (OLD,)
    assert [entry["event"] for entry in logs] == ["keys.not_read"], "once for each state of the file"
    assert logs[0]["log_level"] == "error"
    assert "hunter2" not in str(logs)
    path.unlink(missing_ok=True)
    create(path, [NEW, OLD])
    clock.now += 1
    assert keys.current().entries() == (NEW, OLD)


def test_a_file_is_replaced_whole_with_its_mode_and_its_comments(path: Path) -> None:
    path.write_text(f"# ours\n# really\n{OLD}  # the old one\n")
    path.chmod(0o440)
    write(path, [NEW, OLD])
    assert path.read_text() == f"# ours\n# really\n{NEW}\n{OLD}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o440
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_link_to_a_file_stays_one(path: Path, clock: Clock, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    keys = FileKeys(KeyFile(link, clock), "x")
    write(link, [NEW, OLD])
    assert link.is_symlink()
    clock.now += 1
    assert keys.current().entries() == (NEW, OLD)


def test_a_link_that_is_turned_to_another_file_counts(path: Path, clock: Clock, tmp_path: Path) -> None:
    link, other = tmp_path / "link", tmp_path / "other"
    link.symlink_to(path)
    keys = FileKeys(KeyFile(link, clock), "x")
    create(other, [NEW])
    (tmp_path / "turned").symlink_to(other)
    (tmp_path / "turned").replace(link)
    clock.now += 1
    assert keys.current().entries() == (NEW,)


def test_a_new_file_is_for_its_account_only_and_none_is_overwritten(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(KeyFileError, match="exists already"):
        create(path, [NEW])
    assert KeyFile(path).read() == OLD


def test_a_file_that_cannot_be_written_stays_as_it_was(path: Path) -> None:
    with pytest.raises(KeyFileError):
        write(path.with_name("gone"), [NEW])
    assert KeyFile(path).read() == OLD


def test_a_ring_is_in_a_variable_or_in_a_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="DESKHAND_PAYLOAD_KEYS is not set, nor DESKHAND_PAYLOAD_KEYS_FILE"):
        keyring_of(Settings(), "payload_keys")
    assert not has_keys(Settings(), "payload_keys")
    monkeypatch.setenv("DESKHAND_PAYLOAD_KEYS_FILE", str(path))
    assert has_keys(Settings(), "payload_keys")
    assert keyring_of(Settings(), "payload_keys").current().entries() == (OLD,)
    monkeypatch.setenv("DESKHAND_PAYLOAD_KEYS", NEW)
    with pytest.raises(SettingsError, match="are both set: leave one of them out"):
        keyring_of(Settings(), "payload_keys")
    monkeypatch.setenv("DESKHAND_PAYLOAD_KEYS_FILE", "")
    assert keyring_of(Settings(), "payload_keys").current().entries() == (NEW,)
