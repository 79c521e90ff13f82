"""A starter as a process of its own, for tests that end it or look at its sockets."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deskhand.crypto.keyring import Keyring
from deskhand.devstack.state import free_ports

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class StarterProcess:
    """A starter that listens at `url`."""

    url: str
    process: asyncio.subprocess.Process

    @property
    def place(self) -> tuple[str, int]:
        """Host and port, for raw sockets."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)


@asynccontextmanager
async def starter_process(**settings: str) -> AsyncIterator[StarterProcess]:
    """`python -m starter` with these settings until the block ends; stores that they do not name are not there."""
    (down,) = free_ports(1)
    defaults = {
        "PATH": os.environ["PATH"],
        "DESKHAND_PAYLOAD_KEYS": Keyring.generate_text(),
        "DESKHAND_DATABASE_URL": f"postgresql://deskhand_app:x@127.0.0.1:{down}/deskhand",
        "DESKHAND_STARTER_PORT": "0",
        "TEMPORAL_ADDRESS": f"127.0.0.1:{down}",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "starter"), cwd=ROOT, env={**defaults, **settings}, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    url = ""
    async for line in process.stderr:
        if b"running on" in line:
            url = json.loads(line)["event"].split()[3]
            break
    reading = asyncio.create_task(process.stderr.read())  # a full pipe would stop it
    try:
        assert url, "it ended before it listened"
        yield StarterProcess(url, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reading
