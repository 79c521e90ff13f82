"""The search attributes of a run, in one typed registry. Temporal stores them as plain text: nothing personal."""

from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

TOOL = SearchAttributeKey.for_keyword("DeskhandTool")
TENANT = SearchAttributeKey.for_keyword("DeskhandTenant")
TICKET = SearchAttributeKey.for_keyword("DeskhandTicket")
OUTCOME = SearchAttributeKey.for_keyword("DeskhandOutcome")
WAITING_FOR = SearchAttributeKey.for_keyword("DeskhandWaitingFor")

ALL = (TOOL, TENANT, TICKET, OUTCOME, WAITING_FOR)
"""Every attribute that a namespace must know before the first run starts."""


def for_run(tool: str, tenant_id: str, ticket_id: str) -> TypedSearchAttributes:
    """What a run is about, set when it starts."""
    return TypedSearchAttributes(
        [
            SearchAttributePair(TOOL, tool),
            SearchAttributePair(TENANT, tenant_id),
            SearchAttributePair(TICKET, ticket_id),
        ]
    )
