"""One resolved ticket, learned from."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    # `import a.b as b`, not `from a import b`: that reads the module anew for every run.
    import pydantic

    import workflows.contracts as contracts
    import workflows.policies as policies
    from plugins.types import EventKind
    from workflows.contracts import Outcome, RecordInput, RunInput, RunResult
    from workflows.identity import reference
    from workflows.steps import Steps


@workflow.defn(name=contracts.RECORD_RESOLUTION, failure_exception_types=[pydantic.ValidationError])
class RecordResolution:
    """Validate, extract, get the ticket, keep it in the tenant's history."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        self._delivery = given.delivery
        self._steps = Steps(given)

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Returns the outcome; fails with a plain account where there is none to be had."""
        del given
        return await self._steps.conclude(self._record())

    @workflow.signal(name=contracts.RESUME)
    def resume(self) -> None:
        """Have a parked run go on now; one that is about to park makes one more attempt first."""
        self._steps.resume()

    async def _record(self) -> RunResult:
        delivery = self._delivery
        extracted = (await self._steps.admit()).extracted
        metadata = extracted.metadata
        ref = reference(delivery.tool, delivery.tenant_id, metadata.ticket_id, f"resolved:{extracted.version}")
        if extracted.kind is not EventKind.RESOLVED:
            return RunResult(outcome=Outcome.IGNORED, ref=ref, detail=f"the event is {extracted.kind}")

        ticket = await self._steps.ticket_or_end(metadata, ref)
        if isinstance(ticket, RunResult):
            return ticket

        recorded = await self._steps.patiently(
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
