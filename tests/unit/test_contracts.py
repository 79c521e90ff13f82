"""What crosses the workflow boundary survives it, and the worker serves exactly the activities that workflows name."""

import inspect
import typing
from datetime import UTC, datetime

import pydantic
import pytest
from temporalio import activity
from temporalio.contrib.pydantic import pydantic_data_converter

import worker
from workflows import contracts, policies
from workflows.contracts import Delivery, RunInput


def served() -> dict[str, typing.Callable[..., typing.Any]]:
    """The worker's activities by name, over no dependencies at all."""
    found = {}
    for run in worker.activities({}, None, None):  # type: ignore[arg-type]
        definition = activity._Definition.from_callable(run)
        assert definition is not None
        assert definition.name is not None
        found[definition.name] = run
    return found


def test_worker_serves_every_activity_that_workflows_name() -> None:
    assert set(served()) == {ref.name for ref in contracts.ACTIVITIES}


@pytest.mark.parametrize("ref", contracts.ACTIVITIES, ids=lambda ref: ref.name)
def test_activity_takes_and_returns_what_its_reference_says(ref: contracts.ActivityRef[typing.Any, typing.Any]) -> None:
    run = served()[ref.name]
    hints = typing.get_type_hints(run)
    (argument,) = (name for name in inspect.signature(run).parameters if name != "self")
    assert (hints[argument], hints["return"]) == (ref.takes, ref.returns)


@pytest.mark.parametrize("ref", contracts.ACTIVITIES, ids=lambda ref: ref.name)
def test_every_activity_has_a_policy(ref: contracts.ActivityRef[typing.Any, typing.Any]) -> None:
    policy = getattr(policies, ref.name.upper())
    assert policy.attempt.total_seconds() > 0
    assert policy.summary


def test_webhook_to_note_fits_its_promise_when_every_call_succeeds_at_once() -> None:
    steps = ("VALIDATE_WEBHOOK", "EXTRACT_METADATA", "GET_TICKET", "GATHER_CONTEXT", "WRITE_NOTE", "UPDATE_TICKET")
    total = sum(getattr(policies, step).attempt.total_seconds() for step in steps)
    assert total < 60


@pytest.mark.parametrize("raw", [b'{"a": 1}', b"", b"\xff\x00\xfe", b"+/+/", "é{\r\n}".encode()])
async def test_raw_bytes_cross_unchanged(raw: bytes) -> None:
    given = RunInput(
        delivery=Delivery(tool="jira", tenant_id="t", raw=raw, signature="s", received_at=datetime.now(UTC))
    )
    (payload,) = await pydantic_data_converter.encode([given])
    assert (await pydantic_data_converter.decode([payload], [RunInput]))[0] == given


def test_contract_errors_never_quote_the_input() -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        Delivery.model_validate({"tool": "jira", "tenant_id": {"secret": "hunter2"}})
    assert "hunter2" not in str(caught.value)
