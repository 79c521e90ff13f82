"""The tools whose functions and histories are measured."""

from deskhand.pretend.tools import load_tools
from plugins.base import TicketingToolPlugin
from plugins.conformance.pretend.vendor import PretendVendor
from plugins.registry import load_plugins


def our_tools() -> dict[str, tuple[type[TicketingToolPlugin], type[PretendVendor]]]:
    """The plugins of this project and their pretend tools, by tool type. What else is installed has no bar of ours."""
    pretend = load_tools()
    return {
        tool: (plugin, pretend[tool])
        for tool, plugin in load_plugins().classes.items()
        if plugin.__module__.startswith("plugins.") and tool in pretend
    }
