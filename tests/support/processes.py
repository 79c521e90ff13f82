"""More processes of a stack, or the same ones in another place: a second starter, a worker behind taps."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

import httpx

from deskhand.devstack.process import ProcessSpec
from deskhand.devstack.services import STARTER, WORKER, at
from deskhand.devstack.stack import Stack
from deskhand.devstack.state import free_ports
from deskhand.devstack.temporal import polls
from tests.support.tap import TemporalTap, WordTap


def named(stack: Stack, like: str, name: str, environment: Mapping[str, str]) -> ProcessSpec:
    """A process like one of the stack's, under another name and with these settings changed."""
    spec = stack.spec(like)
    return replace(spec, name=name, env={**spec.env, **environment}, log=stack.state.log(name))


@asynccontextmanager
async def running(stack: Stack, spec: ProcessSpec) -> AsyncIterator[None]:
    """The process runs inside, and can be killed and started by its name."""
    await stack.add(spec)
    try:
        yield
    finally:
        await stack.remove(spec.name)


@asynccontextmanager
async def second_starter(stack: Stack, name: str = "starter-2") -> AsyncIterator[str]:
    """One more starter; its address."""
    (port,) = free_ports(1)
    address = at(port)

    async def ready(_pid: int) -> bool:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            try:
                return (await client.get(f"{address}/readyz")).status_code == 200
            except httpx.HTTPError:
                return False

    spec = replace(named(stack, STARTER, name, {"DESKHAND_STARTER_PORT": str(port)}), ready=ready)
    async with running(stack, spec):
        yield address


@asynccontextmanager
async def second_worker(stack: Stack, name: str = "worker-2") -> AsyncIterator[str]:
    """One more worker; its name."""
    async with running(stack, named(stack, WORKER, name, {})):
        yield name


@dataclass(frozen=True, slots=True)
class TappedWorker:
    """A worker with a task queue of its own, whose lines go through taps; those to its vendors are not listed here."""

    name: str
    """Of the process, and of the task queue."""
    temporal: TemporalTap
    database: WordTap


@asynccontextmanager
async def tapped_worker(stack: Stack, name: str, vendors: Iterable[WordTap]) -> AsyncIterator[TappedWorker]:
    """One more worker, which can be killed and started by its name.

    It takes no further run while some twenty of its workflow tasks are kept back.

    Args:
        vendors: taps on the lines to the tools. It reaches no other tool.
    """
    ports = stack.state.ports
    database_url = urlsplit(stack.spec(WORKER).env["DESKHAND_DATABASE_URL"])
    assert database_url.port is not None
    login = database_url.netloc.rpartition("@")[0]
    async with TemporalTap(ports.temporal) as temporal, WordTap(database_url.port) as database:
        environment = {
            "TEMPORAL_ADDRESS": temporal.address,
            "DESKHAND_DATABASE_URL": urlunsplit(database_url._replace(netloc=f"{login}@{database.address}")),
            "DESKHAND_DEV_VENDORS": ",".join(vendor.address for vendor in vendors),
            "DESKHAND_TASK_QUEUE": name,
        }
        spec = replace(
            named(stack, WORKER, name, environment), ready=lambda pid: polls(stack.addresses.temporal, name, pid)
        )
        async with running(stack, spec):
            yield TappedWorker(name, temporal, database)
