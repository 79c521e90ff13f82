"""Metrics and traces of starter and worker: off unless asked for, and of ids and types only.

Metrics are the Temporal SDK's own, for Prometheus, on `DESKHAND_METRICS_ADDRESS`. Traces go over OTLP/HTTP to where the
standard `OTEL_EXPORTER_OTLP_ENDPOINT` says; OpenTelemetry is imported only then. `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_…`
of the sampler and the like mean what its documentation says.
"""

import os
import re
from urllib.parse import urlsplit

from temporalio.client import Client
from temporalio.runtime import LoggingConfig, LoggingFormat, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter

from deskhand.settings import Settings, SettingsError

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Where traces go, the first that is set."""
HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
"""What is sent with them: an API key, mostly."""

_HEADER = re.compile(r"\s*[\w!#$%&'*+.^`|~-]+\s*=[^\r\n]*", re.ASCII)


def start_telemetry(settings: Settings) -> None:
    """Serve this process's metrics if an address is set, and have the Temporal SDK log at the level of our own logs.

    Call it before the first client is made: clients and workers find it as the SDK's default runtime. The SDK's core is
    told at `debug` only what it says of itself: below the codec, payloads are sealed.

    Raises:
        SettingsError: nobody can listen there.
    """
    verbose = settings.log_level == "debug"
    logging = LoggingConfig(
        TelemetryFilter(core_level="DEBUG" if verbose else "WARN", other_level="WARN" if verbose else "ERROR"),
        format=LoggingFormat.JSON if settings.log_format == "json" else LoggingFormat.COMPACT,
    )
    metrics = PrometheusConfig(settings.metrics_address) if settings.metrics_address else None
    try:
        runtime = Runtime(telemetry=TelemetryConfig(logging=logging, metrics=metrics))
    except (RuntimeError, ValueError) as error:
        why = "it is in use" if "in use" in str(error) else "is the host an address of this machine?"
        raise SettingsError(f"DESKHAND_METRICS_ADDRESS: cannot listen there: {why}") from None
    Runtime.set_default(runtime, error_if_already_set=False)


def traced(client: Client, service: str) -> Client:
    """The client with spans for what it asks of Temporal, and for what workers made of it do; as it is, if traces are
    off.

    Args:
        service: what traces call this process, as `deskhand-worker`.

    Raises:
        SettingsError: a setting is unusable.
    """
    if not _endpoint():
        return client
    from deskhand.observability.traces import tracing_interceptor

    config = client.config()
    config["interceptors"] = [*config["interceptors"], tracing_interceptor(service)]
    return Client(**config)


def _endpoint() -> str:
    """Where traces go; nothing if they are off. What is given is checked here: the library's complaints quote it."""
    given = {name: os.environ[name] for name in ENDPOINTS if os.environ.get(name)}
    for name, endpoint in given.items():
        try:
            parts = urlsplit(endpoint)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            usable = False
        if not usable:
            raise SettingsError(f"{name}: must be an address such as http://collector:4318")
        if "@" in parts.netloc:
            raise SettingsError(f"{name}: must not hold credentials; they go into {HEADERS[-1]}")
    for name in HEADERS:
        headers = filter(str.strip, os.environ.get(name, "").split(","))
        if given and not all(map(_HEADER.fullmatch, headers)):
            raise SettingsError(f"{name}: must read name=value,name=value, percent-encoded")
    return next(iter(given.values()), "")
