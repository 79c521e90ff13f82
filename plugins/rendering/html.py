"""Markdown to HTML, for tools that show HTML (ServiceDesk Plus, Zendesk)."""

import nh3

from plugins.rendering.cutting import Format, fit
from plugins.rendering.markdown import PARSER, Block, parse

_CLEANER = nh3.Cleaner(
    tags={
        *("p", "br", "hr", "blockquote", "pre", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("strong", "em", "s", "code", "a", "table", "thead", "tbody", "tr", "th", "td"),
    },
    attributes={"*": set(), "a": {"href"}, "ol": {"start"}},
    url_schemes={"http", "https", "mailto"},
)


def to_html(markdown: str, *, limit: int | None = None) -> str:
    """`markdown` as sanitised HTML: no images, no raw HTML, links to the web or a mailbox only.

    `limit` is in bytes of the HTML as UTF-8. Over it, whole blocks are left out in favour of "… (shortened)", and the
    last block is kept: it holds the note's reference. Only a last block that is itself over the limit is cut.
    """
    blocks = parse(markdown)
    raw = [_raw(block) for block in blocks]
    html = _CLEANER.clean("".join(raw))
    if limit is None or _bytes(html) <= limit:
        return html
    form = Format(render=lambda block: _CLEANER.clean(_raw(block)), size=_bytes)
    return "".join(fit(blocks, [_CLEANER.clean(piece) for piece in raw], limit, form))


def _raw(block: Block) -> str:
    return str(PARSER.renderer.render(block, PARSER.options, {}))


def _bytes(html: str) -> int:
    return len(html.encode())
