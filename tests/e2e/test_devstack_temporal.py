"""The Temporal server: its namespace, also one that an earlier version made."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from deskhand.devstack.process import ChildProcess, ProcessSpec
from deskhand.devstack.state import State
from deskhand.devstack.temporal import NAMESPACE, prepare_namespace, temporal_spec
from workflows import search_attributes


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path / "state")


def _spec(state: State) -> ProcessSpec:
    return temporal_spec(
        state.folder / "temporal",
        state.log("temporal"),
        port=state.ports.temporal,
        ui_port=state.ports.temporal_ui,
        codec_url="http://127.0.0.1:1",
    )


@pytest.fixture
async def older_namespace(state: State, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A server whose namespace was made when there was one search attribute."""
    monkeypatch.setattr(search_attributes, "ALL", search_attributes.ALL[:1])
    process = ChildProcess(_spec(state))
    await process.start()
    await process.stop()
    monkeypatch.undo()
    process = ChildProcess(_spec(state))
    await process.start()
    yield
    await process.stop()


async def test_a_namespace_is_brought_up_to_date(state: State, older_namespace: None) -> None:
    address = f"127.0.0.1:{state.ports.temporal}"
    client = await Client.connect(address, namespace=NAMESPACE)

    async def known() -> set[str]:
        answer = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=NAMESPACE))
        return {name for name in answer.custom_attributes if name.startswith("Deskhand")}

    assert await known() == {search_attributes.ALL[0].name}
    await prepare_namespace(address)
    assert await known() == {key.name for key in search_attributes.ALL}
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=NAMESPACE))
    assert described.config.workflow_execution_retention_ttl.ToTimedelta() == timedelta(days=30)
