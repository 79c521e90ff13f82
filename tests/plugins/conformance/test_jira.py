"""Jira keeps the promises that all plugins make."""

from deskhand.pretend.jira import PretendJira
from plugins.conformance.suite import PluginConformance
from plugins.jira import JiraPlugin


class TestJira(PluginConformance):
    """See docs/conformance.md."""

    plugin = JiraPlugin
    pretend = PretendJira
