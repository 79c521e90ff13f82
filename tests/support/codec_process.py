"""A codec as a process of its own, and what is sent to it."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from temporalio.api.common.v1 import Payload

from deskhand.crypto.codec import EncryptionCodec
from deskhand.crypto.keyring import Keyring

ROOT = Path(__file__).parents[2]
KEYS = Keyring.generate_text()
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"printer on fire"')


def as_json(payload: Payload) -> dict[str, Any]:
    """A payload as the protocol has it."""
    return {
        "metadata": {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()},
        "data": base64.b64encode(payload.data).decode(),
    }


async def sealed(keys: str = KEYS, payload: Payload = PLAIN) -> dict[str, Any]:
    """A payload as Temporal holds it, and as the protocol has that."""
    codec = EncryptionCodec(Keyring.parse(keys), allow_plaintext=False)
    return as_json((await codec.encode([payload]))[0])


@dataclass(frozen=True, slots=True)
class CodecProcess:
    """A codec that listens at `url`."""

    url: str
    http: httpx.AsyncClient
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What it has logged."""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def decode(self, token: str | None = None, **headers: str) -> httpx.Response:
        """Ask it for one sealed payload. Headers are named as Python can: `x_namespace`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            given["authorization"] = f"Bearer {token}"
        return await self.http.post("/decode", json={"payloads": [await sealed()]}, headers=given)

    async def logged(self, event: str, **fields: Any) -> dict[str, Any]:
        """The last line with this event and these fields, as soon as there is one."""

        def found() -> list[dict[str, Any]]:
            wanted = {"event": event, **fields}
            return [line for line in self.lines if wanted.items() <= line.items()]

        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(lambda: bool(found()))
            return found()[-1]

    async def _read(self, stderr: asyncio.StreamReader) -> None:
        async for line in stderr:
            async with self._news:
                self.lines.append(json.loads(line))
                self._news.notify_all()


@asynccontextmanager
async def codec_process(keys: str = KEYS, **settings: str) -> AsyncIterator[CodecProcess]:
    """`deskhand codec` on a free port with these settings, until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deskhand.cli", "codec"),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DESKHAND_PAYLOAD_KEYS": keys, "DESKHAND_CODEC_PORT": "0", **settings},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    url, lines = "", []
    async for line in process.stderr:
        lines.append(json.loads(line))
        if "running on" in lines[-1]["event"]:
            url = lines[-1]["event"].split()[3]
            break
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
        codec = CodecProcess(url, http, lines)
        reading = asyncio.create_task(codec._read(process.stderr))
        try:
            assert url, "it ended before it listened"
            yield codec
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await reading
