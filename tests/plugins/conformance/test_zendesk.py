"""Zendesk keeps the promises that all plugins make."""

from deskhand.pretend.zendesk import PretendZendesk
from plugins.conformance.suite import PluginConformance
from plugins.zendesk import ZendeskPlugin


class TestZendesk(PluginConformance):
    """See docs/conformance.md."""

    plugin = ZendeskPlugin
    pretend = PretendZendesk
