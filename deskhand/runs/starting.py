"""Starting runs on a Temporal server."""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.envconfig import ClientConnectConfig
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keys
from deskhand.runs.order import Order, RunsRefusedError, RunsUnavailableError, Taken
from workflows import search_attributes
from workflows.contracts import RunInput
from workflows.policies import priority_key

START_SECONDS = 2.0
"""How long a start may take: the sender waits meanwhile (Zendesk for 10 to 12 s)."""

_TRANSIENT = frozenset({RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.RESOURCE_EXHAUSTED})
_ODD = re.compile(r"[^\w.:/#-]")


class TemporalRuns:
    """Starts runs on a Temporal server, which need not be up yet."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    async def start(
        self, order: Order, *, reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
    ) -> Taken:
        """See `RunStarter.start`. `reuse` says which closed runs with this id do not count."""
        delivery = order.delivery
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._client.start_workflow(
                    order.workflow,
                    RunInput(delivery=delivery, may_have_landed=order.may_have_landed),
                    id=order.run,
                    task_queue=self._task_queue,
                    id_reuse_policy=reuse,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    search_attributes=search_attributes.for_run(delivery.tool, delivery.tenant_id, order.ticket_id),
                    static_summary=_summary(order),
                    memo=_memo(order),
                    priority=Priority(priority_key=priority_key(order.priority), fairness_key=delivery.tenant_id),
                    rpc_timeout=timedelta(seconds=START_SECONDS),
                )
        except WorkflowAlreadyStartedError:
            return Taken.REPEATED
        except RPCError as error:
            if error.status in _TRANSIENT:
                raise RunsUnavailableError(error.status.name) from error
            raise RunsRefusedError(f"{error.status.name}: {error.message}") from error
        except (TimeoutError, RuntimeError) as error:  # the SDK raises a bare RuntimeError where it cannot connect
            raise RunsUnavailableError(type(error).__name__) from error
        return Taken.STARTED

    async def check(self) -> None:
        """See `RunStarter.check`."""
        try:
            async with asyncio.timeout(START_SECONDS):
                serving = await self._client.service_client.check_health(timeout=timedelta(seconds=START_SECONDS))
        except (TimeoutError, RPCError, RuntimeError) as error:
            raise RunsUnavailableError(type(error).__name__) from error
        if not serving:
            raise RunsUnavailableError("not serving")


async def connect_lazily(config: ClientConnectConfig, keys: Keys) -> Client:
    """A client for the server and namespace of `config`; it connects at its first call, again if need be."""
    return await Client.connect(**config, data_converter=data_converter(keys, allow_plaintext=False), lazy=True)


def _summary(order: Order) -> str:
    """One line for the Temporal UI, which renders Markdown: the ticket id is cut and stripped to plain characters."""
    return f"{order.delivery.tool} `{_ODD.sub('_', order.ticket_id)[:40]}`"


def _memo(order: Order) -> Mapping[str, str] | None:
    return {"delivery_id": order.delivery_id} if order.delivery_id else None
