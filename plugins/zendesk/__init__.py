"""Zendesk Support: signed webhooks, tickets, and internal notes as private comments."""

from plugins.zendesk.connection import ZendeskConnection
from plugins.zendesk.plugin import ZendeskPlugin

__all__ = ["ZendeskConnection", "ZendeskPlugin"]
