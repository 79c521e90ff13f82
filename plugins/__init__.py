"""Ticketing tools: the plugin contract, what plugins share, and the built-in plugins.

Plugins own the vendor's protocol and nothing else. They import the standard library, httpx, pydantic and the
rendering libraries; they never wait, count or repeat a request, and they know nothing of Temporal.
"""
