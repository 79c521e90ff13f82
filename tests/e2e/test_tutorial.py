"""The tutorial's last step, as a reader types it: the fourth tool on a running stack."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.desk import Desk

TUTORIAL = (Path(__file__).parents[2] / "docs" / "write-a-plugin.md").read_text()
SOURCED = ". .deskhand/commands.env\n"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial uses curl, and there is none here")
async def test_a_first_ticket(desk: Desk) -> None:
    (steps,) = re.findall(r"^```sh file=try-it\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
    assert steps.startswith(SOURCED)
    tool = desk.vendor("freshservice")
    environment = dict(desk.stack.command_environment())
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment["tool"] = tool.origin
    shell = await asyncio.create_subprocess_exec(
        *("sh", "-eu", "-c", steps.removeprefix(SOURCED)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await shell.communicate()
    assert (shell.returncode, err) == (0, b"")
    (ticket_id,) = re.findall(r'"ticket_id":"(\d+)"', out.decode())
    await desk.handle(f"freshservice:acme:{ticket_id}:created").result()
    (note,) = await tool.notes(ticket_id)
    assert note["private"] is True
    assert "The badge reader is dark" in str(note["body"])
