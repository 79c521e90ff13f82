"""One new ticket, one private note."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    import pydantic

    from plugins.types import EventKind, TenantMode, TicketContext
    from workflows import contracts, policies
    from workflows.contracts import (
        ContextQuery,
        GatheredContext,
        Outcome,
        RunInput,
        RunResult,
        UpdateTicketInput,
        WriteNoteInput,
    )
    from workflows.identity import reference
from workflows.steps import Admitted, account, admit, conclude, remote, ticket_or_end


@workflow.defn(name=contracts.ENHANCE_TICKET, failure_exception_types=[pydantic.ValidationError])
class EnhanceTicket:
    """Validate, extract, get the ticket, gather context, write the note, post it."""

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Returns the outcome; fails with a plain account where there is none to be had."""
        return await conclude(self._enhance(given))

    async def _enhance(self, given: RunInput) -> RunResult:
        delivery = given.delivery
        admitted = await admit(delivery)
        metadata = admitted.extracted.metadata
        ref = reference(delivery.tool, delivery.tenant_id, metadata.ticket_id, "created")
        if admitted.extracted.kind is not EventKind.CREATED:
            return RunResult(outcome=Outcome.IGNORED, ref=ref, detail=f"the event is {admitted.extracted.kind}")

        ticket = await ticket_or_end(delivery.tool, metadata, ref)
        if isinstance(ticket, RunResult):
            return ticket

        note = await remote(
            contracts.WRITE_NOTE,
            policies.WRITE_NOTE,
            WriteNoteInput(
                tool=delivery.tool,
                ref=ref,
                ticket=ticket,
                context=await self._gather(delivery.tool, ticket, admitted),
            ),
        )
        if admitted.verdict.mode is TenantMode.DRY_RUN:
            return RunResult(outcome=Outcome.DRY_RUN, ref=ref, detail="the tenant is on dry_run", note=note.markdown)

        update = await remote(
            contracts.UPDATE_TICKET,
            policies.UPDATE_TICKET,
            UpdateTicketInput(
                tool=delivery.tool,
                tenant_id=delivery.tenant_id,
                ticket_id=metadata.ticket_id,
                ref=ref,
                note=note.markdown,
            ),
        )
        outcome = Outcome.POSTED if update.result in ("posted", "found") else Outcome(update.result)
        return RunResult(outcome=outcome, ref=ref, detail=update.detail)

    async def _gather(self, tool: str, ticket: TicketContext, admitted: Admitted) -> GatheredContext:
        """Similar tickets; where the history cannot be asked, a note without them is better than none."""
        query = ContextQuery(
            tool=tool,
            tenant_id=admitted.extracted.metadata.tenant_id,
            ticket_id=ticket.ticket_id,
            subject=ticket.subject,
            text=ticket.description,
            language=admitted.verdict.settings.language,
        )
        try:
            return await remote(contracts.GATHER_CONTEXT, policies.GATHER_CONTEXT, query)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("the note goes without the ticket history: %s", account(error))
            return GatheredContext(missing=("the history of earlier tickets",))
