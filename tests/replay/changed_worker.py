"""A worker process whose `EnhanceTicket` has another sequence of commands: `ADDRESS NAMESPACE TASK_QUEUE`.

It runs workflow tasks only, under the payload keys of its environment. What it replays are local activities, too, so
that it has them, and never runs them.
"""

import asyncio
import sys

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import keyring_of
from deskhand.settings import load_settings
from tests.replay.changes import AddedTimer
from workflows.contracts import EXTRACT_METADATA, VALIDATE_WEBHOOK, Delivery, ExtractInput


@activity.defn(name=VALIDATE_WEBHOOK.name)
async def validate_webhook(_: Delivery) -> None:
    """Not run."""
    raise NotImplementedError


@activity.defn(name=EXTRACT_METADATA.name)
async def extract_metadata(_: ExtractInput) -> None:
    """Not run."""
    raise NotImplementedError


async def main() -> None:
    """Work until the process is ended."""
    address, namespace, task_queue = sys.argv[1:]
    keys = keyring_of(load_settings(), "payload_keys")
    client = await Client.connect(
        address, namespace=namespace, data_converter=data_converter(keys, allow_plaintext=False)
    )
    await Worker(
        client,
        task_queue=task_queue,
        workflows=[AddedTimer],
        activities=[validate_webhook, extract_metadata],
        no_remote_activities=True,
    ).run()


if __name__ == "__main__":
    asyncio.run(main())
