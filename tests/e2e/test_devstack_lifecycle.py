"""The whole stack as a person runs it, and that nothing of it is left, however it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deskhand.devstack.errors import DevStackError
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import FOLDER_VARIABLE, State, busy_ports
from deskhand.devstack.waiting import until

DESKHAND = str(Path(sys.executable).with_name("deskhand"))
EVERYTHING = {"postgres", "temporal", "codec", "pretend", "starter", "worker"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")


class Dev:
    """A running `deskhand dev`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.popen = subprocess.Popen(
            [DESKHAND, "dev"],
            env={**os.environ, FOLDER_VARIABLE: str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.popen.stdout is not None
        self.shown: list[str] = []
        while not self.shown or not self.shown[-1].startswith("Ctrl-C"):
            line = self.popen.stdout.readline()
            assert line, self.popen.communicate()[1]
            self.shown.append(line)
        self.family = descendants(self.popen.pid)

    def end(self, number: signal.Signals | None = None) -> tuple[int, str, str]:
        """Exit code, rest of the output, and errors, after a signal if one is given."""
        if number is not None:
            self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=60)
        return self.popen.returncode, out, err

    def left(self) -> list[int]:
        """The processes of the stack that are still there."""
        return [pid for pid in self.family if alive(pid)]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> list[int]:
    try:
        tasks = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        children = [int(child) for task in tasks for child in task.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # PostgreSQL's helpers come and go
        return []
    return children + [further for child in children for further in descendants(child)]


@pytest.fixture
def dev(state_folder: Path) -> Iterator[Dev]:
    running = Dev(state_folder)
    yield running
    running.popen.kill()
    running.popen.communicate()


@pytest.fixture(scope="module")
async def stack(module_state_folder: Path) -> AsyncIterator[Stack]:
    """A stack that runs beside those of the tests, on a state of its own."""
    async with Stack(State.open(module_state_folder)) as running:
        yield running


def read(pid: int, what: str) -> str:
    return Path(f"/proc/{pid}/{what}").read_bytes().decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(stack: Stack, dev: Dev, number: signal.Signals) -> None:
    assert set(stack.pids) == EVERYTHING  # the two do not disturb each other
    assert len(dev.family) > len(EVERYTHING)  # PostgreSQL has children of its own
    code, out, err = dev.end(number)
    assert (code, err) == (0, "")
    assert "Stopped." in out
    assert dev.left() == []
    assert busy_ports(State.open(dev.folder).ports) == {}
    assert set(stack.pids) == EVERYTHING


def test_commands_in_another_shell_know_the_stack(dev: Dev) -> None:
    (line,) = (line for line in dev.shown if line.startswith("For `deskhand` commands"))
    source = line.rpartition(": ")[2].strip()
    shell = ["sh", "-euc", f"{source}; {DESKHAND} tenant list"]
    done = subprocess.run(shell, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no tenants" in done.stdout
    assert Path(source.removeprefix(". ")).stat().st_mode & 0o777 == 0o600
    dev.end(signal.SIGTERM)


async def test_a_killed_supervisor_leaves_nothing_and_the_state_can_be_used_again(dev: Dev) -> None:
    ports = State.open(dev.folder).ports
    dev.end(signal.SIGKILL)
    assert await until(lambda: not dev.left(), seconds=20)

    again = Dev(dev.folder)
    assert f"http://127.0.0.1:{ports.temporal_ui}" in "".join(again.shown)
    assert again.end(signal.SIGTERM)[0] == 0
    assert again.left() == []


def test_a_process_that_dies_is_named_and_the_rest_is_stopped(dev: Dev) -> None:
    worker = next(pid for pid in dev.family if "worker.py" in read(pid, "cmdline"))
    os.kill(worker, signal.SIGKILL)
    code, _, err = dev.end()
    assert code == 1
    assert err.startswith(f"deskhand: worker was ended by SIGKILL. Its log is {dev.folder / 'logs' / 'worker.log'}")
    assert "worker.ready" in err
    assert "Traceback" not in err
    assert dev.left() == []


def test_a_second_stack_on_the_same_state_is_refused_in_one_line(stack: Stack) -> None:
    folder = stack.state.folder
    second = subprocess.run(
        [DESKHAND, "dev"],
        env={**os.environ, FOLDER_VARIABLE: str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr == (
        f"deskhand: a stack is running on {folder} already (process {os.getpid()}): "
        "stop it first, or run this one on a state of its own, with DESKHAND_STATE=<another folder>\n"
    )


async def test_a_process_can_be_killed_and_started_again(stack: Stack) -> None:
    first = stack.pids["worker"]
    stack.kill("worker")
    assert set(stack.pids) == EVERYTHING - {"worker"}
    assert not alive(first)
    await stack.start("worker")
    assert set(stack.pids) == EVERYTHING


async def test_work_is_cut_short_by_a_process_that_dies(stack: Stack) -> None:
    os.kill(stack.pids["codec"], signal.SIGKILL)
    with pytest.raises(DevStackError, match="codec was ended by SIGKILL"):
        await stack.during(asyncio.Event().wait())
    await stack.start("codec")

    async def answer() -> int:
        return 42

    assert await stack.during(answer()) == 42


async def test_a_given_database_is_used_and_none_started(
    stack: Stack, state_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESKHAND_DATABASE_URL", stack.database.app)
    monkeypatch.setenv("DESKHAND_DATABASE_OPERATOR_URL", stack.database.operator)
    with pytest.raises(DevStackError, match="set DESKHAND_DATABASE_OWNER_URL as well, or unset"):
        await Stack(State.open(state_folder)).__aenter__()

    monkeypatch.setenv("DESKHAND_DATABASE_OWNER_URL", stack.database.owner)
    async with Stack(State.open(state_folder)) as other:
        assert set(other.pids) == EVERYTHING - {"postgres"}
        assert stack.database.app in read(other.pids["starter"], "environ")


async def test_an_exception_leaves_nothing(state_folder: Path) -> None:
    family: list[int] = []

    def fail_at_codec(part: str) -> None:
        if part == "codec":
            family.extend(pid for leader in failing.pids.values() for pid in (leader, *descendants(leader)))
            raise ZeroDivisionError

    failing = Stack(State.open(state_folder), progress=fail_at_codec)
    with pytest.raises(ZeroDivisionError):
        await failing.__aenter__()
    assert len(family) > len({"postgres", "temporal"})
    assert [pid for pid in family if alive(pid)] == []


def test_each_process_gets_the_secrets_that_it_needs_and_none_on_its_command_line(stack: Stack) -> None:
    environments = {name: read(pid, "environ") for name, pid in stack.pids.items()}
    secrets = {
        str(stack.state.payload_keys_file): {"codec", "starter", "worker"},
        str(stack.state.credential_keys_file): {"worker"},
        stack.state.payload_keys: set(),
        stack.state.credential_keys: set(),
        stack.database.app: {"starter", "worker"},
        stack.database.operator: set(),
        stack.database.owner: set(),
    }
    for secret, holders in secrets.items():
        assert {name for name, environment in environments.items() if secret in environment} == holders
        assert not any(secret in read(pid, "cmdline") for pid in stack.pids.values())
