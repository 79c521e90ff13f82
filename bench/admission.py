"""How long it takes until a delivery is taken durably: HTTP in, 202 out, against a bare `start_workflow`."""

import asyncio
import time
from collections.abc import Sequence

from bench.frame import together
from bench.sides import Call, Side


async def admit(side: Side, calls: Sequence[Call], per_second: float) -> list[float]:
    """The seconds that each took. They are sent at a fixed rate, whether or not the earlier ones are answered.

    Nobody works on the runs meanwhile: on the same few cores that would be measured instead of the door.
    """
    clock = asyncio.get_running_loop().time
    first = clock() + 1 / per_second

    async def send(number: int, call: Call) -> float:
        await asyncio.sleep(first + number / per_second - clock())
        began = time.perf_counter()
        await side.start(call)
        return time.perf_counter() - began

    return await together(send(number, call) for number, call in enumerate(calls))
