"""Fitting a document into a size: whole blocks first, then inside a block, and the last block always."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from markdown_it.token import Token

from plugins.rendering.markdown import Block, parse

MARK = "… (shortened)"
"""The paragraph that stands where something was left out."""

Piece = TypeVar("Piece")

_WORD = 40
"""Characters given up so that a cut falls between words."""
_CLOSE_ENOUGH = 0.9
"""The part of the room that a cut block should fill; searching on costs more than the text is worth."""
_ATTEMPTS = 24
"""Tries to find where to cut. Half of them halve what is left, so they end at the best place in 4,096 or better."""


@dataclass(frozen=True)
class Format(Generic[Piece]):
    """What the cutting must know of an output format. The sizes of pieces add up."""

    render: Callable[[Block], Piece]
    """Renders one block (or the beginning of one, as `shorten` makes it)."""
    size: Callable[[Piece], int]


def fit(blocks: Sequence[Block], pieces: Sequence[Piece], limit: int, form: Format[Piece]) -> list[Piece]:
    """Of a document that is over `limit`, given as blocks and as the piece of each, pieces of that size at most.

    Leading blocks stay whole while they fit; when they fill less than half of the room, the beginning of the next one
    joins them. Then the mark, then the last block. If that one alone is over the limit, its last line stands for it:
    text before a note's footer can swallow it, an unclosed code block for one.
    """
    if not blocks:
        return []
    body, footer = len(blocks) - 1, pieces[-1]
    if form.size(footer) > limit:
        body, footer = len(blocks), form.render(_last_line(blocks[-1]))
    footers = [footer] if form.size(footer) <= limit else []
    mark = form.render(_paragraph(MARK))
    room = limit - sum(map(form.size, footers)) - form.size(mark)
    if room < 0:
        return footers
    kept: list[Piece] = []
    used = 0
    for index in range(body):
        size = form.size(pieces[index])
        if used + size > room:
            if used < room / 2:
                kept.extend(_beginning(blocks[index], size, room - used, form))
            break
        kept.append(pieces[index])
        used += size
    return [*kept, mark, *footers]


def _beginning(block: Block, size: int, room: int, form: Format[Piece]) -> list[Piece]:
    """The longest beginning of `block`, which has `size`, that was found to fit into `room`: one piece, or none."""
    best: list[Piece] = []
    keep = _characters(block)
    low, high = 0, min(room, keep)
    for attempt in range(_ATTEMPTS):
        if low >= high:
            break
        # In turn a guess, which is mostly right, and half-way, which is never far off.
        guess = keep * room // size if attempt % 2 == 0 else (low + high + 1) // 2
        keep = max(low + 1, min(high, guess))
        beginning = shorten(block, keep)
        piece = form.render(beginning)
        size = max(1, form.size(piece))
        if size > room:
            # Whatever is tried from here on is a beginning of this beginning.
            block, high = beginning, keep - 1
            continue
        best, low = [piece], keep
        if size >= room * _CLOSE_ENOUGH:
            break
    return best


def shorten(block: Block, keep: int) -> Block:
    """The beginning of `block` with at most `keep` characters of text, between words, and every element closed.

    A table's last row keeps all its cells, the ones after the cut empty.
    """
    tokens = iter(block)
    short: Block = []
    for token in tokens:
        if keep <= 0 and token.nesting != -1:
            short.extend(_closing(token, tokens))
            break
        if token.type == "inline":
            children = _shorten_inline(token.children or [], keep)
            keep -= _length(token)
            token = replace(token, children=children)
        elif token.content:
            text = _between_words(token.content, keep)
            keep -= len(token.content)
            token = replace(token, content=text)
        short.append(token)
    return short


def _closing(first: Token, rest: Iterable[Token]) -> Iterable[Token]:
    """Of the tokens after a cut, those that close what was open, and the cells up to the end of a table's row."""
    in_row = first.type in ("th_open", "td_open")
    opened = 0
    for token in [first, *rest]:
        if in_row and token.type in ("th_open", "th_close", "td_open", "td_close"):
            yield token
            continue
        if token.type == "tr_close":
            in_row = False
        if token.nesting == 1:
            opened += 1
        elif token.nesting == -1:
            if opened:
                opened -= 1
            else:
                yield token


def _shorten_inline(children: list[Token], keep: int) -> list[Token]:
    tokens = iter(children)
    short: list[Token] = []
    for token in tokens:
        if keep <= 0 and token.nesting != -1:
            short.extend(_closing(token, tokens))
            break
        length = _length(token)
        if length > keep:
            token = replace(token, content=_between_words(token.content, keep))
        keep -= length
        short.append(token)
    return short


def _between_words(text: str, keep: int) -> str:
    if len(text) <= keep:
        return text
    space = text.rfind(" ", max(0, keep - _WORD), keep)
    return text[: space if space > 0 else keep]


def _characters(block: Block) -> int:
    return sum(map(_length, block))


def _length(token: Token) -> int:
    """Characters of text in a token; a line break counts as one."""
    if token.type == "inline":
        return sum(map(_length, token.children or []))
    return 1 if token.type in ("softbreak", "hardbreak") else len(token.content)


def _last_line(block: Block) -> Block:
    """The last line of text in `block`, as a block of its own."""
    token = next((token for token in reversed(block) if token.content.strip()), None)
    line = token.content.rstrip().rpartition("\n")[2] if token else ""
    if token and token.type == "inline":
        return next(islice(parse(line), 1), _paragraph(line))
    return _paragraph(line)


def _paragraph(text: str) -> Block:
    children = [Token("text", "", 0, content=text)]
    return [
        Token("paragraph_open", "p", 1, block=True),
        Token("inline", "", 0, content=text, children=children, level=1, block=True),
        Token("paragraph_close", "p", -1, block=True),
    ]
