"""Which plugins there are: whatever is installed under the entry-point group `deskhand.plugins`."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

import httpx

from plugins.base import TicketingToolPlugin
from plugins.tenants import TenantConfigs

GROUP = "deskhand.plugins"


@dataclass(frozen=True, slots=True)
class PluginRegistry:
    """The plugin classes that loaded, by tool type, and why the others did not."""

    classes: Mapping[str, type[TicketingToolPlugin]]
    failures: Mapping[str, str]
    """Entry-point name to one sentence. A broken plugin is reported and the rest work."""
    origins: Mapping[str, str]
    """Tool type to the installed package, with its version, that brought the plugin."""

    def bind(self, tenants: TenantConfigs, http: httpx.AsyncClient) -> Mapping[str, TicketingToolPlugin]:
        """One instance of each plugin over these dependencies, by tool type."""
        return MappingProxyType({tool: plugin(tenants, http) for tool, plugin in self.classes.items()})


def load_plugins() -> PluginRegistry:
    """Find and import every installed plugin."""
    classes: dict[str, type[TicketingToolPlugin]] = {}
    failures: dict[str, str] = {}
    origins: dict[str, str] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        try:
            plugin = _load(entry)
        except Exception as error:  # foreign code: whatever it raises on import is its failure
            failures[entry.name] = f"{entry.value}: {type(error).__name__}: {error}"
            continue
        tool = plugin.__tool_type__ or entry.name
        if tool in classes:
            failures[entry.name] = f"{entry.value}: tool type {tool} is taken by another plugin"
            continue
        classes[tool] = plugin
        origins[tool] = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
    return PluginRegistry(MappingProxyType(classes), MappingProxyType(failures), MappingProxyType(origins))


def _load(entry: EntryPoint) -> type[TicketingToolPlugin]:
    plugin = entry.load()
    if not (isinstance(plugin, type) and issubclass(plugin, TicketingToolPlugin)):
        raise TypeError("is not a subclass of plugins.base.TicketingToolPlugin")
    missing = sorted(getattr(plugin, "__abstractmethods__", ()))
    if missing:
        raise TypeError(f"does not implement {', '.join(missing)}")
    if not plugin.__tool_type__:
        plugin.__tool_type__ = entry.name
    return plugin
