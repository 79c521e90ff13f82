"""Traces change nothing in a run: what was recorded without them replays with them."""

from collections.abc import AsyncIterator

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import WorkflowHistory
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.worker import Replayer

from tests.replay.replaying import WORKFLOWS
from tests.replay.stored import CONVERTER, Told, stored


async def test_stored_histories_replay_with_traces_on() -> None:
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    told = [Told.read(path) for path in stored().values()]

    async def histories() -> AsyncIterator[WorkflowHistory]:
        for history in told:
            yield history.history()

    replayer = Replayer(
        workflows=[*WORKFLOWS.values()],
        data_converter=CONVERTER,
        interceptors=[TracingInterceptor(provider.get_tracer("test"), always_create_workflow_spans=True)],
    )
    async with replayer.workflow_replay_iterator(histories()) as results:
        failures = [result.replay_failure async for result in results]
    assert len(failures) == len(told) > 50
    assert not any(failures)
    # What is replayed is not told twice. Where the history ends, a run goes on, and only then are there spans.
    assert "RunWorkflow" not in str([span.name for span in memory.get_finished_spans()])
    provider.shutdown()
