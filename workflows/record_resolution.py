"""One resolved ticket, learned from."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    import pydantic

    from plugins.types import EventKind
    from workflows import contracts, policies
    from workflows.contracts import Outcome, RecordInput, RunInput, RunResult
    from workflows.identity import reference
from workflows.steps import admit, conclude, remote, ticket_or_end


@workflow.defn(name=contracts.RECORD_RESOLUTION, failure_exception_types=[pydantic.ValidationError])
class RecordResolution:
    """Validate, extract, get the ticket, keep it in the tenant's history."""

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Returns the outcome; fails with a plain account where there is none to be had."""
        return await conclude(self._record(given))

    async def _record(self, given: RunInput) -> RunResult:
        delivery = given.delivery
        extracted = (await admit(delivery)).extracted
        metadata = extracted.metadata
        ref = reference(delivery.tool, delivery.tenant_id, metadata.ticket_id, f"resolved:{extracted.version}")
        if extracted.kind is not EventKind.RESOLVED:
            return RunResult(outcome=Outcome.IGNORED, ref=ref, detail=f"the event is {extracted.kind}")

        ticket = await ticket_or_end(delivery.tool, metadata, ref)
        if isinstance(ticket, RunResult):
            return ticket

        recorded = await remote(
            contracts.RECORD_TICKET,
            policies.RECORD_TICKET,
            RecordInput(
                tool=delivery.tool,
                tenant_id=delivery.tenant_id,
                version=extracted.version,
                ticket=ticket,
                resolved_at=delivery.received_at,
            ),
        )
        detail = "kept" if recorded.changed else "the history already had this resolution or a later one"
        return RunResult(outcome=Outcome.RECORDED, ref=ref, detail=detail)
