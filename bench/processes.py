"""CPU time of other processes, as Linux counts it."""

import os
from pathlib import Path

from bench.frame import BenchError

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children, to a hundredth of a second.

    Raises:
        BenchError: there is no such process, or the system has no `/proc`.
    """
    total, found = 0, False
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, which may hold anything, stands in brackets; what follows is counted from the third field on.
            number, _, fields = entry.read_text().partition(" (")
        except OSError:  # it ended meanwhile
            continue
        stat = fields.rpartition(") ")[2].split()
        if pid in (int(number), int(stat[1])):
            found |= int(number) == pid
            total += int(stat[11]) + int(stat[12])
    if not found:
        raise BenchError(f"no CPU time can be read of process {pid}")
    return total / _TICKS


def busy_seconds() -> float:
    """The CPU time of all that ran on the machine since it was started, and what its host took from it.

    Raises:
        BenchError: the system has no `/proc`.
    """
    try:
        first = Path("/proc/stat").read_text().splitlines()[0]
    except OSError:
        raise BenchError("the CPU time of the machine cannot be read") from None
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, first.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS
