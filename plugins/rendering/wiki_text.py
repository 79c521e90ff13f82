"""Jira's wiki markup to plain text."""

import re

from plugins.rendering.characters import tidy_lines

_MACRO = re.compile(r"\{(code|noformat|quote|panel|color)(?::([^{}\n]*+))?\}")
_TITLE = re.compile(r"(?:^|\|)title=([^|]+)")
_LITERAL = ("code", "noformat")

_LINK = re.compile(r"\[([^\[\]|\n]++)\|([^\[\]|\n]++)(?:\|smart-[a-z]++)?\]")
_BARE_LINK = re.compile(r"\[((?:https?://|mailto:)[^\[\]|\s]++)\]")
_PICTURE = re.compile(r"!([^!|\s][^!|\n]*\.\w{2,5})(?:\|(?:thumbnail|[a-z]++=[^!|\n]*+))?!")
_MONOSPACED = re.compile(r"\{\{([^{}\n]++)\}\}")
_EMPHASIS = re.compile(
    r"(?<![\w*\\])\*(?![\s*])([^*\n]+)(?<![\s\\])\*(?![\w*])|(?<![\w\\])_(?![\s_])([^_\n]+)(?<![\s\\])_(?!\w)"
)
_LINE_START = re.compile(r"^[ \t]*+(?:h[1-6]\.|bq\.)[ \t]++", re.MULTILINE)
_LIST_ITEM = re.compile(r"^[ \t]*+[*#-]{1,10}+[ \t]++(?=\S)", re.MULTILINE)
_TABLE_ROW = re.compile(r"^[ \t]*+\|(.*)$", re.MULTILINE)
_BARS = re.compile(r"(?:(?<![ \t])[ \t]++)?\|\|?[ \t]*+")
_FORCED_BREAK = re.compile(r"\\\\(?=\s|$)")
_ESCAPED = re.compile(r"\\([{}\[\]|!*])")


def wiki_to_text(wiki: str) -> str:
    """The text of Jira wiki markup. Only markup that is unmistakable goes; in doubt it stays, as text.

    `[text|address]` becomes "text (address)". What is inside `{code}` and `{noformat}` is kept to the letter.
    """
    parts: list[str] = []
    literal = ""
    start = 0
    for macro in _MACRO.finditer(wiki):
        name, parameters = macro[1], macro[2] or ""
        if literal and name != literal:
            continue
        between = wiki[start : macro.start()]
        parts.append(between if literal else _flowing(between))
        start = macro.end()
        if name in _LITERAL:
            literal = "" if literal else name
        if name != "color":
            title = _TITLE.search(parameters)
            parts.append(f"\n{title[1]}\n" if title else "\n")
    rest = wiki[start:]
    parts.append(rest if literal else _flowing(rest))
    return tidy_lines("".join(parts))


def _flowing(wiki: str) -> str:
    """Text outside of literal blocks, without its markup."""
    text = _PICTURE.sub(r"[\1]", wiki)
    text = _LINK.sub(lambda link: link[2] if link[1] == link[2] else f"{link[1]} ({link[2]})", text)
    text = _BARE_LINK.sub(r"\1", text)
    text = _MONOSPACED.sub(r"\1", text)
    text = _LINE_START.sub("", text)
    text = _LIST_ITEM.sub("- ", text)
    text = _EMPHASIS.sub(lambda emphasis: emphasis[1] or emphasis[2], text)
    text = _TABLE_ROW.sub(_row, text)
    text = _FORCED_BREAK.sub("\n", text)
    return _ESCAPED.sub(r"\1", text)


def _row(row: re.Match[str]) -> str:
    cells = row[1].strip().removeprefix("|").removesuffix("|").removesuffix("|")
    return _BARS.sub(" | ", cells).strip()
