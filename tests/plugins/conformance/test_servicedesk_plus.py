"""ServiceDesk Plus keeps the promises that all plugins make."""

from deskhand.pretend.servicedesk_plus import PretendServiceDeskPlus
from plugins.conformance.suite import PluginConformance
from plugins.servicedesk_plus import ServiceDeskPlusPlugin


class TestServiceDeskPlus(PluginConformance):
    """See docs/conformance.md."""

    plugin = ServiceDeskPlusPlugin
    pretend = PretendServiceDeskPlus
