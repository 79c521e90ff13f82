"""The floor's way: `bench.floor` as the worker, with a Temporal server and pretend tools as our stack has them."""

import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client, WorkflowHandle

import bench
from bench.floor import TASK_QUEUE, WORKFLOW
from bench.sides import TOOL, Call, Side
from deskhand.devstack import temporal
from deskhand.devstack.postgres import DatabaseUrls
from deskhand.devstack.process import ChildProcess, ProcessSpec
from deskhand.devstack.services import PRETEND, WORKER, Services, at, temporal_address
from deskhand.devstack.state import State
from deskhand.devstack.temporary import temporary_state
from plugins.conformance.pretend.controlling import Control

_TREE = Path(bench.__file__).resolve().parents[1]


class Floor(Side):
    """The worker of `bench.floor`."""

    def __init__(self, client: Client, vendor: Control, processes: Mapping[str, ChildProcess]) -> None:
        super().__init__(client, vendor, {name: process.pid for name, process in processes.items()})
        self._worker = processes[WORKER]

    async def start(self, call: Call) -> WorkflowHandle[Any, Any]:
        """A bare `start_workflow`."""
        return await self.client.start_workflow(
            WORKFLOW,
            {"ticket_id": call.ticket_id, "body": call.body.decode()},
            id=f"floor:{call.ticket_id}",
            task_queue=TASK_QUEUE,
            result_type=str,
        )

    async def stop_worker(self) -> None:
        """The same for the floor's."""
        await self._worker.stop()

    def posted(self, result: Any) -> bool:
        """By its one word."""
        return bool(result == "posted")


@asynccontextmanager
async def floor() -> AsyncIterator[Floor]:
    """The floor's worker, with a Temporal server and pretend tools as our stack has them."""
    with temporary_state("deskhand-bench-") as folder:
        state = State.open(folder)
        address = temporal_address(state)
        server = ChildProcess(
            temporal.temporal_spec(
                folder / "temporal",
                state.log("temporal"),
                port=state.ports.temporal,
                ui_port=state.ports.temporal_ui,
                codec_url=at(state.ports.codec),
            )
        )
        pretend = ChildProcess(_pretend_spec(state))
        async with _running(server), _running(pretend), httpx.AsyncClient(trust_env=False, timeout=30) as http:
            await temporal.prepare_namespace(address)
            vendor = Control(http, at(state.ports.tools[TOOL]))
            account = (await vendor.account()).connection
            await vendor.webhook("http://127.0.0.1:9/", secrets.token_hex(16))  # its deliveries go by another way
            worker = ChildProcess(_floor_spec(state, account))
            async with _running(worker):
                client = await Client.connect(address, namespace=temporal.NAMESPACE)
                yield Floor(client, vendor, {"temporal": server, PRETEND: pretend, WORKER: worker})


def _pretend_spec(state: State) -> ProcessSpec:
    nowhere = DatabaseUrls(superuser="", owner="", app="", operator="")
    return next(spec for spec in Services(state, nowhere).specs() if spec.name == PRETEND)


def _floor_spec(state: State, account: Mapping[str, Any]) -> ProcessSpec:
    address = temporal_address(state)
    return ProcessSpec(
        name=WORKER,
        argv=(sys.executable, "-m", "bench.floor"),
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(state.folder),
            "LANG": "C.UTF-8",
            "TEMPORAL_ADDRESS": address,
            "TEMPORAL_NAMESPACE": temporal.NAMESPACE,
            "BENCH_VENDOR": account["base_url"],
            "BENCH_USER": f"{account['email']}/token",
            "BENCH_PASSWORD": account["api_token"],
        },
        log=state.log(WORKER),
        folder=_TREE,
        ready=lambda pid: temporal.polls(address, TASK_QUEUE, pid),
    )


@asynccontextmanager
async def _running(process: ChildProcess) -> AsyncIterator[None]:
    try:
        await process.start()
        yield
    finally:
        await process.stop()
