"""Plugins for a tool that behaves, to show what Deskhand does about plugins that lack something."""

from typing import Any

from deskhand_freshservice.full import FullFreshservicePlugin
from deskhand_freshservice.plugin import FreshservicePlugin

from plugins.base import TicketMetadata
from plugins.types import TicketContext


class BlindPlugin(FreshservicePlugin):
    """The contract's four methods and no more: it cannot look whether a note is there."""

    __tool_type__ = "blind"


class FaultyPlugin(FullFreshservicePlugin):
    """A plugin whose author did not think of tickets that are open."""

    __tool_type__ = "faulty"

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """Goes wrong until the ticket is resolved."""
        solution = {2: {}, 4: {"by": "somebody"}}[ticket["status"]]
        del solution["by"]
        return super().describe(ticket, metadata)


class MistakenPlugin(FullFreshservicePlugin):
    """The same with a bug whose exception has the name of one of the contract's."""

    __tool_type__ = "mistaken"

    def describe(self, ticket: dict[str, Any], metadata: TicketMetadata) -> TicketContext:
        """Goes wrong with pydantic's `ValidationError` until the ticket is resolved."""
        if ticket["status"] == 2:
            return TicketContext.model_validate({})
        return super().describe(ticket, metadata)
