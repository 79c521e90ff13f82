"""What a table has to name for its figures to mean anything: the machine and the versions of what ran on it."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from deskhand.devstack.placement import wheel_binaries
from deskhand.devstack.temporal import temporal_binary


def describe() -> dict[str, str]:
    """What this is measured on, by what it is."""
    return {
        "machine": f"{_cpus()} cores of {_model()}, {_memory()}, {platform.system()} {platform.release()}",
        "load before": load(),
        "Python": platform.python_version(),
        "temporalio": version("temporalio"),
        "Temporal": _says(temporal_binary()).removeprefix("temporal version "),
        "PostgreSQL": _says(wheel_binaries() / "postgres").removeprefix("postgres (PostgreSQL) "),
        "httpx": version("httpx"),
        "uvicorn": version("uvicorn"),
    }


def load() -> str:
    """The load averages of the last minute, five and fifteen."""
    return " ".join(f"{average:.2f}" for average in os.getloadavg())


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1024**3:.0f} GB"


def _says(program: Path) -> str:
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()
