"""The only place where a plugin's error becomes a Temporal failure, and where a plugin's call is closed in time."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from plugins import exceptions
from plugins.exceptions import APIError, OutcomeUnknownError, PluginError, RateLimitError
from workflows.policies import NEVER_RETRIED

MARGIN = 0.5
"""Seconds before the attempt's time-out at which the plugin's call is closed: an attempt must be over before Temporal
starts the next one, or two of them overlap and two notes land."""

LONGEST_RETRY_AFTER = 15
"""Seconds of Retry-After that are waited for inside an activity's retries; for longer the policy is of no use."""

AFTER_UNKNOWN = timedelta(seconds=20)
"""How long a write of unknown outcome is left alone: a slow vendor may still land it, and we look before we write."""


@asynccontextmanager
async def attempt_budget() -> AsyncIterator[None]:
    """Close what is awaited inside half a second before this attempt's time-out.

    Raises:
        OutcomeUnknownError: it was closed.
    """
    limit = activity.info().start_to_close_timeout
    if limit is None:
        raise RuntimeError("an activity that calls a plugin needs a start_to_close time-out")
    seconds = limit.total_seconds() - MARGIN
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise OutcomeUnknownError(f"no answer within {seconds:g} s", last_error=error) from error


class TenantPausedError(Exception):
    """The tenant is on pause: its runs wait. No plugin's error."""

    def __init__(self) -> None:
        super().__init__("the tenant is on pause")


@contextmanager
def as_failures() -> Iterator[None]:
    """Turn whatever is raised into the failure that the policies understand."""
    try:
        yield
    except Exception as error:
        raise failure(error, attempt=activity.info().attempt) from None


def failure(error: Exception, *, attempt: int, may_have_landed: bool | None = None) -> ApplicationError:
    """The Temporal failure for an error: its type names the plugin contract's class, its words are the plugin's.

    Raise it `from None`: Temporal keeps the failure of an activity that it tries again up to 4 KB, and the tracebacks
    of causes leave nothing of it but that it was too large. Where it was raised stands in the details, of an error that
    is not the contract's.

    Args:
        attempt: which one of the activity failed, from 1.
        may_have_landed: for a write, whether the note may be on the ticket, or get there; the workflow is told.
    """
    if isinstance(error, APIError):
        error.retry_count = attempt - 1
    kind = _kind(error)
    delay: timedelta | None = None
    final = kind in NEVER_RETRIED
    if isinstance(error, RateLimitError) and error.retry_after is not None:
        delay = timedelta(seconds=max(1, error.retry_after))
        final = error.retry_after > LONGEST_RETRY_AFTER
    elif isinstance(error, OutcomeUnknownError) and may_have_landed:
        delay = AFTER_UNKNOWN
    details: dict[str, Any] = {"attempt": attempt, "retry_after": getattr(error, "retry_after", None)}
    if may_have_landed is not None:
        details["may_have_landed"] = may_have_landed
    words = str(error)
    if not isinstance(error, PluginError | TenantPausedError):
        words = f"{type(error).__name__}: {words}"
        details["where"] = _where(error)
    return ApplicationError(
        words[: exceptions.MAX_MESSAGE],
        details,
        type=kind,
        non_retryable=final,
        next_retry_delay=delay,
    )


def _kind(error: Exception) -> str:
    # A plugin may have classes of its own: what counts is the contract's class that they come from.
    ours = (c.__name__ for c in type(error).__mro__ if c.__module__ == PluginError.__module__)
    # And a class of the same name from elsewhere, as pydantic's ValidationError, is no word of the contract.
    name = type(error).__name__
    return next(ours, f"{type(error).__module__}.{name}" if hasattr(exceptions, name) else name)


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
