"""Logs of every process: one line each on standard error, as JSON or readable, the libraries' lines among them.

Log with `structlog.get_logger()`: an event name and plain fields. Anything but plain values is reduced to its type
name, so that no payload, model or exception text gets into a log by way of a field, and exceptions to type and place.
"""

import logging
import re
import sys
import traceback
from datetime import datetime
from pathlib import Path

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio.exceptions import ApplicationError

from deskhand.settings import Settings
from plugins import exceptions

MAX_VALUE = 500
"""Characters of one field that are kept."""
MAX_ITEMS = 20
"""Items of one list that are kept."""

MAX_FRAMES = 8
"""Frames of a traceback that are told, the last ones."""

OURS = frozenset(
    (
        *("DatabaseUnavailableError", "NotMigratedError", "SealError", "TenantPausedError", "TenantStoreError"),
        "ValidationError",
    )
)
"""Types of failures whose words name a field and a reason, and never a ticket's content or a secret."""
QUOTING = frozenset(name for name, error in vars(exceptions).items() if isinstance(error, type)) - OURS
"""Types of failures whose words may be the vendor's, which may quote a ticket: only the answer's status is told of
them. They stand whole, sealed, in the run."""
KNOWN = OURS | QUOTING

_ANSWERED = re.compile(r"[a-z0-9_]{1,40} answered [0-9]{3}\b")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CHATTY = ("httpx", "httpcore", "asyncio", "markdown_it", "urllib3", "charset_normalizer")
"""Libraries whose ordinary lines tell addresses, headers or nothing."""
_QUOTING_SETTINGS = "opentelemetry.util.re"
"""Warns of headers that it cannot read by quoting them: an API key. We refuse such a setting ourselves."""


def configure_logging(settings: Settings) -> None:
    """Set up structlog and the standard library's logging for this process. A second call replaces the first."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        plain_values,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                told_exception,
                _renderer(settings),
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.log_level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger(_QUOTING_SETTINGS).setLevel(logging.ERROR)


def plain_values(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: fields become bounded plain values without control characters, all else a type name."""
    del logger, method
    return {name: value if name in _STRUCTLOG_OWN else _plain(value) for name, value in event.items()}


def told_exception(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: of an exception the type, and where it was raised; its words only where they are ours.

    The words of whatever else is raised may quote a ticket, and so may a traceback's last line.
    """
    del logger, method
    error = _exception(event.pop("exc_info", None))
    if error is None:
        return event
    event["error"] = error.type or type(error).__name__ if isinstance(error, ApplicationError) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    event["where"] = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}" for frame in frames]
    if isinstance(error, ApplicationError):
        said = error.details[0] if error.details and isinstance(error.details[0], dict) else {}
        if "where" in said:  # the activity's; the traceback leads only to where it was turned into a failure
            event["where"] = _scalar(said["where"])
        if error.type in OURS:
            event["why"] = _scalar(error.message)
        elif error.type in QUOTING and (answered := _ANSWERED.match(error.message)):
            event["why"] = answered[0]
    return event


def _exception(given: object) -> BaseException | None:
    if given is True:
        return sys.exc_info()[1]
    if isinstance(given, tuple):
        given = given[1]
    return given if isinstance(given, BaseException) else None


# Traceback and record: structlog reads them itself, after this processor.
_STRUCTLOG_OWN = frozenset({"exc_info", "_record", "_from_structlog"})


def _plain(value: object) -> object:
    if isinstance(value, list | tuple | set | frozenset):
        return [_scalar(item) for item in list(value)[:MAX_ITEMS]]
    return _scalar(value)


def _scalar(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        text = _CONTROL.sub("\ufffd", value)
        return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"
    if isinstance(value, datetime):
        return value.isoformat()
    return f"<{type(value).__name__}>"


def _renderer(settings: Settings) -> Processor:
    if settings.log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
