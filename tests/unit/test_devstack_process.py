"""Child processes: what they get, how their failure reads, and that they do not outlive their parent."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from deskhand.devstack.errors import DevStackError
from deskhand.devstack.process import Account, ChildProcess, ProcessSpec, guarded
from deskhand.devstack.waiting import until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")


async def _at_once(_pid: int) -> bool:
    return True


def _spec(
    folder: Path,
    code: str,
    *,
    ready: Callable[[int], Awaitable[bool]] = _at_once,
    env: Mapping[str, str] | None = None,
    start_seconds: float = 30,
    stop_seconds: float = 10,
) -> ProcessSpec:
    return ProcessSpec(
        name="thing",
        argv=(sys.executable, "-I", "-S", "-u", "-c", code),
        env=env or {},
        log=folder / "thing.log",
        folder=folder,
        ready=ready,
        start_seconds=start_seconds,
        stop_seconds=stop_seconds,
    )


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_it_gets_its_environment_and_nothing_else(tmp_path: Path) -> None:
    code = "import os, json; print(json.dumps([dict(os.environ), os.getcwd(), os.getsid(0) == os.getpid()]))"
    log = tmp_path / "thing.log"

    async def logged(_pid: int) -> bool:
        return log.read_text().endswith("\n")

    process = ChildProcess(_spec(tmp_path, code + "; input() if 0 else __import__('time').sleep(60)", ready=logged))
    await process.start()
    await process.stop()

    environment, folder, own_session = json.loads(log.read_text())
    assert {name for name in environment if name != "LC_CTYPE"} == set()  # Python sets LC_CTYPE itself
    assert folder == str(tmp_path)
    assert own_session
    assert log.stat().st_mode & 0o777 == 0o600


async def test_an_early_end_is_told_with_exit_code_log_and_last_lines(tmp_path: Path) -> None:
    async def never(_pid: int) -> bool:
        return False

    process = ChildProcess(_spec(tmp_path, "print('no such table'); raise SystemExit(3)", ready=never))
    with pytest.raises(DevStackError) as caught:
        await process.start()
    assert str(caught.value) == (
        f"thing ended with exit code 3. Its log is {tmp_path / 'thing.log'}; the last lines:\n  | no such table"
    )


async def test_last_lines_are_of_the_latest_start(tmp_path: Path) -> None:
    (tmp_path / "thing.log").write_text("of yesterday\n")
    process = ChildProcess(_spec(tmp_path, "print('of today')"))
    await process.start()
    assert await until(lambda: not process.running, seconds=10)
    assert process.last_lines() == ["of today"]


async def test_what_is_never_ready_is_ended_and_told(tmp_path: Path) -> None:
    async def never(_pid: int) -> bool:
        return False

    process = ChildProcess(_spec(tmp_path, "import time; time.sleep(60)", ready=never, start_seconds=0.2))
    with pytest.raises(DevStackError, match=r"thing was not ready after 0\.2 s"):
        await process.start()
    assert _gone(process.pid)


async def test_what_ignores_the_stop_signal_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    log = tmp_path / "thing.log"

    async def deaf(_pid: int) -> bool:
        return "deaf" in log.read_text()

    process = ChildProcess(_spec(tmp_path, code, ready=deaf, stop_seconds=0.1))
    await process.start()
    await process.stop()
    assert not process.running
    assert _gone(process.pid)


async def test_it_can_be_killed_and_started_again(tmp_path: Path) -> None:
    process = ChildProcess(_spec(tmp_path, "import time; time.sleep(60)"))
    await process.start()
    first = process.pid
    process.kill()
    with pytest.raises(DevStackError, match="thing was ended by SIGKILL"):
        process.check()
    await process.start()
    assert process.running
    assert process.pid != first
    await process.stop()


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    spec = ProcessSpec(
        name="thing",
        argv=(str(tmp_path / "absent"),),
        env={},
        log=tmp_path / "thing.log",
        folder=tmp_path,
        ready=_at_once,
    )
    process = ChildProcess(spec)
    await process.start()
    assert await until(lambda: not process.running, seconds=10)
    assert process.last_lines() == [f"cannot run {tmp_path / 'absent'} in {tmp_path}: No such file or directory"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
async def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    child = _child_of_a_killed_parent(tmp_path)
    assert await until(lambda: _gone(child), seconds=10)


def _child_of_a_killed_parent(folder: Path) -> int:
    code = """
import asyncio, sys
from pathlib import Path
from deskhand.devstack.process import ChildProcess, ProcessSpec

async def ready(pid):
    return Path("child.log").read_text() == "up\\n"

async def main():
    argv = (sys.executable, "-u", "-c", "import time; print('up'); time.sleep(60)")
    child = ChildProcess(ProcessSpec("child", argv, {}, Path("child.log"), Path.cwd(), ready))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not _gone(child)
        parent.send_signal(signal.SIGKILL)
    return child


def test_a_child_whose_parent_is_gone_already_does_not_start(tmp_path: Path) -> None:
    command = guarded(["/bin/echo", "started"], folder=tmp_path)
    command[command.index(str(os.getpid()))] = "1"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (125, "")


@as_root
def test_it_becomes_the_account_for_good(tmp_path: Path) -> None:
    account = Account("nobody", 65534, 65534)
    done = subprocess.run(
        guarded(["/usr/bin/id"], folder=Path("/"), account=account),
        extra_groups=[0],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("uid=65534")
    assert "root" not in done.stdout
    tmp_path.chmod(0o700)
    refused = subprocess.run(
        guarded(["/usr/bin/id"], folder=tmp_path, account=account), capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr) == (126, f"cannot run /usr/bin/id in {tmp_path}: Permission denied\n")
