"""The state folder: what it keeps, who may read it, and that only one stack uses it."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from deskhand.crypto.keyring import Keyring
from deskhand.devstack import clean, lock
from deskhand.devstack.errors import DevStackError
from deskhand.devstack.state import FOLDER_VARIABLE, PORTS_FILE, State, busy_ports


def test_ports_and_keys_are_chosen_once(tmp_path: Path) -> None:
    first = State.open(tmp_path / "state")
    keys = first.payload_keys, first.credential_keys
    second = State.open(tmp_path / "state")
    assert second == first
    assert (second.payload_keys, second.credential_keys) == keys
    *ports, tools = astuple(first.ports)
    every = [*ports, *tools.values()]
    assert len(set(every)) == len(every)
    assert busy_ports(first.ports) == {}


def test_a_tool_that_was_installed_since_gets_a_port(tmp_path: Path) -> None:
    first = State.open(tmp_path / "state")
    kept = json.loads((first.folder / PORTS_FILE).read_text())
    del kept["tools"]["jira"]
    (first.folder / PORTS_FILE).write_text(json.dumps(kept))
    second = State.open(tmp_path / "state")
    assert second.ports.tools.keys() == first.ports.tools.keys()
    assert second.ports.tools["zendesk"] == first.ports.tools["zendesk"]
    assert State.open(tmp_path / "state") == second


def test_the_keys_are_two_keyrings(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    payload, credential = Keyring.parse(state.payload_keys), Keyring.parse(state.credential_keys)
    assert set(payload.keys.values()).isdisjoint(credential.keys.values())


def test_keys_of_an_older_version_are_kept(tmp_path: Path) -> None:
    folder = State.open(tmp_path / "state").folder
    old = {"payload_keys": Keyring.generate_text("p"), "credential_keys": Keyring.generate_text("c")}
    (folder / "keys.json").write_text(json.dumps(old))
    for name in ("payload.keys", "credential.keys"):
        (folder / name).unlink()
    state = State.open(folder)
    assert {"payload_keys": state.payload_keys, "credential_keys": state.credential_keys} == old
    assert not (folder / "keys.json").exists()
    (folder / "keys.json").write_text(json.dumps({name: Keyring.generate_text() for name in old}))
    assert State.open(folder).payload_keys == old["payload_keys"], "what is in the files counts"


def test_keys_that_were_changed_count_at_once(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    new = Keyring.generate_text("new")
    state.payload_keys_file.write_text(f"# rotated\n{new}\n{state.payload_keys}\n")
    assert Keyring.parse(state.payload_keys).primary_id == new.partition(":")[0]
    state.payload_keys_file.write_text("")
    with pytest.raises(DevStackError, match=r"payload\.keys: holds no key: run `make clean`"):
        _ = state.payload_keys


def test_two_states_share_nothing(tmp_path: Path) -> None:
    one, other = State.open(tmp_path / "one"), State.open(tmp_path / "other")
    assert one.payload_keys != other.payload_keys
    assert astuple(one.ports) != astuple(other.ports)


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    # As root, PostgreSQL's account passes through; it can list nothing.
    assert state.folder.stat().st_mode & 0o777 == (0o711 if os.geteuid() == 0 else 0o700)
    for part in ("logs", "temporal"):
        assert (state.folder / part).stat().st_mode & 0o777 == 0o700
    for part in ("payload.keys", "credential.keys", "ports.json"):
        assert (state.folder / part).stat().st_mode & 0o777 == 0o600


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "named"))
    assert State.open().folder == tmp_path / "named"


def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path) -> None:
    State.open(tmp_path / "state")
    (tmp_path / "state" / "ports.json").write_text("{")
    with pytest.raises(DevStackError, match=r"ports\.json is damaged: run `make clean`"):
        State.open(tmp_path / "state")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    assert state.payload_keys not in repr(state)
    assert state.credential_keys not in repr(state)


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    ports = State.open(tmp_path / "state").ports
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert busy_ports(replace(ports, starter=taken)) == {"starter": taken}


def test_a_second_holder_of_the_lock_is_refused_in_one_line(tmp_path: Path) -> None:
    with (
        lock.held(tmp_path, "stop it first"),
        pytest.raises(DevStackError) as caught,
        lock.held(tmp_path, "stop it first"),
    ):
        pass
    assert str(caught.value) == f"a stack is running on {tmp_path} already (process {os.getpid()}): stop it first"
    with lock.held(tmp_path, "stop it first"):
        pass


def test_clean_deletes_a_state_folder(tmp_path: Path) -> None:
    State.open(tmp_path / "state")
    clean.clean(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []
    clean.clean(tmp_path / "state")


def test_clean_leaves_other_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("chapter 1")
    with pytest.raises(DevStackError, match="is not the state folder"):
        clean.clean(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_clean_refuses_while_a_stack_runs(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state")
    with lock.held(state.folder, ""), pytest.raises(DevStackError, match="stop it first"):
        clean.clean(state.folder)
    assert state.folder.exists()


def test_clean_needs_nothing_installed(tmp_path: Path) -> None:
    State.open(tmp_path / "state")
    done = subprocess.run(
        [sys.executable, "-S", "-m", "deskhand.devstack.clean", str(tmp_path / "state")],
        cwd=Path(__file__).parents[2],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []
