"""`python worker.py` as an operator sees it, before it reaches Temporal."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from deskhand.crypto.keyring import Keyring
from deskhand.devstack.state import free_ports
from deskhand.devstack.waiting import came_true

ROOT = Path(__file__).parents[2]


@pytest.fixture
def usable(tmp_path: Path) -> dict[str, str]:
    """What the worker needs; it connects to the database only for work, and here gets none."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),  # so that no Temporal configuration of the person's own is read
        "DESKHAND_PAYLOAD_KEYS": Keyring.generate_text(),
        "DESKHAND_CREDENTIAL_KEYS": Keyring.generate_text(),
        "DESKHAND_DATABASE_URL": "postgresql://deskhand_app:hunter2@127.0.0.1:1/deskhand",
        "DESKHAND_TASK_QUEUE": tmp_path.name,
    }


async def _start(environment: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "worker.py"),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DESKHAND_DATABASE_URL", "postgresql://app:hunter2/x@127.0.0.1:1/b", "DESKHAND_DATABASE_URL: the address is"),
        ("DESKHAND_DATABASE_URL", "postgresql://app:1/hunter2@127.0.0.1:1/b", "DESKHAND_DATABASE_URL: the address is"),
        ("DESKHAND_PAYLOAD_KEYS", "hunter2", "DESKHAND_PAYLOAD_KEYS: keyring: entry 1"),
        ("DESKHAND_CREDENTIAL_KEYS", "k:hunter2", "DESKHAND_CREDENTIAL_KEYS: keyring: key k"),
        ("TEMPORAL_PROFILE", "nosuch", "TEMPORAL_…: Profile 'nosuch' not found"),
        ("TEMPORAL_TLS_CLIENT_CERT_PATH", "/nosuch.pem", "TEMPORAL_…: [Errno 2]"),
        ("TEMPORAL_ADDRESS", "127.0.0.1:hunter2", "TEMPORAL_ADDRESS: must read host:port"),
    ],
)
async def test_an_unusable_setting_is_one_line_and_exit_code_1(
    usable: dict[str, str], name: str, value: str, says: str
) -> None:
    process = await _start({**usable, name: value})
    output, errors = await process.communicate()
    assert process.returncode == 1
    assert output == b""
    (line,) = errors.decode().splitlines()
    assert line.startswith(f"worker: {says}")
    assert "hunter2" not in line


async def test_without_an_address_it_looks_for_temporal_on_this_machine(usable: dict[str, str]) -> None:
    process = await _start(usable)
    assert process.stderr is not None
    log = ""
    async for line in process.stderr:
        log += line.decode()
        # Ready only where the machine happens to run a Temporal of its own; nothing asks for work on this task queue.
        if "worker.waiting_for_temporal" in log or "worker.ready" in log:
            process.send_signal(signal.SIGTERM)
            break
    _, errors = await process.communicate()
    assert process.returncode == 0, log + errors.decode()
    last = json.loads(log.splitlines()[-1])
    assert last.get("address", "localhost:7233") == "localhost:7233"
    assert "hunter2" not in log + errors.decode()


async def test_it_lives_and_is_not_ready_before_it_has_reached_temporal(usable: dict[str, str]) -> None:
    port, nobody = free_ports(2)
    process = await _start({**usable, "DESKHAND_WORKER_PORT": str(port), "TEMPORAL_ADDRESS": f"127.0.0.1:{nobody}"})
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

        async def lives() -> bool:
            try:
                return (await http.get("/healthz")).status_code == 200
            except httpx.ConnectError:
                return False

        assert await came_true(lives, seconds=20)
        answer = await http.get("/readyz")
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert (answer.status_code, answer.json()["missing"]) == (503, ["Temporal has not been reached yet"])
    assert process.returncode == 0


async def test_a_port_that_is_taken_is_one_line_and_exit_code_1(usable: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await _start({**usable, "DESKHAND_WORKER_PORT": str(taken.getsockname()[1])})
        _, errors = await process.communicate()
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert line == "worker: DESKHAND_WORKER_PORT: cannot listen there: Address already in use"
