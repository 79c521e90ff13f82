"""Which pretend tools there are: whatever is installed under the entry-point group `deskhand.pretend`."""

from importlib.metadata import entry_points

from plugins.conformance.pretend.vendor import PretendVendor

GROUP = "deskhand.pretend"


def tool_types() -> tuple[str, ...]:
    """The tool types that there is a pretend tool of: the entry points' names. Imports none of them."""
    return tuple(sorted(entry.name for entry in entry_points(group=GROUP)))


def load_tools() -> dict[str, type[PretendVendor]]:
    """Each pretend tool, by tool type."""
    return {entry.name: entry.load() for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}
