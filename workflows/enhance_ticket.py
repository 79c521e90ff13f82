"""One new ticket, one private note."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    # `import a.b as b`, not `from a import b`: that reads the module anew for every run.
    import pydantic

    import workflows.contracts as contracts
    import workflows.policies as policies
    from plugins.types import EventKind, TenantMode, TicketContext
    from workflows.contracts import (
        ContextQuery,
        GatheredContext,
        LookInput,
        Outcome,
        RunInput,
        RunResult,
        UpdateTicketInput,
        WriteNoteInput,
    )
    from workflows.identity import reference
    from workflows.patience import ExpiredError, failure_details
    from workflows.steps import Admitted, Steps
    from workflows.words import account


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=[pydantic.ValidationError])
class EnhanceTicket:
    """Validate, extract, get the ticket, gather context, write the note, post it."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        self._delivery = given.delivery
        self._may_have_landed = given.may_have_landed
        self._steps = Steps(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Returns the outcome; fails with a plain account where there is none to be had."""
        del given
        return await self._steps.conclude(self._enhance())

    @workflow.signal(name=contracts.RESUME)
    def resume(self) -> None:
        """Have a parked run go on now; one that is about to park makes one more attempt first."""
        self._steps.resume()

    async def _enhance(self) -> RunResult:
        delivery = self._delivery
        admitted = await self._steps.admit()
        metadata = admitted.extracted.metadata
        ref = reference(delivery.tool, delivery.tenant_id, metadata.ticket_id, "created")
        if admitted.extracted.kind is not EventKind.CREATED:
            return RunResult(outcome=Outcome.IGNORED, ref=ref, detail=f"the event is {admitted.extracted.kind}")

        ticket = await self._steps.ticket_or_end(metadata, ref)
        if isinstance(ticket, RunResult):
            return ticket

        note = await self._steps.patiently(
            contracts.WRITE_NOTE,
            policies.EXTRACT_NOTE,
            WriteNoteInput(
                tool=delivery.tool,
                ref=ref,
                ticket=ticket,
                context=await self._gather(ticket, admitted),
            ),
        )
        if admitted.verdict.mode is TenantMode.DRY_RUN:
            return _dry_run(ref, note.markdown)
        return await self._post(metadata.ticket_id, ref, note.markdown)

    async def _gather(self, ticket: TicketContext, admitted: Admitted) -> GatheredContext:
        """Similar tickets; where the history cannot be asked, a note without them is better than none."""
        query = ContextQuery(
            tool=self._delivery.tool,
            tenant_id=self._delivery.tenant_id,
            ticket_id=ticket.ticket_id,
            subject=ticket.subject,
            text=ticket.description,
            language=admitted.verdict.settings.language,
        )
        try:
            return await self._steps.remote(contracts.GATHER_CONTEXT, policies.GATHER_CONTEXT, query)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("the note goes without the ticket history: %s", account(error))
            return GatheredContext(missing=("the history of earlier tickets",))

    async def _post(self, ticket_id: str, ref: str, note: str) -> RunResult:
        where = LookInput(tool=self._delivery.tool, tenant_id=self._delivery.tenant_id, ticket_id=ticket_id, ref=ref)
        update = await self._steps.patiently(
            contracts.UPDATE_TICKET,
            policies.UPDATE_TICKET,
            UpdateTicketInput(**where.model_dump(), note=note, may_have_landed=self._may_have_landed),
            again=_doubting,
        )
        unseen = await self._look_again(where) if update.look_again else ""
        if update.result == "dry_run":  # since the run began
            return _dry_run(ref, note)
        outcome = Outcome.POSTED if update.result in ("posted", "found") else Outcome(update.result)
        return RunResult(outcome=outcome, ref=ref, detail="; ".join(filter(None, (update.detail, unseen))))

    async def _look_again(self, where: LookInput) -> str:
        """Have what an earlier attempt may have left removed; why that could not be, or nothing. The note is there."""
        await workflow.sleep(policies.LOOK_AGAIN_AFTER, summary=policies.LOOK_AGAIN.summary)
        try:
            await self._steps.patiently(contracts.LOOK_AGAIN, policies.LOOK_AGAIN, where)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            why = account(error)
        except ExpiredError as error:
            why = str(error)
        else:
            return ""
        return f"an earlier attempt may have left a second note, which could not be looked for: {why}"


def _dry_run(ref: str, note: str) -> RunResult:
    return RunResult(outcome=Outcome.DRY_RUN, ref=ref, detail="the tenant is on dry_run", note=note)


def _doubting(given: UpdateTicketInput, error: ActivityError) -> UpdateTicketInput:
    """The input of the next attempt: it must know whether one before it may have left the note."""
    if failure_details(error).get("may_have_landed", True):
        return given.model_copy(update={"may_have_landed": True})
    return given
