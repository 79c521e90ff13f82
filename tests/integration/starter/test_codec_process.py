"""Sealed payloads through a real server, a worker process, the codec process and Temporal's own command line."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter

from deskhand.crypto.keyring import Keyring
from tests.support.codec_process import CodecProcess, codec_process
from tests.support.signed_tool import Bench
from workflows.contracts import Delivery, RunInput

ROOT = Path(__file__).parents[3]
TEXT = "printer on fire"


def _environment(keys: str, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DESKHAND_PAYLOAD_KEYS": keys, **more}


@pytest.fixture
async def worker(bench: Bench, payload_keys_text: str) -> AsyncIterator[None]:
    """A worker on the bench's task queue, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("sealed_worker.py")),
        bench.temporal.service_client.config.target_host,
        bench.tenant_id,
        env=_environment(payload_keys_text),
        stderr=asyncio.subprocess.DEVNULL,
    )
    yield
    process.terminate()
    await process.wait()


async def test_failures_come_back_readable_and_are_stored_sealed(bench: Bench, worker: None) -> None:
    answer = await bench.send({"ticket_id": "T-1", "description": TEXT})
    run = bench.temporal.get_workflow_handle(answer.json()["run"])
    with pytest.raises(WorkflowFailureError) as caught:
        await run.result()
    activity_error = caught.value.cause
    assert TEXT in str(activity_error.__cause__)
    history = await run.fetch_history()
    stored = b"".join(event.SerializeToString() for event in history.events)
    assert b"Careless" in stored
    assert b"printer" not in stored
    assert b"failed over" not in stored


async def test_a_worker_takes_no_input_that_is_not_sealed(bench: Bench, worker: None) -> None:
    stranger = Client(bench.temporal.service_client, data_converter=pydantic_data_converter)
    delivery = Delivery(tool="signed", tenant_id="acme", raw=TEXT.encode(), received_at=datetime.now(UTC))
    run = await stranger.start_workflow(
        "EnhanceTicket",
        RunInput(delivery=delivery),
        id=f"{bench.tenant_id}:plain",
        task_queue=bench.tenant_id,
    )
    async for event in run.fetch_history_events(wait_new_event=True):
        assert event.event_type != EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
            assert "printer" not in str(event.workflow_task_failed_event_attributes)
            break
    assert (await run.describe()).status is WorkflowExecutionStatus.RUNNING
    await run.terminate()


@pytest.fixture
async def codec(payload_keys_text: str) -> AsyncIterator[CodecProcess]:
    """As in production, for command lines only."""
    async with codec_process(payload_keys_text, DESKHAND_CODEC_TOKEN="s3cret") as codec:
        yield codec


async def test_the_temporal_command_line_reads_through_the_codec(
    bench: Bench, codec: CodecProcess, temporal_binary: str
) -> None:
    answer = await bench.send({"ticket_id": "T-1"})

    async def show(*options: str) -> str:
        process = await asyncio.create_subprocess_exec(
            temporal_binary,
            *("workflow", "show", "--output=json", "--workflow-id", answer.json()["run"]),
            *("--address", bench.temporal.service_client.config.target_host),
            *options,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return output.decode()

    def given(shown: str) -> bytes:
        started = json.loads(shown)["events"][0]["workflowExecutionStartedEventAttributes"]
        return base64.b64decode(started["input"]["payloads"][0]["data"])

    assert b"delivery" not in given(await show())
    opened = given(await show("--codec-endpoint", codec.url, "--codec-auth", "Bearer s3cret"))
    assert RunInput.model_validate_json(opened).delivery.raw == b'{"ticket_id": "T-1"}'
    assert (await codec.logged("codec.decoded", caller="token"))["namespace"] == "default"
    # It tries again and again, and shows nothing: the codec's log has the reason.
    shown = await show("--codec-endpoint", codec.url, "--codec-auth", "Bearer other", "--command-timeout", "2s")
    assert "delivery" not in shown
    assert (await codec.logged("codec.refused", status=401))["why"] == "static token"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "neither DESKHAND_CODEC_ISSUER nor DESKHAND_CODEC_TOKEN is set"),
        ({"DESKHAND_CODEC_TOKEN": "s3cret", "DESKHAND_PAYLOAD_KEYS": ""}, "DESKHAND_PAYLOAD_KEYS is not set"),
        ({"DESKHAND_CODEC_TOKEN": "s3cret", "DESKHAND_PAYLOAD_KEYS": "k1:c2hvcnQ"}, "DESKHAND_PAYLOAD_KEYS: keyring"),
    ],
)
async def test_the_codec_refuses_to_start_in_one_line(settings: dict[str, str], says: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "deskhand.cli", "codec"),
        env={**_environment(Keyring.generate_text()), **settings},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert line.startswith("deskhand: ")
    assert says in line
    assert "c2hvcnQ" not in line
