"""ServiceDesk Plus on-premises, MSP and Cloud: webhooks with a shared secret, requests, and private notes."""

from plugins.servicedesk_plus.connection import ServiceDeskPlusConnection
from plugins.servicedesk_plus.plugin import ServiceDeskPlusPlugin

__all__ = ["ServiceDeskPlusConnection", "ServiceDeskPlusPlugin"]
