"""Starting the run of an admitted delivery."""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConnectConfig
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from plugins.types import Value
from workflows import search_attributes
from workflows.contracts import Delivery, RunInput

START_SECONDS = 2.0
"""How long a start may take: the sender waits meanwhile (Zendesk for 10 to 12 s)."""

_TRANSIENT = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED})
_ODD = re.compile(r"[^\w.:/#-]")


class RunsUnavailableError(Exception):
    """Temporal did not take the run now. A start that ran into its time-out may still have happened."""


class RunsRefusedError(Exception):
    """Temporal refuses this run, and will again. The message is the server's reason."""


class Order(Value):
    """A run to be started, and what its delivery was."""

    workflow: str
    """The workflow's name."""
    run: str
    """The workflow id."""
    ticket_id: str
    delivery: Delivery
    delivery_id: str = ""
    """The vendor's own id of the delivery: an unsigned header, only ever for people to look at."""


class RunStarter(Protocol):
    """Whatever takes an order durably."""

    async def start(self, order: Order) -> bool:
        """Start the run. `False`: there is one with this id, running or completed, and the delivery is a repeat.

        Raises:
            RunsUnavailableError: not now.
            RunsRefusedError: never like this.
        """
        ...

    async def check(self) -> None:
        """Raise `RunsUnavailableError` unless Temporal can be reached now."""
        ...


class TemporalRuns:
    """Starts runs on a Temporal server, which need not be up yet."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def start(self, order: Order) -> bool:
        """See `RunStarter.start`."""
        delivery = order.delivery
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._client.start_workflow(
                    order.workflow,
                    RunInput(delivery=delivery),
                    id=order.run,
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    search_attributes=search_attributes.for_run(delivery.tool, delivery.tenant_id, order.ticket_id),
                    static_summary=_summary(order),
                    memo=_memo(order),
                    priority=Priority(fairness_key=delivery.tenant_id),
                    rpc_timeout=timedelta(seconds=START_SECONDS),
                )
        except WorkflowAlreadyStartedError:
            return False
        except RPCError as error:
            if error.status in _TRANSIENT:
                raise RunsUnavailableError(error.status.name) from error
            raise RunsRefusedError(f"{error.status.name}: {error.message}") from error
        except (TimeoutError, RuntimeError) as error:  # the SDK raises a bare RuntimeError where it cannot connect
            raise RunsUnavailableError(type(error).__name__) from error
        return True

    async def check(self) -> None:
        """See `RunStarter.check`."""
        try:
            async with asyncio.timeout(START_SECONDS):
                serving = await self._client.service_client.check_health(timeout=timedelta(seconds=START_SECONDS))
        except (TimeoutError, RPCError, RuntimeError) as error:
            raise RunsUnavailableError(type(error).__name__) from error
        if not serving:
            raise RunsUnavailableError("not serving")


async def connect_lazily(config: ClientConnectConfig, keyring: Keyring) -> Client:
    """A client for the server and namespace of `config`; it connects at its first call, again if need be."""
    return await Client.connect(**config, data_converter=data_converter(keyring, allow_plaintext=False), lazy=True)


def _summary(order: Order) -> str:
    """One line for the Temporal UI, which renders Markdown: the ticket id is cut and stripped to plain characters."""
    return f"{order.delivery.tool} `{_ODD.sub('_', order.ticket_id)[:40]}`"


def _memo(order: Order) -> Mapping[str, str] | None:
    return {"delivery_id": order.delivery_id} if order.delivery_id else None
