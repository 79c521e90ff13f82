"""Freshservice, the plugin outside the tree: with the contract's four methods alone, and with its hooks."""

from deskhand_freshservice.full import FullFreshservicePlugin
from deskhand_freshservice.plugin import FreshservicePlugin
from deskhand_freshservice.pretend import PretendFreshservice, PretendNewTicketsOnly

from plugins.conformance.suite import PluginConformance


class TestFourMethods(PluginConformance):
    plugin = FreshservicePlugin
    pretend = PretendNewTicketsOnly


class TestWithHooks(PluginConformance):
    plugin = FullFreshservicePlugin
    pretend = PretendFreshservice
