"""Telemetry: off by default, refused where it would tell secrets, and reduced to ids and types before it leaves."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime

from deskhand.observability import telemetry
from deskhand.observability.telemetry import ENDPOINTS, HEADERS, start_telemetry, traced
from deskhand.observability.traces import ReducedSpans
from deskhand.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[2]
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENDPOINTS, *HEADERS):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def client() -> Client:
    """A client that has not connected."""
    return await Client.connect("127.0.0.1:1", lazy=True)


@pytest.fixture
def _kept_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime of other tests stays the default one."""
    monkeypatch.setattr(Runtime, "set_default", lambda *_, **__: None)


async def test_traces_are_off_by_default(client: Client) -> None:
    assert traced(client, "deskhand-test") is client


def test_without_traces_opentelemetry_is_not_even_imported() -> None:
    code = "import sys, worker, starter.__main__; print([name for name in sys.modules if 'opentelemetry' in name])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_an_endpoint_switches_traces_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=abc, x-team=desk%20hand")
    with_spans = traced(client, "deskhand-test")
    assert with_spans is not client
    assert with_spans.namespace == client.namespace
    assert len(with_spans.config()["interceptors"]) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", f"collector:4318/{SECRET}", "must be an address such as"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://user:{SECRET}@collector:4318", "must not hold credentials"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://[{SECRET}", "must be an address such as"),
        ("OTEL_EXPORTER_OTLP_HEADERS", f"Bearer {SECRET}", "must read name=value"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", f"api-key=abc,{SECRET}", "must read name=value"),
    ],
)
async def test_an_unusable_setting_is_named_and_not_quoted(
    client: Client, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"^{name}: {said}") as caught:
        traced(client, "deskhand-test")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("address", ["localhost:9000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", ":9000", "::1"])
def test_a_metrics_address_that_cannot_be_listened_on_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DESKHAND_METRICS_ADDRESS", address)
    with pytest.raises(SettingsError, match=r"DESKHAND_METRICS_ADDRESS: .*must read host:port"):
        load_settings()


@pytest.mark.usefixtures("_kept_runtime")
def test_a_metrics_address_that_is_taken_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SettingsError, match="DESKHAND_METRICS_ADDRESS: cannot listen there: it is in use"):
            start_telemetry(Settings(metrics_address=address))


@pytest.fixture
def exported() -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    """Spans go through the reduction into memory."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ReducedSpans(memory)))
    yield provider, memory
    provider.shutdown()


def failed_span(exported: tuple[TracerProvider, InMemorySpanExporter], error: Exception) -> ReadableSpan:
    """A span as the SDK's interceptor makes one of an activity that fails."""
    provider, memory = exported
    ids = {"temporalWorkflowID": "jira:acme:HELP-1:created", "subject": SECRET}
    with provider.get_tracer("test").start_as_current_span("RunActivity:get_ticket", attributes=ids) as span:
        span.add_event("said", {"words": SECRET})
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    (told,) = memory.get_finished_spans()
    return told


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError(SECRET), "KeyError"),
        (ApplicationError(SECRET, type="PermanentAPIError"), "PermanentAPIError"),
        (ApplicationError(SECRET, type="SecretOfAPlugin"), "ApplicationError"),
        (ApplicationError(SECRET), "ApplicationError"),
    ],
)
def test_of_a_failure_the_type_is_told_and_of_a_span_its_ids(
    exported: tuple[TracerProvider, InMemorySpanExporter], error: Exception, kind: str
) -> None:
    span = failed_span(exported, error)
    assert SECRET not in span.to_json()
    assert (span.name, dict(span.attributes or {})) == (
        "RunActivity:get_ticket",
        {"temporalWorkflowID": "jira:acme:HELP-1:created"},
    )
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, kind)
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        ("exception", {"exception.type": kind})
    ]


def test_a_settings_error_is_all_that_bad_telemetry_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "Runtime", _Unwilling)
    with pytest.raises(SettingsError, match="is the host an address of this machine"):
        start_telemetry(Settings(metrics_address="127.0.0.1:9"))


class _Unwilling:
    def __init__(self, **_: object) -> None:
        raise RuntimeError(SECRET)
