"""From webhook to note: how long one ticket takes, how many there are in a time, and what each process spends."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.frame import together
from bench.processes import cpu_seconds
from bench.sides import Call, Side


async def seconds_alone(side: Side, call: Call) -> float:
    """From sending the webhook to seeing the run's result, nothing else being done."""
    began = time.perf_counter()
    await side.handle(call)
    return time.perf_counter() - began


@dataclass(slots=True)
class AtOnce:
    """What came of the turns of one side in which many tickets are handled at a time."""

    tickets: int = 0
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    """CPU seconds by the name of the process."""

    @property
    def per_second(self) -> float:
        """Tickets."""
        return self.tickets / self.seconds

    async def turn(self, side: Side, calls: Sequence[Call], limit: int) -> None:
        """Handle all, `limit` of them at any time: when one has its note, the next is sent."""
        before = {name: cpu_seconds(pid) for name, pid in side.pids.items()}
        began = time.perf_counter()
        waiting = iter(calls)

        async def one_after_another() -> None:
            for call in waiting:
                await side.handle(call)

        await together(one_after_another() for _ in range(limit))
        self.seconds += time.perf_counter() - began
        self.tickets += len(calls)
        for name, pid in side.pids.items():
            self.cpu[name] = self.cpu.get(name, 0.0) + cpu_seconds(pid) - before[name]
