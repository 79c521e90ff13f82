"""The one Markdown parser: CommonMark with tables and strikethrough, and nothing in it that could do harm."""

import re
from collections import Counter
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from plugins.rendering.bounds import bound
from plugins.rendering.characters import printable

Block = list[Token]
"""The tokens of one block at the top level, from its opening to its closing token."""

MAX_ADDRESSES = 100_000
"""Characters of the addresses of all links of a document; links beyond are text.

A single definition of an address may be used thousands of times. No tool's note holds as much.
"""

_WEB_OR_MAIL = re.compile(r"https?://[^/?#]|mailto:[^?]", re.IGNORECASE)


def is_safe_link(url: str) -> bool:
    """Whether `url` may be clickable: an absolute http(s) address with a host, or a mailto address."""
    if not _WEB_OR_MAIL.match(url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "mailto" or bool(parts.hostname)
    except ValueError:
        return False


class _Parser(MarkdownIt):
    """A parser for which a link to anything but the web or a mailbox is ordinary text."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the name is markdown-it's
        return is_safe_link(url)


def _tidy_inlines(state: StateCore) -> None:
    """A core rule: images become their alt text, marks inside the same mark go, entities cannot smuggle controls."""
    room = MAX_ADDRESSES
    for token in state.tokens:
        if token.children:
            token.children, room = _tidy(token.children, room)


def _tidy(children: list[Token], room: int) -> tuple[list[Token], int]:
    """The tokens, tidied, and how many characters of addresses there is room for after them."""
    tidy: list[Token] = []
    depth: Counter[str] = Counter()
    linked = False
    for token in children:
        if token.type == "image":
            tidy.append(Token("text", "", 0, content=printable(_alt_text(token))))
            continue
        if token.nesting:
            depth[token.tag] += token.nesting
            # The outermost of its kind opens at 1 and closes at 0. Thousands of nested marks cost others dearly.
            if depth[token.tag] != (1 if token.nesting == 1 else 0):
                continue
        if token.type == "link_open":
            address = str(token.attrs["href"])
            # The parser asks `validateLink` about every address but the empty one.
            linked = 0 < len(address) <= room
            if not linked:
                continue
            room -= len(address)
            token.attrs = {"href": address}
        elif token.type == "link_close" and not linked:
            continue
        elif token.type == "text":
            token.content = printable(token.content)
        tidy.append(token)
    return tidy, room


def _alt_text(image: Token) -> str:
    """What an image's description says, without its marks. It may hold images itself."""
    parts: list[str] = []
    todo = [image]
    while todo:
        token = todo.pop()
        if token.children:
            todo.extend(reversed(token.children))
        else:
            parts.append(" " if token.type in ("softbreak", "hardbreak") else token.content)
    return "".join(parts)


def _make_parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False}).enable(["table", "strikethrough"])
    bound(parser)
    parser.core.ruler.push("tidy_inlines", _tidy_inlines)
    return parser


PARSER = _make_parser()
"""Safe to share between threads: a parse keeps its state to itself."""


def parse(markdown: str) -> list[Block]:
    """The top-level blocks of `markdown`. Raw HTML in it is text."""
    blocks: list[Block] = []
    block: Block = []
    for token in PARSER.parse(printable(markdown)):
        block.append(token)
        if token.level == 0 and token.nesting != 1:
            blocks.append(block)
            block = []
    return blocks
