"""JSON taken apart and put together again with one thing changed, and HTML looked through."""

import copy
import json
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl

Path = tuple[str | int, ...]
"""Where a value is in a JSON document: names and positions from the top."""


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where each value is, those around others included; the document itself is left out."""
    if at:
        yield at
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from paths(inner, (*at, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*at, index))


def value_at(document: Any, path: Path) -> Any:
    """What is there."""
    for part in path:
        document = document[part]
    return document


def with_value(document: Any, path: Path, value: Any) -> Any:
    """A copy with another value there."""
    changed = copy.deepcopy(document)
    value_at(changed, path[:-1])[path[-1]] = value
    return changed


def without(document: Any, path: Path) -> Any:
    """A copy in which it is missing."""
    changed = copy.deepcopy(document)
    del value_at(changed, path[:-1])[path[-1]]
    return changed


def strings(body: bytes) -> Iterator[str]:
    """Every string in a request's body, be it JSON or a form, JSON in a form's fields included."""
    text = body.decode(errors="replace")
    try:
        yield from _strings(json.loads(text))
    except ValueError:
        for _, value in parse_qsl(text):
            try:
                yield from _strings(json.loads(value))
            except ValueError:
                yield value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


_ACTIVE = frozenset(
    {
        "applet",
        "audio",
        "base",
        "body",
        "button",
        "embed",
        "form",
        "frame",
        "head",
        "html",
        "iframe",
        "img",
        "input",
        "link",
        "math",
        "meta",
        "object",
        "script",
        "select",
        "source",
        "style",
        "svg",
        "template",
        "textarea",
        "title",
        "video",
    }
)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            scheme = (value or "").strip().partition(":")[0].lower()
            if name.startswith("on") or name in ("style", "srcdoc") or scheme in ("javascript", "data", "vbscript"):
                self.found.append(f"{name} on <{tag}>")


def active_markup(html: str) -> list[str]:
    """What in a piece of HTML does something, loads something or dresses up as something."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found
