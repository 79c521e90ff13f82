"""What only tests of the workflows need of the stack: wakes without a bound, and a worker with odd plugins."""

from collections.abc import AsyncIterator

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest

from deskhand.devstack.process import ChildProcess
from deskhand.devstack.stack import Stack
from deskhand.temporal import bound_resumed
from tests.support.desk import Desk
from tests.workflows.odd import Odd, odd_worker
from workflows.contracts import TASK_QUEUE, resumed_queue


@pytest.fixture
async def hurried(desk: Desk) -> AsyncIterator[None]:
    """Attempts of runs that were parked are handed out as fast as they come: a week of them would take a minute."""
    limit = UpdateTaskQueueConfigRequest.RateLimitUpdate(rate_limit=RateLimit(requests_per_second=1000))
    await desk.client.workflow_service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace=desk.client.namespace,
            task_queue=resumed_queue(TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            update_fairness_key_rate_limit_default=limit,
        )
    )
    yield
    await bound_resumed(desk.client, TASK_QUEUE)


@pytest.fixture(scope="session")
async def running_odd_worker(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChildProcess]:
    """The worker with odd plugins. Ask for `odd`."""
    worker = odd_worker(stack, tmp_path_factory.mktemp("site"))
    await worker.start()
    yield worker
    await worker.stop()


@pytest.fixture
def odd(desk: Desk, running_odd_worker: ChildProcess) -> Odd:
    """What tests do with the worker that has odd plugins."""
    return Odd(desk, running_odd_worker)
