"""What the workflows have in common: calling an activity under its policy, the first two steps, and how a run ends."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

import temporalio.exceptions
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    import pydantic

    from plugins.types import TicketContext
    from workflows import contracts, policies, search_attributes
    from workflows.contracts import (
        ActivityRef,
        Delivery,
        Extracted,
        ExtractInput,
        GetTicketInput,
        Metadata,
        Outcome,
        ReturnsT,
        RunResult,
        TakesT,
        Verdict,
    )
    from workflows.policies import Policy


class RejectedError(Exception):
    """The delivery is not authentic, or not about what it says it is about."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """An authentic delivery and what it says."""

    verdict: Verdict
    extracted: Extracted


async def remote(ref: ActivityRef[TakesT, ReturnsT], policy: Policy, value: TakesT) -> ReturnsT:
    """Run an activity as a task of its own: it has its own events, and any worker may take it."""
    answer: ReturnsT = await workflow.execute_activity(
        ref.name, value, result_type=ref.returns, summary=policy.summary, **policy.options()
    )
    return answer


async def local(ref: ActivityRef[TakesT, ReturnsT], policy: Policy, value: TakesT) -> ReturnsT:
    """Run an activity inside the workflow's worker: for work of milliseconds. History holds only its result.

    A time-out is never a verdict: what went over its budget to the last try runs as a task of its own.
    """
    try:
        answer: ReturnsT = await workflow.execute_local_activity(
            ref.name, value, result_type=ref.returns, summary=policy.summary, **policy.options()
        )
    except ActivityError as error:
        if not isinstance(error.cause, temporalio.exceptions.TimeoutError):
            raise
        return await remote(ref, policies.OVER_BUDGET, value)
    return answer


async def admit(delivery: Delivery) -> Admitted:
    """Judge the delivery and read it, as the door did, so that every run has the verdict and metadata on record.

    Raises:
        RejectedError: it is not authentic, or is about another tenant.
    """
    verdict = await local(contracts.VALIDATE_WEBHOOK, policies.VALIDATE_WEBHOOK, delivery)
    if verdict.verdict == "invalid":
        raise RejectedError(verdict.reason)
    extracted = await local(
        contracts.EXTRACT_METADATA,
        policies.EXTRACT_METADATA,
        ExtractInput(delivery=delivery, settings=verdict.settings),
    )
    if extracted.metadata.tenant_id != delivery.tenant_id:
        raise RejectedError("the delivery names another tenant than the one it was received for")
    return Admitted(verdict, extracted)


async def ticket_or_end(tool: str, metadata: Metadata, ref: str) -> TicketContext | RunResult:
    """The ticket; how the run ends, where the tool has none or refuses it."""
    answer = await remote(contracts.GET_TICKET, policies.GET_TICKET, GetTicketInput(tool=tool, metadata=metadata))
    if answer.refused:
        return RunResult(outcome=Outcome.REFUSED, ref=ref, detail=answer.refused)
    if answer.ticket is None:
        return RunResult(outcome=Outcome.NOT_FOUND, ref=ref, detail=f"{tool} has no such ticket")
    return answer.ticket


async def conclude(run: Awaitable[RunResult]) -> RunResult:
    """Await the run's steps and put its outcome on record, whichever way it ends.

    Raises:
        ApplicationError: of type `rejected` or `failed`, with a plain account; the run fails with it.
    """
    try:
        result = await run
    except RejectedError as error:
        _record(Outcome.REJECTED)
        raise ApplicationError(str(error), type=Outcome.REJECTED, non_retryable=True) from None
    except pydantic.ValidationError:
        _record(Outcome.FAILED)
        raise
    except ActivityError as error:
        if is_cancelled_exception(error):
            _record(Outcome.CANCELLED)
            raise
        _record(Outcome.FAILED)
        raise ApplicationError(account(error), type=Outcome.FAILED, non_retryable=True) from error
    except asyncio.CancelledError:
        _record(Outcome.CANCELLED)
        raise
    _record(result.outcome)
    return result


def account(error: ActivityError) -> str:
    """One plain sentence on why an activity failed for good."""
    cause = error.cause
    if isinstance(cause, temporalio.exceptions.TimeoutError):
        return f"{error.activity_type}: no attempt finished in time"
    if isinstance(cause, ApplicationError):
        return f"{error.activity_type}: {cause.message}"
    return f"{error.activity_type}: {cause or error}"


def _record(outcome: Outcome) -> None:
    workflow.upsert_search_attributes([search_attributes.OUTCOME.value_set(outcome.value)])
