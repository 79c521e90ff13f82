"""What the workflows have in common: calling an activity under its policy, the first two steps, and how a run ends."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import temporalio.exceptions
from temporalio import workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    # `import a.b as b`, not `from a import b`: that reads the module anew for every run.
    import pydantic

    import workflows.contracts as contracts
    import workflows.policies as policies
    import workflows.search_attributes as search_attributes
    from plugins.types import TicketContext
    from workflows.contracts import (
        ActivityRef,
        Extracted,
        ExtractInput,
        GetTicketInput,
        Metadata,
        Outcome,
        ReturnsT,
        RunInput,
        RunResult,
        TakesT,
        Verdict,
    )
    from workflows.patience import ExpiredError, Parking, waiting_for
    from workflows.policies import Policy
    from workflows.words import account


class RejectedError(Exception):
    """The delivery is not authentic, or not about what it says it is about."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An authentic delivery and what it says."""

    verdict: Verdict
    extracted: Extracted


class Steps:
    """Calls one run's activities: under their policies, in its tenant's turn, and patiently."""

    def __init__(self, given: RunInput) -> None:
        self._delivery = given.delivery
        self._priority = Priority(fairness_key=given.delivery.tenant_id)
        self._parking = Parking(given.patience)

    def resume(self) -> None:
        """Have a parked run go on now."""
        self._parking.resume()

    async def remote(
        self, ref: ActivityRef[TakesT, ReturnsT], policy: Policy, value: TakesT, *, task_queue: str | None = None
    ) -> ReturnsT:
        """Run an activity as a task of its own: it has its own events, and any worker may take it."""
        answer: ReturnsT = await workflow.execute_activity(
            ref.name,
            value,
            result_type=ref.returns,
            summary=policy.summary,
            priority=self._priority,
            task_queue=task_queue,
            **policy.options(),
        )
        return answer

    async def local(self, ref: ActivityRef[TakesT, ReturnsT], policy: Policy, value: TakesT) -> ReturnsT:
        """Run an activity inside the workflow's worker: for work of milliseconds. History holds only its result.

        A time-out is never a verdict: what went over its budget to the last try runs as a task of its own.
        """
        try:
            answer: ReturnsT = await workflow.execute_local_activity(
                ref.name, value, result_type=ref.returns, summary=policy.summary, **policy.options()
            )
        except (ActivityError, temporalio.exceptions.TimeoutError) as error:
            # The SDK hands a time-out on in an ActivityError, and as it is where the run is replayed.
            cause = error.cause if isinstance(error, ActivityError) else error
            if not isinstance(cause, temporalio.exceptions.TimeoutError):
                raise
            return await self.remote(ref, policies.OVER_BUDGET, value)
        except ApplicationError as error:
            raise _of_activity(ref.name, error) from error
        return answer

    async def patiently(
        self,
        ref: ActivityRef[TakesT, ReturnsT],
        policy: Policy,
        value: TakesT,
        *,
        again: Callable[[TakesT, ActivityError], TakesT] = lambda value, _: value,
        local: bool = False,
    ) -> ReturnsT:
        """Run an activity under its policy; where that is used up, park, and make one attempt at each wake.

        Args:
            again: makes the next attempt's input out of the last one's and its failure.
            local: the attempts are inside the workflow's worker.

        Raises:
            ActivityError: a failure that no waiting can mend, or the run was cancelled.
            ExpiredError: the run's deadline came first.
        """
        seen = self._parking.resumed
        try:
            return await (self.local if local else self.remote)(ref, policy, value)
        except ActivityError as error:
            failed = error
        while True:
            waiting = None if is_cancelled_exception(failed) else waiting_for(failed)
            if waiting is None:
                raise failed
            value = again(value, failed)
            await self._parking.wait(failed, waiting, seen)
            seen = self._parking.resumed
            try:
                answer = await self._once(ref, policy.once(), value, local=local)
            except ActivityError as error:
                failed = error
                continue
            self._parking.left()
            return answer

    async def _once(
        self, ref: ActivityRef[TakesT, ReturnsT], policy: Policy, value: TakesT, *, local: bool
    ) -> ReturnsT:
        if local:  # it calls no vendor; and a remote one would put its input, the delivery, into history at each wake
            return await self.local(ref, policy, value)
        return await self.remote(ref, policy, value, task_queue=contracts.resumed_queue(workflow.info().task_queue))

    async def admit(self) -> Admitted:
        """Judge the delivery and read it, as the door did, so that every run has the verdict and metadata on record.

        A tenant on pause is waited for. What is called afterwards is called with the ticket's priority.

        Raises:
            RejectedError: it is not authentic, or is about another tenant.
        """
        delivery = self._delivery
        verdict = await self.patiently(contracts.VALIDATE_WEBHOOK, policies.VALIDATE_WEBHOOK, delivery, local=True)
        if verdict.verdict == "invalid":
            raise RejectedError(verdict.reason)
        extracted = await self.patiently(
            contracts.EXTRACT_METADATA,
            policies.EXTRACT_METADATA,
            ExtractInput(delivery=delivery, settings=verdict.settings),
            local=True,
        )
        metadata = extracted.metadata
        if metadata.tenant_id != delivery.tenant_id:
            raise RejectedError("the delivery names another tenant than the one it was received for")
        self._priority = Priority(
            priority_key=policies.priority_key(metadata.priority), fairness_key=delivery.tenant_id
        )
        return Admitted(verdict, extracted)

    async def ticket_or_end(self, metadata: Metadata, ref: str) -> TicketContext | RunResult:
        """The ticket; how the run ends, where the tool has none or refuses it."""
        tool = self._delivery.tool
        answer = await self.patiently(
            contracts.GET_TICKET, policies.GET_TICKET, GetTicketInput(tool=tool, metadata=metadata)
        )
        if answer.refused:
            return RunResult(outcome=Outcome.REFUSED, ref=ref, detail=answer.refused)
        if answer.ticket is None:
            return RunResult(outcome=Outcome.NOT_FOUND, ref=ref, detail=f"{tool} has no such ticket")
        return answer.ticket

    async def conclude(self, run: Awaitable[RunResult]) -> RunResult:
        """Await the run's steps and put its outcome on record, whichever way it ends.

        Raises:
            ApplicationError: of type `rejected`, `failed` or `expired`, with a plain account; the run fails with it.
        """
        try:
            result = await run
        except RejectedError as error:
            self._record(Outcome.REJECTED)
            raise _failed(Outcome.REJECTED, str(error)) from None
        except ExpiredError as error:
            self._record(Outcome.EXPIRED)
            raise _failed(Outcome.EXPIRED, str(error)) from None
        except pydantic.ValidationError:
            self._record(Outcome.FAILED)
            raise
        except ActivityError as error:
            if is_cancelled_exception(error):
                self._record(Outcome.CANCELLED)
                raise
            self._record(Outcome.FAILED)
            raise _failed(Outcome.FAILED, account(error)) from error
        except asyncio.CancelledError:
            self._record(Outcome.CANCELLED)
            raise
        self._record(result.outcome)
        return result

    def _record(self, outcome: Outcome) -> None:
        self._parking.left()
        workflow.upsert_search_attributes([search_attributes.OUTCOME.value_set(outcome.value)])


def _of_activity(name: str, error: ApplicationError) -> ActivityError:
    """What a local activity raised, which the SDK hands on as it is, in the form of a remote one's failure."""
    return ActivityError(
        error.message,
        scheduled_event_id=0,
        started_event_id=0,
        identity="",
        activity_type=name,
        activity_id="",
        retry_state=None,
    )


def _failed(outcome: Outcome, why: str) -> ApplicationError:
    return ApplicationError(why, type=outcome, non_retryable=True)
