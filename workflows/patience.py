"""A run's patience: it parks where a policy is used up, wakes by itself or when it is told to, and one day gives up.

The schedule and the deadline come from the run's input, so that a change of the defaults moves no run that has begun.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import temporalio.exceptions
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    # `import a.b as b`, not `from a import b`: that reads the module anew for every run.
    import workflows.search_attributes as search_attributes
    from workflows.contracts import Patience, Waiting
    from workflows.words import account, code

_REASONS: Mapping[str, Waiting | None] = MappingProxyType(
    {
        "APIError": Waiting.VENDOR,
        "OutcomeUnknownError": Waiting.VENDOR,
        "PluginError": Waiting.VENDOR,
        "RateLimitError": Waiting.RATE_LIMIT,
        "AuthenticationError": Waiting.CREDENTIALS,
        "ConfigurationError": Waiting.CONFIGURATION,
        "TenantStoreError": Waiting.CONFIGURATION,
        "SealError": Waiting.CONFIGURATION,  # a worker without the right payload keys
        "PrivacyError": Waiting.PRIVACY,
        "DatabaseUnavailableError": Waiting.STORAGE,
        "NotMigratedError": Waiting.STORAGE,
        "TenantPausedError": Waiting.PAUSED,
        # For good: the run fails with the account.
        "ValidationError": None,
        "PermanentAPIError": None,
        "TicketRefusedError": None,
    }
)
"""What a run waits for after a failure of this type; any other is a fault of ours or of a plugin's."""

_MENDS: Mapping[Waiting, str] = MappingProxyType(
    {
        Waiting.VENDOR: "The ticketing tool does not answer as it should. Nothing need be done: it is asked again.",
        Waiting.RATE_LIMIT: "The ticketing tool asked for a pause. Nothing need be done: it is asked again then.",
        Waiting.CREDENTIALS: "The ticketing tool refuses our credentials. Renew them and check them with "
        "`deskhand plugins check`, then resume.",
        Waiting.CONFIGURATION: "The tenant's configuration is missing or unusable. Mend what is named, then resume.",
        Waiting.PRIVACY: "The note came out where the requester can see it, or could have. Look at the ticket, mend "
        "the tenant's setting, then resume: this run does not wake by itself.",
        Waiting.STORAGE: "Our database cannot be asked. Nothing need be done once it is back.",
        Waiting.OVERLOAD: "No attempt ended in time, and not for the ticketing tool: our workers or our database are "
        "overloaded, or died. More workers may be needed.",
        Waiting.PAUSED: "The tenant is on pause. `deskhand tenant unpause` lets it go on.",
        Waiting.FAULT: "This is a fault of Deskhand or of the plugin. It is tried again; report what is quoted here.",
    }
)

_SPREAD = 0.1
"""How much later than a vendor said, at most, as a share: those that were told the same must not all come at once."""


MAX_EVENTS = 40_000
MAX_BYTES = 40_000_000
"""Temporal ends a run at 51,200 events or 50 MB. A week of waiting has about a thousand events."""


class ExpiredError(Exception):
    """The run's deadline is over, or its history full. The message is its account."""


def waiting_for(error: ActivityError) -> Waiting | None:
    """What to wait for after an activity's policy is used up; `None` where no waiting can help."""
    cause = error.cause
    if isinstance(cause, temporalio.exceptions.TimeoutError):
        return Waiting.OVERLOAD  # what is slow outside is closed before the attempt's time-out, and has its own name
    if isinstance(cause, ApplicationError):
        return _REASONS.get(cause.type or "", Waiting.FAULT)
    return Waiting.FAULT


def retry_after(error: ActivityError) -> float | None:
    """The seconds that the vendor asked for, if it did."""
    said = failure_details(error).get("retry_after")
    return float(said) if isinstance(said, int | float) else None


def failure_details(error: ActivityError) -> Mapping[str, object]:
    """What `activities.failures` wrote beside the message; empty for any other failure."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.details and isinstance(cause.details[0], dict):
        return cause.details[0]
    return {}


class Parking:
    """Where one run waits. `resumed` counts the signals, so that none that comes meanwhile is lost."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._waiting: Waiting | None = None
        self._began: datetime | None = None
        self._wakes = 0
        self._in_a_row = 0
        self.resumed = 0

    def resume(self) -> None:
        """Go on now, or right after the attempt that is under way."""
        self.resumed += 1

    def left(self) -> None:
        """What the run waited for is over."""
        self._began = None
        self._wakes = 0
        if self._waiting is not None:
            self._waiting = None
            workflow.upsert_search_attributes([search_attributes.WAITING_FOR.value_unset()])
            workflow.set_current_details("")

    async def wait(self, error: ActivityError, waiting: Waiting, seen: int) -> None:
        """Wait until it is time for another attempt, or until more signals came than the `seen` before the last one.

        Raises:
            ExpiredError: the deadline came first.
        """
        why = account(error)
        _require_room(waiting, why)
        now = workflow.now()
        self._began = self._began or now
        left = workflow.info().start_time + timedelta(seconds=self._patience.deadline) - now
        self._in_a_row = self._in_a_row + 1 if waiting is self._waiting else 0
        delay = self._delay(waiting, now - self._began, retry_after(error))
        until = left if delay is None else min(left, delay)
        self._tell(waiting, why, now, None if delay is None else now + until)
        self._wakes += 1
        try:
            await workflow.wait_condition(
                lambda: self.resumed > seen,
                timeout=max(until, timedelta(milliseconds=1)),
                timeout_summary=_summary(waiting, why),
            )
        except TimeoutError:
            if until >= left:
                days = self._patience.deadline / 86_400
                raise ExpiredError(f"given up after {days:g} days of waiting ({waiting}): {why}") from None

    def _delay(self, waiting: Waiting, parked: timedelta, said: float | None) -> timedelta | None:
        """How long until the next attempt; `None`: not by itself."""
        if waiting is Waiting.PRIVACY:
            return None
        chance = workflow.random().random()
        patience = self._patience
        steady = patience.hourly if parked < timedelta(seconds=patience.hourly_until) else patience.later
        if said is not None:
            # What the vendor says is the least. One that says "a second" all day long is not asked every second: that
            # would be no kindness to it, and the run's history would outgrow what Temporal keeps.
            least = max(1.0, said)
            most = min(least * 2 ** min(self._in_a_row, 20), steady)
            return timedelta(seconds=least + max(most - least, least * _SPREAD) * chance)
        most = patience.first[self._wakes] if self._wakes < len(patience.first) else steady
        return timedelta(seconds=max(1.0, most * chance))  # full jitter: they do not all come back at once

    def _tell(self, waiting: Waiting, why: str, now: datetime, next_try: datetime | None) -> None:
        if waiting is not self._waiting:
            self._waiting = waiting
            workflow.upsert_search_attributes([search_attributes.WAITING_FOR.value_set(waiting.value)])
        when = f"{next_try:%Y-%m-%d %H:%M} UTC" if next_try else "only when it is resumed"
        workflow.set_current_details(
            f"**Waiting for: {waiting}** since {self._began or now:%Y-%m-%d %H:%M} UTC\n\n"
            f"{code(why, 600)}\n\n{_MENDS[waiting]}\n\n"
            f"Next try: {when}. To go on at once: `deskhand runs resume {workflow.info().workflow_id}`"
        )


def _require_room(waiting: Waiting, why: str) -> None:
    """End the run with an account while there is room for one: what outgrows its history, Temporal ends without."""
    info = workflow.info()
    if info.get_current_history_length() > MAX_EVENTS or info.get_current_history_size() > MAX_BYTES:
        raise ExpiredError(f"given up since its history is full of attempts ({waiting}): {why}")


def _summary(waiting: Waiting, why: str) -> str:
    return f"Waiting for {waiting}: {code(why, 120)}"
