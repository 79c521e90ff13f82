"""The whole development stack, started in order and stopped in reverse, whatever happens in between."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from deskhand.db.migrate import migrate
from deskhand.devstack import lock
from deskhand.devstack.errors import DevStackError
from deskhand.devstack.postgres import DatabaseUrls, PostgresCluster
from deskhand.devstack.process import ChildProcess, ProcessSpec
from deskhand.devstack.services import Services, at, temporal_address
from deskhand.devstack.state import FOLDER_VARIABLE, State, busy_ports
from deskhand.devstack.temporal import DYNAMIC_CONFIG, NAMESPACE, prepare_namespace, temporal_spec
from deskhand.devstack.waiting import until

POSTGRES, TEMPORAL = "postgres", "temporal"

ResultT = TypeVar("ResultT")

_OWN_DATABASE = ("DESKHAND_DATABASE_OWNER_URL", "DESKHAND_DATABASE_URL", "DESKHAND_DATABASE_OPERATOR_URL")


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the parts of a running stack are."""

    starter: str
    temporal: str
    """`host:port` of the Temporal server."""
    temporal_ui: str
    codec: str
    tools: Mapping[str, str]
    """The pretend tools, by tool type."""

    def run(self, workflow_id: str, run_id: str) -> str:
        """The page of a run in the Temporal UI."""
        return f"{self.temporal_ui}/namespaces/{NAMESPACE}/workflows/{quote(workflow_id, safe='')}/{run_id}/history"


class Stack:
    """`async with Stack(State.open()) as stack`: everything runs and is ready inside, nothing is left afterwards.

    Enter it in the main thread: on Linux the kernel ties the processes to the thread that started them. `database` is
    there once it is entered.
    """

    database: DatabaseUrls

    def __init__(
        self,
        state: State,
        *,
        progress: Callable[[str], None] = lambda _: None,
        temporal_config: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`progress` is told what is being started; `temporal_config` adds to Temporal's dynamic configuration."""
        ports = state.ports
        self.state = state
        self.addresses = Addresses(
            starter=at(ports.starter),
            temporal=temporal_address(state),
            temporal_ui=at(ports.temporal_ui),
            codec=at(ports.codec),
            tools={tool: at(port) for tool, port in ports.tools.items()},
        )
        self._progress = progress
        self._temporal_config = temporal_config
        self._processes: dict[str, ChildProcess] = {}
        self._stopped: set[str] = set()
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start_all()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._exit.aclose()

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of all that runs, by name."""
        return {name: process.pid for name, process in self._processes.items() if process.running}

    def command_environment(self) -> dict[str, str]:
        """The environment in which `deskhand` commands work on this stack. It holds secrets."""
        return Services(self.state, self.database).command_line()

    def kill(self, name: str) -> None:
        """End one process at once, as `kill -9` would. `watch` does not mind."""
        self._stopped.add(name)
        self._process(name).kill()

    async def stop(self, name: str) -> None:
        """Stop one process as at the end. `watch` does not mind."""
        self._stopped.add(name)
        await self._process(name).stop()

    async def start(self, name: str) -> None:
        """Start a process that was killed or stopped, and wait until it is ready."""
        await self._process(name).start()
        self._stopped.discard(name)

    def spec(self, name: str) -> ProcessSpec:
        """What a process is started from. It holds secrets."""
        return self._process(name).spec

    async def add(self, spec: ProcessSpec) -> None:
        """Start one more process, under a name of its own, until the end of the stack or until it is removed.

        Raises:
            DevStackError: the name is taken, or the process did not become ready.
        """
        if spec.name in self._processes:
            raise DevStackError(f"there is a {spec.name} in this stack already")
        await self._start_process(ChildProcess(spec))

    async def remove(self, name: str) -> None:
        """Stop a process that was added, and forget it."""
        await self._process(name).stop()
        del self._processes[name]
        self._stopped.discard(name)

    async def watch(self) -> None:
        """Run until a process ends that nobody stopped.

        Raises:
            DevStackError: that happened; the message names the process and shows its last log lines.
        """
        while True:
            self._check()
            await asyncio.sleep(0.2)

    async def during(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Do something for which every process has to keep running.

        Raises:
            DevStackError: a process ended that nobody stopped, as in `watch`; the work was cancelled.
        """
        working, watching = asyncio.ensure_future(work), asyncio.ensure_future(self.watch())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if watching.done() or working.exception() is not None:
                self._check()  # what the work ran into is only what became of that
            return working.result()
        finally:
            for task in (working, watching):
                task.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    def _check(self) -> None:
        for name, process in self._processes.items():
            if name not in self._stopped:
                process.check()

    async def _start_all(self) -> None:
        way_out = f"stop it first, or run this one on a state of its own, with {FOLDER_VARIABLE}=<another folder>"
        self._exit.enter_context(lock.held(self.state.folder, way_out))
        await self._require_ports()
        self.database = _given_database() or await self._start_postgres()
        self._progress("migrations")
        await migrate(self.database.owner, self.database.app, self.database.operator)
        await self._start_process(
            ChildProcess(
                temporal_spec(
                    self.state.folder / "temporal",
                    self.state.log(TEMPORAL),
                    port=self.state.ports.temporal,
                    ui_port=self.state.ports.temporal_ui,
                    codec_url=self.addresses.codec,
                    dynamic_config={**DYNAMIC_CONFIG, **self._temporal_config},
                )
            )
        )
        await prepare_namespace(self.addresses.temporal)
        for spec in Services(self.state, self.database).specs():
            await self._start_process(ChildProcess(spec))

    async def _start_postgres(self) -> DatabaseUrls:
        self._progress(POSTGRES)
        cluster = PostgresCluster(self.state.folder / "postgres", self.state.ports.postgres)
        self._exit.push_async_callback(cluster.stop)
        urls = await cluster.start()
        if cluster.process is not None:
            self._processes[POSTGRES] = cluster.process
        return urls

    async def _start_process(self, process: ChildProcess) -> None:
        self._progress(process.spec.name)
        self._exit.push_async_callback(process.stop)
        await process.start()
        self._processes[process.spec.name] = process

    async def _require_ports(self) -> None:
        # What a killed stack left is going away by itself.
        if not await until(lambda: not busy_ports(self.state.ports), seconds=5):
            busy = ", ".join(f"{port} ({name})" for name, port in busy_ports(self.state.ports).items())
            raise DevStackError(
                f"another program listens on ports that {self.state.folder} keeps: {busy}. End it, or delete "
                f"{self.state.folder / 'ports.json'} to have others chosen"
            )

    def _process(self, name: str) -> ChildProcess:
        try:
            return self._processes[name]
        except KeyError:
            raise DevStackError(f"there is no {name} in this stack, only {', '.join(self._processes)}") from None


def _given_database() -> DatabaseUrls | None:
    """The database that the environment names, if it does; it is preferred to one of our own."""
    given = {name: os.environ.get(name, "") for name in _OWN_DATABASE}
    if not any(given.values()):
        return None
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise DevStackError(
            f"the environment names a database of your own: set {', '.join(missing)} as well, or unset "
            f"{', '.join(sorted(set(given) - set(missing)))} to have one started"
        )
    owner, app, operator = given.values()
    return DatabaseUrls(superuser="", owner=owner, app=app, operator=operator)
