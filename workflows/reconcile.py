"""Finding the tickets that no webhook told of: one pass, and the passes that a schedule starts.

A pass that fails is not parked: the next one begins where the last one that ended well did, however long ago.
"""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    # `import a.b as b`, not `from a import b`: that reads the module anew for every run.
    import pydantic

    import workflows.contracts as contracts
    import workflows.policies as policies
    import workflows.search_attributes as search_attributes
    from workflows.contracts import Outcome, Reconciled, ReconcileInput, ReconcileStep, RegularInput
    from workflows.words import account

MAX_TICKETS = 100_000
"""How many one pass sees at most: what it carries along of each must fit into a payload."""
SETTLING = timedelta(minutes=10)
"""How long a new ticket may be missing from a tool's list: some search an index that lags by minutes."""
FURTHEST = timedelta(days=7)
"""How far a scheduled pass looks back at most. A run is known for the namespace's retention only, and a ticket whose
run is forgotten would be taken for one that never had its note."""


def about(tool: str, tenant_id: str) -> TypedSearchAttributes:
    """The search attributes of a pass, set when it starts."""
    return TypedSearchAttributes(
        [SearchAttributePair(search_attributes.TOOL, tool), SearchAttributePair(search_attributes.TENANT, tenant_id)]
    )


def summary(tool: str, since: datetime) -> str:
    """One line for the Temporal UI."""
    return f"{tool}: tickets created since {since:%Y-%m-%d %H:%M:%S} UTC"


@workflow.defn(name=contracts.RECONCILE, failure_exception_types=[pydantic.ValidationError])
class Reconcile:
    """Walk over a tenant's recent tickets and start the run of each that has none."""

    @workflow.run
    async def run(self, given: ReconcileInput) -> Reconciled:
        """Returns the counts; fails with a plain account where the tool or the tenant is unusable."""
        began = given.began or workflow.info().start_time
        step = await self._step(given)
        complete = not step.more
        if step.more and step.walked.seen < MAX_TICKETS:
            workflow.continue_as_new(given.model_copy(update={"began": began, "walked": step.walked}))
        return Reconciled(
            since=given.since,
            began=began,
            walked=step.walked.model_copy(update={"handled": b""}),
            complete=complete,
            held=step.held,
            caught_up=given.since if step.held or not complete else max(given.since, began - SETTLING),
        )

    async def _step(self, given: ReconcileInput) -> ReconcileStep:
        try:
            step: ReconcileStep = await workflow.execute_activity(
                contracts.START_MISSING.name,
                given,
                result_type=ReconcileStep,
                summary=policies.START_MISSING.summary,
                priority=Priority(fairness_key=given.tenant_id),
                task_queue=contracts.reconcile_queue(workflow.info().task_queue),
                heartbeat_timeout=policies.START_MISSING_HEARTBEAT,
                **policies.START_MISSING.options(),
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            raise _failed(account(error)) from error
        return step


@workflow.defn(name=contracts.RECONCILE_REGULARLY, failure_exception_types=[pydantic.ValidationError])
class ReconcileRegularly:
    """A pass that a schedule starts. Temporal adds the time to the id of what a schedule starts, so that the pass is a
    child of this: under its own id there is one of a tenant at a time, whoever starts it.
    """

    @workflow.run
    async def run(self, given: RegularInput) -> Reconciled:
        """Returns what the pass came to; fails with its account."""
        began = workflow.info().start_time
        last = workflow.get_last_completion_result(Reconciled)
        since = look_back(began, timedelta(seconds=given.window_seconds), last)
        try:
            done: Reconciled = await workflow.execute_child_workflow(
                contracts.RECONCILE,
                ReconcileInput(tool=given.tool, tenant_id=given.tenant_id, since=since),
                id=contracts.reconcile_id(given.tenant_id),
                result_type=Reconciled,
                search_attributes=about(given.tool, given.tenant_id),
                static_summary=summary(given.tool, since),
                priority=Priority(fairness_key=given.tenant_id),
            )
        except WorkflowAlreadyStartedError:
            return Reconciled(since=since, began=began, held="another pass was under way", caught_up=since)
        except ChildWorkflowError as error:
            if is_cancelled_exception(error):
                raise
            cause = error.cause
            raise _failed(cause.message if isinstance(cause, ApplicationError) else str(cause or error)) from error
        return done


def look_back(began: datetime, window: timedelta, last: Reconciled | None) -> datetime:
    """Where a scheduled pass begins: as far back as was asked for, and further where those since the `last` one that
    ended well failed, or never began.
    """
    since = began - window
    return since if last is None else min(since, max(last.caught_up, began - FURTHEST))


def _failed(why: str) -> ApplicationError:
    return ApplicationError(why, type=Outcome.FAILED, non_retryable=True)
