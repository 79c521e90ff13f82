"""Jira Cloud: service projects (Jira Service Management) and, with a role to hide notes behind, other projects."""

from plugins.jira.connection import JiraConnection
from plugins.jira.plugin import JiraPlugin

__all__ = ["JiraConnection", "JiraPlugin"]
