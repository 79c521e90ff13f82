"""The one Markdown parser: CommonMark with tables and strikethrough, and nothing in it that could do harm."""

import re
from collections import Counter
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from plugins.rendering.characters import printable

Block = list[Token]
"""The tokens of one block at the top level, from its opening to its closing token."""

MAX_LEVEL = 16
"""Levels of nesting (a quote is one, a list is two); what lies deeper is shown as a paragraph at that level.

Below the parser's own limit of 20, where it would drop the text.
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


def _text_when_too_deep(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A block rule: beyond `MAX_LEVEL`, everything up to the end of the container is one paragraph."""
    if silent or state.level < MAX_LEVEL:
        return False
    line = start_line + 1
    while line < end_line and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        line += 1
    state.line = line
    state.push("paragraph_open", "p", 1)
    inline = state.push("inline", "", 0)
    inline.content = state.getLines(start_line, line, state.blkIndent, False).strip()
    inline.children = []
    state.push("paragraph_close", "p", -1)
    return True


def _tidy_inlines(state: StateCore) -> None:
    """A core rule: images become their alt text, marks inside the same mark go, entities cannot smuggle controls."""
    for token in state.tokens:
        if token.children:
            token.children = _tidy(token.children, state)


def _tidy(children: list[Token], state: StateCore) -> list[Token]:
    tidy: list[Token] = []
    depth: Counter[str] = Counter()
    for token in children:
        if token.type == "image":
            alt = state.md.renderer.renderInlineAsText(token.children, state.md.options, state.env)  # type: ignore[attr-defined] # the renderer is RendererHTML
            tidy.append(Token("text", "", 0, content=printable(alt)))
            continue
        if token.nesting:
            depth[token.tag] += token.nesting
            # The outermost of its kind opens at 1 and closes at 0. Thousands of nested marks cost others dearly.
            if depth[token.tag] != (1 if token.nesting == 1 else 0):
                continue
        elif token.type == "text":
            token.content = printable(token.content)
        tidy.append(token)
    return tidy


def _make_parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.block.ruler.before("table", "text_when_too_deep", _text_when_too_deep)
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
