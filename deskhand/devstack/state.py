"""What the development stack keeps between starts: its ports, its keys, its data and its logs, in one folder."""

import json
import os
import random
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from deskhand.crypto.keyfile import KeyFile, KeyFileError
from deskhand.crypto.keyring import Keyring
from deskhand.devstack.errors import DevStackError
from deskhand.pretend.tools import tool_types

FOLDER_VARIABLE = "DESKHAND_STATE"
DEFAULT_FOLDER = Path(".deskhand")
PORTS_FILE = "ports.json"
PAYLOAD_KEYS_FILE = "payload.keys"
CREDENTIAL_KEYS_FILE = "credential.keys"

_OLD_KEYS_FILE = "keys.json"
"""Where both keyrings were before they were in files of their own."""

# Below the range that systems hand out for outgoing connections: a port kept here is free the next time, too. Within
# it, a client that asks for a port where nobody listens yet can even be connected to itself, and so take it.
_PORT_RANGE = range(20_000, 30_000)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens, on 127.0.0.1."""

    postgres: int
    temporal: int
    temporal_ui: int
    codec: int
    starter: int
    tools: Mapping[str, int] = field(default_factory=dict)
    """The pretend tools', by tool type."""


@dataclass(frozen=True, slots=True)
class State:
    """An opened state folder. Everything in it is for this account's eyes only."""

    folder: Path
    ports: Ports

    @classmethod
    def open(cls, folder: Path | None = None) -> Self:
        """Open the folder (default: `DESKHAND_STATE`, else `.deskhand`), made new if there is none.

        A pretend tool that was installed since then gets a port.

        Raises:
            DevStackError: a file in it is unusable.
        """
        folder = (folder or Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)).absolute()
        if not folder.exists():
            folder.mkdir(parents=True)
            # As root, PostgreSQL's ordinary account must pass through to its data; it can list nothing.
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
            (folder / ".gitignore").write_text("*\n")
        for part in ("logs", "temporal"):
            (folder / part).mkdir(mode=0o700, exist_ok=True)
        ports = _with_new_tools(folder / PORTS_FILE, _kept(folder / PORTS_FILE, _new_ports))
        _keep_keys(folder)
        try:
            return cls(folder, Ports(**ports))
        except TypeError:
            raise DevStackError(
                f"{folder} was made by another version of the stack: run `make clean`, or set {FOLDER_VARIABLE}"
            ) from None

    @property
    def payload_keys_file(self) -> Path:
        """The file that holds the payload keys. `deskhand keys rotate` changes it while the stack runs."""
        return self.folder / PAYLOAD_KEYS_FILE

    @property
    def credential_keys_file(self) -> Path:
        """The same for the credential keys."""
        return self.folder / CREDENTIAL_KEYS_FILE

    @property
    def payload_keys(self) -> str:
        """The keyring's text as it is now; a secret."""
        return _keyring_text(self.payload_keys_file)

    @property
    def credential_keys(self) -> str:
        """The keyring's text as it is now; a secret."""
        return _keyring_text(self.credential_keys_file)

    def log(self, process: str) -> Path:
        """The log file of a process."""
        return self.folder / "logs" / f"{process}.log"


def busy_ports(ports: Ports) -> dict[str, int]:
    """Which of the ports another program listens on, by the name of what they are kept for."""
    kept = asdict(ports)
    kept |= {f"pretend {tool}": port for tool, port in kept.pop("tools").items()}
    return {name: port for name, port in kept.items() if not _is_free(port)}


def write_private(path: Path, text: str) -> None:
    """Write a file that only this account can read (mode 600), whole, in place of what it held."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write_private_once(made, text)
    made.replace(path)


def write_private_once(path: Path, text: str) -> None:
    """Make a file that only this account can read (mode 600), whole, unless it is there already."""
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        path.hardlink_to(made)
    except FileExistsError:  # another start was quicker; its file counts
        pass
    finally:
        made.unlink()


def _kept(path: Path, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    if not path.exists():
        write_private_once(path, json.dumps(make(), indent=2) + "\n")
    try:
        kept: dict[str, Any] = json.loads(path.read_text())
    except ValueError:
        raise DevStackError(f"{path} is damaged: run `make clean`, or set {FOLDER_VARIABLE}") from None
    return kept


def _keep_keys(folder: Path) -> None:
    """Make the key files, or keep them as they are; what an older version kept in one file goes into them."""
    old = folder / _OLD_KEYS_FILE
    keys = _kept(old, dict) if old.exists() else {}
    for name, key, prefix in ((PAYLOAD_KEYS_FILE, "payload_keys", "p"), (CREDENTIAL_KEYS_FILE, "credential_keys", "c")):
        if not (folder / name).exists():
            write_private_once(folder / name, f"{keys.get(key) or Keyring.generate_text(prefix)}\n")
    old.unlink(missing_ok=True)


def _keyring_text(path: Path) -> str:
    try:
        return KeyFile(path).read()
    except KeyFileError as error:
        raise DevStackError(f"{path}: {error}: run `make clean`, or set {FOLDER_VARIABLE}") from None


def _new_ports() -> dict[str, Any]:
    names = [entry.name for entry in fields(Ports) if entry.name != "tools"]
    tools = tool_types()
    ports = free_ports(len(names) + len(tools))
    return {
        **dict(zip(names, ports, strict=False)),
        "tools": dict(zip(tools, ports[len(names) :], strict=True)),
    }


def _with_new_tools(path: Path, ports: dict[str, Any]) -> dict[str, Any]:
    kept = ports.get("tools")
    if not isinstance(kept, dict):
        return ports
    new = [tool for tool in tool_types() if tool not in kept]
    if not new:
        return ports
    ports = {**ports, "tools": kept | dict(zip(new, free_ports(len(new)), strict=True))}
    write_private(path, json.dumps(ports, indent=2) + "\n")
    return ports


def free_ports(count: int) -> list[int]:
    """That many ports on 127.0.0.1 where nobody listens, and that stay free for who starts to listen later.

    Raises:
        DevStackError: there are hardly any.
    """
    free = [port for port in random.SystemRandom().sample(_PORT_RANGE, 200) if _is_free(port)]
    if len(free) < count:
        raise DevStackError(f"hardly a port between {_PORT_RANGE[0]} and {_PORT_RANGE[-1]} is free on 127.0.0.1")
    return free[:count]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or a connection just closed would count as busy
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
