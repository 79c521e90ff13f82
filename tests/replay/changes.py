"""Changes that a later hand may make to `EnhanceTicket`, each as it is and behind `workflow.patched`.

The tests show which stored runs each would break, and that the guarded one breaks none.
"""

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import workflows.contracts as contracts
    import workflows.policies as policies
    from plugins.types import TicketContext
    from workflows.contracts import (
        ActivityRef,
        GatheredContext,
        LookInput,
        ReturnsT,
        RunInput,
        RunResult,
        TakesT,
        Waiting,
    )
    from workflows.enhance_ticket import EnhanceTicket
    from workflows.patience import Parking
    from workflows.policies import Policy
    from workflows.steps import Admitted, Steps

_FAILS = workflow._Definition.must_from_class(EnhanceTicket).failure_exception_types
"""What fails a run, as in the original: a history that does not fit must not."""


class _Changed(EnhanceTicket):
    guarded = False

    def _new_way(self) -> bool:
        """Whether this run goes the new way: any run, or only one that began after the change."""
        return not self.guarded or workflow.patched("changed")


class _AddedTimer(_Changed):
    async def _gather(self, ticket: TicketContext, admitted: Admitted) -> GatheredContext:
        if self._new_way():
            await workflow.sleep(1)
        return await super()._gather(ticket, admitted)


class _AddedActivity(_Changed):
    async def _post(self, ticket_id: str, ref: str, note: str) -> RunResult:
        if self._new_way():
            delivery = self._delivery
            first = LookInput(tool=delivery.tool, tenant_id=delivery.tenant_id, ticket_id=ticket_id, ref=ref)
            await self._steps.patiently(contracts.LOOK_AGAIN, policies.LOOK_AGAIN, first)
        return await super()._post(ticket_id, ref, note)


class _OtherOrder(_Changed):
    """The note is written before the history is asked."""

    _later: tuple[TicketContext, Admitted] | None = None

    async def _gather(self, ticket: TicketContext, admitted: Admitted) -> GatheredContext:
        if self._new_way():
            self._later = (ticket, admitted)
            return GatheredContext()
        return await super()._gather(ticket, admitted)

    async def _post(self, ticket_id: str, ref: str, note: str) -> RunResult:
        if self._later is not None:
            await super()._gather(*self._later)
        return await super()._post(ticket_id, ref, note)


class _RemovedUpsert(_Changed):
    """A parked run no longer says what it waits for."""

    async def _enhance(self) -> RunResult:
        if self._new_way():
            self._steps._parking._tell = lambda *_: None  # type: ignore[method-assign]
        return await super()._enhance()


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class AddedTimer(_AddedTimer):
    """Waits before it asks the history."""

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class AddedTimerGuarded(_AddedTimer):
    """The same for new runs only."""

    guarded = True

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class AddedActivity(_AddedActivity):
    """Looks at the ticket before it posts the note."""

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class AddedActivityGuarded(_AddedActivity):
    """The same for new runs only."""

    guarded = True

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class OtherOrder(_OtherOrder):
    """Writes the note before it asks the history."""

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class OtherOrderGuarded(_OtherOrder):
    """The same for new runs only."""

    guarded = True

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class RemovedUpsert(_RemovedUpsert):
    """Parks without a word."""

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class RemovedUpsertGuarded(_RemovedUpsert):
    """The same for new runs only."""

    guarded = True

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


class _OtherNumbersSteps(Steps):
    async def remote(
        self, ref: ActivityRef[TakesT, ReturnsT], policy: Policy, value: TakesT, *, task_queue: str | None = None
    ) -> ReturnsT:
        other = replace(policy, attempt=policy.attempt * 2, tries=9, summary="Another summary")
        return await super().remote(ref, other, value, task_queue="another queue")


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class OtherNumbers(EnhanceTicket):
    """Other time-outs, tries, summaries and queues: no other commands."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._steps = _OtherNumbersSteps(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)


class _LongerWaits(Parking):
    def _delay(self, waiting: Waiting, parked: timedelta, said: float | None) -> timedelta | None:
        delay = super()._delay(waiting, parked, said)
        return delay and delay * 3


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=_FAILS)
class LongerWaits(EnhanceTicket):
    """Waits three times as long where it is parked."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._steps._parking = _LongerWaits(given.patience)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        return await super().run(given)
