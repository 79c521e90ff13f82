"""Markdown to what a ticketing tool shows, and what a tool stores to plain text.

Everything here is pure and takes hostile input: time is linear in the input's size, nothing recurses into it.
"""

from plugins.rendering.adf import to_adf
from plugins.rendering.adf_text import adf_to_text
from plugins.rendering.html import to_html
from plugins.rendering.html_text import html_to_text
from plugins.rendering.wiki_text import wiki_to_text

__all__ = ["adf_to_text", "html_to_text", "to_adf", "to_html", "wiki_to_text"]
