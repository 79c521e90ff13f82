"""How text is laid out on a terminal."""

import textwrap
from collections.abc import Iterable, Iterator

WIDTH = 100
"""Columns that text is wrapped at."""


def wrapped(text: str, first: str = "", others: str | None = None) -> list[str]:
    """Lines of `text`, the first after `first` and the others after `others`. Options and addresses stay whole."""
    return textwrap.wrap(
        " ".join(text.split()),
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if others is None else others,
        break_on_hyphens=False,
        break_long_words=False,
    )


def numbered(steps: Iterable[str]) -> Iterator[str]:
    """Lines of the steps under their numbers. What a step has on lines of its own, to be copied, stays as it is."""
    for number, step in enumerate(steps, start=1):
        prose, *copied = step.split("\n")
        yield from wrapped(prose, f" {number}. ", "    ")
        yield from (f"      {line}" for line in copied)
