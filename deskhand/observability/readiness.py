"""A worker's health over HTTP: whether it lives, and whether Temporal still sees it ask for work."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

ASKED_WITHIN = timedelta(seconds=90)
"""How long ago a worker may have asked last: a poll takes a minute, and the server remembers pollers for five."""

ANSWER_WITHIN = timedelta(seconds=5)

Queue = tuple[str, "TaskQueueType.ValueType"]


class Readiness:
    """Whether a worker polls its queues: it alone, by its client's identity, and not another of its kind."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._queues: Sequence[Queue] = ()
        self._draining = False

    def works(self, client: Client, queues: Sequence[Queue]) -> None:
        """From now on the worker should poll these queues."""
        self._client, self._queues = client, queues

    def drains(self) -> None:
        """From now on it takes no more work."""
        self._draining = True

    async def missing(self) -> list[str]:
        """What is not as it should be, one line each; empty: ready."""
        if self._draining:
            return ["the worker was told to stop"]
        if self._client is None:
            return ["Temporal has not been reached yet"]
        client = self._client
        found = await asyncio.gather(*(self._missing(client, name, kind) for name, kind in self._queues))
        return [line for line in found if line]

    async def _missing(self, client: Client, name: str, kind: "TaskQueueType.ValueType") -> str:
        what = f"{name} ({TaskQueueType.Name(kind).rpartition('_')[2].lower()} tasks)"
        try:
            answer = await client.workflow_service.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=client.namespace, task_queue=TaskQueue(name=name), task_queue_type=kind
                ),
                timeout=ANSWER_WITHIN,
            )
        except (RPCError, RuntimeError):
            return f"{what}: Temporal does not answer"
        since = datetime.now(UTC) - ASKED_WITHIN
        for poller in answer.pollers:
            if poller.identity == client.identity and poller.last_access_time.ToDatetime(UTC) >= since:
                return ""
        return f"{what}: this worker does not poll it"


class _Server(uvicorn.Server):
    """Leaves signals to the process that it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, for `served`.

    Raises:
        OSError: nobody can listen there.
    """
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


@contextlib.asynccontextmanager
async def served(readiness: Readiness, listener: socket.socket) -> AsyncIterator[None]:
    """Serve `GET /healthz` and `GET /readyz` inside: 200, or 503 with what is missing."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        missing = await readiness.missing()
        return JSONResponse({"ready": not missing, "missing": missing}, 503 if missing else 200)

    app = Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])
    server = _Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, server_header=False))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
