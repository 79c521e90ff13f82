"""What an operator does afterwards: `deskhand reconcile`, which starts the runs that no webhook asked for."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deskhand.devstack.stack import Stack
from tests.support.desk import Tenant

LOOK_BACK = "1h"
"""Longer than any run lasts."""


class _CommandError(Exception):
    """The command failed. The message is what it said."""


@dataclass(frozen=True, slots=True)
class Healed:
    """What `deskhand reconcile` did for one tenant."""

    tenant: Tenant
    seen: int
    started: int
    had_run: int


async def reconcile(stack: Stack, tenants: Sequence[Tenant]) -> tuple[list[Healed], list[str]]:
    """One pass over the tickets of each tenant: what it did, and what those said that failed."""
    healed, complaints = [], []
    for tenant in tenants:
        try:
            done = await _deskhand(stack, "reconcile", "--tenant", tenant.id, "--since", LOOK_BACK, "--json")
        except _CommandError as error:
            complaints.append(str(error))
            continue
        said = json.loads(done)
        healed.append(Healed(tenant, said["seen"], said["started"], said["had_run"]))
    return healed, complaints


async def _deskhand(stack: Stack, *arguments: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "deskhand",
        *arguments,
        env=stack.command_environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await process.communicate()
    if process.returncode != 0:
        raise _CommandError(f"`deskhand {' '.join(arguments)}` failed: {complaint.decode().strip()[-500:]}")
    return said
