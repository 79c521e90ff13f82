"""A worker process for test_codec_process.py: its workflow runs an activity that fails with the ticket's text.

Arguments: the server's address and the task queue; the keyring is in `DESKHAND_PAYLOAD_KEYS`.
"""

import asyncio
import os
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from workflows.contracts import Delivery, RunInput


@activity.defn
async def fail_with_text(delivery: Delivery) -> None:
    """Fail as a careless activity would."""
    raise ApplicationError(f"failed over {delivery.raw.decode()}", {"text": delivery.raw.decode()}, type="Careless")


@workflow.defn(name="EnhanceTicket")
class FailingRun:
    """Fails with its activity."""

    @workflow.run
    async def run(self, given: RunInput) -> None:
        """Run the activity once."""
        await workflow.execute_activity(
            fail_with_text,
            given.delivery,
            start_to_close_timeout=timedelta(seconds=5),
            retry_policy=RetryPolicy(maximum_attempts=1),
            summary="printer summary",
        )


async def main() -> None:
    """Work until the process is ended."""
    address, task_queue = sys.argv[1:]
    keyring = Keyring.parse(os.environ["DESKHAND_PAYLOAD_KEYS"])
    client = await Client.connect(address, data_converter=data_converter(keyring, allow_plaintext=False))
    await Worker(
        client,
        task_queue=task_queue,
        workflows=[FailingRun],
        activities=[fail_with_text],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ).run()


if __name__ == "__main__":
    asyncio.run(main())
