"""A stack of its own for a run, and the clients that watch it from outside. They outlive every kill."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deskhand.crypto.keyring import Keyring
from deskhand.devstack.stack import Stack
from deskhand.runs.spool import Spool
from tests.support.desk import Desk, opened


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run needs."""

    desk: Desk
    spool: Spool
    """To be looked at; the starters fill and empty it."""


@asynccontextmanager
async def setting_of(stack: Stack) -> AsyncIterator[Setting]:
    """The clients for a stack that runs."""
    async with opened(stack, actor="chaos") as desk:
        yield Setting(desk, Spool(desk.operator, Keyring.parse(stack.state.payload_keys)))
