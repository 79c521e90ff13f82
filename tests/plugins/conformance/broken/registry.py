"""Plugins that break a promise, each with the promises that it breaks."""

from collections.abc import Callable
from dataclasses import dataclass

from plugins.base import TicketingToolPlugin


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin, and a promise that it breaks in an edition of the pretend tool."""

    plugin: type[TicketingToolPlugin]
    promise: str
    edition: str

    def __str__(self) -> str:
        return f"{self.plugin.__name__}: {self.promise}"


BROKEN: list[Broken] = []


def breaks(*promises: str, edition: str = "token") -> Callable[[type[TicketingToolPlugin]], type[TicketingToolPlugin]]:
    """Enter a plugin that breaks these promises."""

    def enter(plugin: type[TicketingToolPlugin]) -> type[TicketingToolPlugin]:
        BROKEN.extend(Broken(plugin, promise, edition) for promise in promises)
        return plugin

    return enter
