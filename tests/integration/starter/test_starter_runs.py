"""What the starter leaves in Temporal: one run for one ticket and kind, and nothing readable; what it does without."""

import asyncio
import socket

import httpx
import pytest
from temporalio.api.command.v1 import Command, CompleteWorkflowExecutionCommandAttributes
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskCompletedRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment

from deskhand.crypto.codec import data_converter
from deskhand.crypto.keyring import Keyring
from deskhand.devstack.state import free_ports
from deskhand.runs.starting import TemporalRuns
from deskhand.settings import Settings
from starter.app import create_app
from tests.support.signed_tool import TOOL, Bench, SignedTool
from workflows.contracts import RunInput


async def test_identical_deliveries_at_once_are_one_run(bench: Bench) -> None:
    body = {"tenant_id": bench.tenant_id, "ticket_id": "T-1"}
    answers = await asyncio.gather(
        *[bench.send(body, headers={"X-Atlassian-Webhook-Identifier": f"delivery-{n}"}) for n in range(20)],
        bench.send(body, path="/webhooks/signed"),
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 20 + [202]
    assert len({(answer.json()["run"], answer.json()["ref"]) for answer in answers}) == 1
    assert all(answer.json()["repeated"] for answer in answers if answer.status_code == 200)
    await bench.send({"ticket_id": "T-2"})
    assert len(await bench.runs(at_least=2)) == 2


async def _complete_one_run(client: Client, task_queue: str) -> None:
    """Stand in for a worker: without one, no run ends well."""
    task = await client.workflow_service.poll_workflow_task_queue(
        PollWorkflowTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=task_queue))
    )
    await client.workflow_service.respond_workflow_task_completed(
        RespondWorkflowTaskCompletedRequest(
            namespace=client.namespace,
            task_token=task.task_token,
            commands=[
                Command(
                    command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
                    complete_workflow_execution_command_attributes=CompleteWorkflowExecutionCommandAttributes(),
                )
            ],
        )
    )


async def test_a_repeat_after_the_run_completed_is_still_a_repeat(bench: Bench) -> None:
    first = await bench.send({"ticket_id": "T-1"})
    await _complete_one_run(bench.temporal, bench.tenant_id)
    again = await bench.send({"ticket_id": "T-1"})
    assert (again.status_code, again.json()["run"]) == (200, first.json()["run"])
    run = await bench.temporal.get_workflow_handle(first.json()["run"]).describe()
    assert run.status is WorkflowExecutionStatus.COMPLETED


async def test_a_repeat_after_the_run_failed_starts_it_anew(bench: Bench) -> None:
    first = await bench.send({"ticket_id": "T-1"})
    await bench.temporal.get_workflow_handle(first.json()["run"]).terminate()
    assert (await bench.send({"ticket_id": "T-1"})).status_code == 202


async def test_history_holds_the_delivery_exactly_and_nothing_readable(bench: Bench) -> None:
    raw = '{"ticket_id": "T-ünïq",\n "description":"printer on fire \\u00e9 \U0001f525 ÿþ"}'.encode()
    answer = await bench.send(raw, headers={"X-Zendesk-Webhook-Invocation-Id": "invocation-77"})
    assert answer.status_code == 202
    run = answer.json()["run"]
    history = await bench.temporal.workflow_service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(
            namespace=bench.temporal.namespace,
            execution=(
                await bench.temporal.get_workflow_handle(run).describe()
            ).raw_description.workflow_execution_info.execution,
        )
    )
    stored = history.SerializeToString()
    for readable in (b"printer", b"cHJpbnRlc", b"invocation-77", b"sha256=", b"description"):
        assert readable not in stored
    given = history.history.events[0].workflow_execution_started_event_attributes.input.payloads
    (opened,) = await bench.temporal.data_converter.decode(given, [RunInput])
    assert opened.delivery.raw == raw
    assert opened.delivery.tool == TOOL
    assert opened.delivery.tenant_id == bench.tenant_id
    assert opened.delivery.signature.startswith("sha256=")
    described = await bench.temporal.get_workflow_handle(run).describe()
    assert await described.memo() == {"delivery_id": "invocation-77"}
    assert await described.static_summary() == "signed `T-ünïq`"


@pytest.mark.parametrize("ticket_id", ["\U0001f525" * 100, "a`b](javascript:alert(1))<img># x", "T 1/2:created%3A"])
async def test_odd_ticket_ids_are_taken(bench: Bench, ticket_id: str) -> None:
    first = await bench.send({"ticket_id": ticket_id})
    again = await bench.send({"ticket_id": ticket_id})
    assert [first.status_code, again.status_code] == [202, 200]
    summary = await (await bench.temporal.get_workflow_handle(first.json()["run"]).describe()).static_summary()
    assert summary is not None
    assert not set(summary.removeprefix("signed `").removesuffix("`")) & set("`<>[]()\n")


def _over(bench: Bench, client: Client) -> httpx.AsyncClient:
    """The same tenants and plugin over another Temporal client."""
    app = create_app(
        {TOOL: SignedTool(bench.tenants, bench.http)}, bench.tenants, TemporalRuns(client, "none"), Settings()
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://starter")


def _assert_try_later(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_starter_that_is_up_before_temporal_recovers_when_it_comes(
    bench: Bench, payload_keys: Keyring, temporal_binary: str
) -> None:
    (port,) = free_ports(1)
    converter = data_converter(payload_keys, allow_plaintext=False)
    client = await Client.connect(f"127.0.0.1:{port}", lazy=True, data_converter=converter)
    async with _over(bench, client) as http:
        here = Bench(http, client, bench.tenants, bench.tenant_id, bench.secret)
        _assert_try_later(await here.send({"ticket_id": "T-1"}))
        not_ready = await http.get("/readyz")
        assert (not_ready.status_code, not_ready.json()["temporal"]) == (503, "does not answer")
        async with await WorkflowEnvironment.start_local(
            port=port, dev_server_existing_path=temporal_binary, dev_server_extra_args=SEARCH_ATTRIBUTES
        ):
            assert (await here.send({"ticket_id": "T-1"})).status_code == 202
            assert (await http.get("/readyz")).status_code == 200
        _assert_try_later(await here.send({"ticket_id": "T-2"}))


SEARCH_ATTRIBUTES = [
    part
    for name in ("Tool", "Tenant", "Ticket", "Outcome")
    for part in ("--search-attribute", f"Deskhand{name}=Keyword")
]


async def test_a_temporal_that_does_not_answer_is_503(bench: Bench, payload_keys: Keyring) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        converter = data_converter(payload_keys, allow_plaintext=False)
        client = await Client.connect(address, lazy=True, data_converter=converter)
        async with _over(bench, client) as http:
            here = Bench(http, client, bench.tenants, bench.tenant_id, bench.secret)
            _assert_try_later(await here.send({"ticket_id": "T-1"}))


async def test_a_run_that_temporal_refuses_is_503_as_nothing_took_it(bench: Bench) -> None:
    client = Client(
        bench.temporal.service_client,
        namespace="no-such-namespace",
        data_converter=bench.temporal.data_converter,
    )
    async with _over(bench, client) as http:
        here = Bench(http, client, bench.tenants, bench.tenant_id, bench.secret)
        _assert_try_later(await here.send({"ticket_id": "T-1"}))


async def test_another_start_of_the_same_id_is_refused_by_temporal_itself(bench: Bench) -> None:
    """The repeat is found by the server, not remembered here: another starter's run counts as well."""
    run = f"signed:{bench.tenant_id}:T-1:created"
    await bench.temporal.start_workflow(
        "EnhanceTicket", id=run, task_queue="none", id_conflict_policy=WorkflowIDConflictPolicy.FAIL
    )
    assert (await bench.send({"ticket_id": "T-1"})).status_code == 200
