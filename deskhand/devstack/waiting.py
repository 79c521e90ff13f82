"""Waiting for something that nobody announces."""

import asyncio
from collections.abc import Awaitable, Callable

POLL_SECONDS = 0.02
_ASK_SECONDS = 0.1
"""Between two looks that cost a request."""


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true within that time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(POLL_SECONDS)
    return True


async def came_true(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """The same for a condition that has to be asked for."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_ASK_SECONDS)
    return True
