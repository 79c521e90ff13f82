"""The read-only page of a pretend ticketing tool: each ticket with its notes, as a technician would see them."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import nh3

from plugins.conformance.pretend.model import PretendNote, PretendTicket

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
article { border: 1px solid #8886; border-radius: 8px; padding: 0 1.25rem 1rem; margin: 1.5rem 0; }
section { border-left: 4px solid #8888; padding: .25rem 0 .25rem 1rem; margin: 1rem 0; }
section.private { border-color: #2e7d32; } section.public { border-color: #c62828; }
.badge { border-radius: 4px; padding: .1rem .5rem; font-weight: 600; color: #fff; }
.private .badge { background: #2e7d32; } .public .badge { background: #c62828; }
.facts { color: light-dark(#555, #aaa); } .description { white-space: pre-wrap; }
pre { overflow-x: auto; background: #8882; padding: .5rem; } blockquote { margin-left: 0; padding-left: 1rem; }
table { border-collapse: collapse; } td, th { border: 1px solid #8888; padding: .25rem .5rem; text-align: left; }
"""

_BLOCKS = {
    "paragraph": "p",
    "blockquote": "blockquote",
    "bulletList": "ul",
    "orderedList": "ol",
    "listItem": "li",
    "table": "table",
    "tableRow": "tr",
    "tableHeader": "th",
    "tableCell": "td",
    "panel": "blockquote",
}
_MARKS = {"strong": "strong", "em": "em", "code": "code", "strike": "s", "underline": "u"}
_LINK_SCHEMES = ("http://", "https://", "mailto:")


def render_page(title: str, ticket_path: str, tickets: Iterable[PretendTicket]) -> str:
    """The whole page as HTML, newest ticket first. `ticket_path` is a ticket's own page, with `{id}` in it."""
    articles = [_ticket(ticket, ticket_path.replace("{id}", ticket.id)) for ticket in tickets]
    content = "\n".join(reversed(articles)) or "<p>There are no tickets.</p>"
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} (pretend)</title><style>{_STYLE}</style></head>\n"
        f"<body><header><h1>{escape(title)} (pretend)</h1></header>\n<main>\n{content}\n</main></body>\n</html>\n"
    )


def _ticket(ticket: PretendTicket, path: str) -> str:
    facts = [
        ticket.status,
        ticket.priority or "no priority",
        f"from {ticket.requester}",
        f"{ticket.created_at:%F %R} UTC",
    ]
    resolution = f"<p><strong>Resolution:</strong> {escape(ticket.resolution)}</p>" if ticket.resolution else ""
    notes = "\n".join(map(_note, ticket.notes)) or '<p class="facts">No notes.</p>'
    name = escape(ticket.id)
    return (
        f'<article id="{name}" aria-labelledby="title-{name}">\n'
        f'<h2 id="title-{name}"><a href="{escape(path)}">{name}</a> {escape(ticket.subject)}</h2>\n'
        f'<p class="facts">{escape(" · ".join(facts))}</p>\n'
        f'<div class="description">{_text_or_html(ticket.description)}</div>\n{resolution}\n{notes}\n</article>'
    )


def _note(note: PretendNote) -> str:
    kind = "private" if note.private else "public"
    body = adf_to_html(note.body) if isinstance(note.body, Mapping) else _sanitised(note.body)
    name = escape(note.id)
    return (
        f'<section class="{kind}" aria-label="Note {name}, {kind}">\n'
        f'<p><span class="badge">{kind.capitalize()}</span> '
        f'<span class="facts">note {name} by {escape(note.author)}, {note.created_at:%F %R} UTC</span></p>\n'
        f"{body}\n</section>"
    )


def _text_or_html(description: str) -> str:
    return _sanitised(description) if description.lstrip().startswith("<") else escape(description)


def _sanitised(html: str) -> str:
    """The HTML as a vendor would show it, but for images: opening the page asks nothing of any other host."""
    return nh3.clean(html, tags=nh3.ALLOWED_TAGS - {"img"})


def adf_to_html(node: Mapping[str, Any]) -> str:
    """An ADF document as HTML: what a page needs of it. Nodes it does not know show their content."""
    kind = node.get("type")
    if kind == "text":
        return _text(node)
    if kind == "hardBreak":
        return "<br>"
    if kind == "rule":
        return "<hr>"
    attrs = node.get("attrs") or {}
    inside = "".join(map(adf_to_html, node.get("content") or ()))
    if kind == "codeBlock":
        return f"<pre><code>{inside}</code></pre>"
    if kind == "heading":
        # A note stands below the page's h1 and the ticket's h2.
        level = min(6, int(attrs.get("level", 1)) + 2)
        return f"<h{level}>{inside}</h{level}>"
    tag = _BLOCKS.get(str(kind))
    if tag is None:
        return inside
    start = f' start="{int(attrs["order"])}"' if kind == "orderedList" and "order" in attrs else ""
    return f"<{tag}{start}>{inside}</{tag}>"


def _text(node: Mapping[str, Any]) -> str:
    html = escape(str(node.get("text", "")))
    for mark in node.get("marks") or ():
        kind = mark.get("type")
        if kind in _MARKS:
            html = f"<{_MARKS[kind]}>{html}</{_MARKS[kind]}>"
        elif kind == "link":
            href = str((mark.get("attrs") or {}).get("href", ""))
            if href.startswith(_LINK_SCHEMES):
                html = f'<a href="{escape(href)}" rel="noopener noreferrer">{html}</a>'
    return html
