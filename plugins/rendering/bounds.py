"""What keeps hostile Markdown from costing more than its size: block rules, each markdown-it's own within a bound.

Notes do not reach these bounds. What lies beyond one is still shown, as plainer text.
"""

from markdown_it import MarkdownIt
from markdown_it import rules_block as plain
from markdown_it.rules_block import StateBlock

MAX_LEVEL = 16
"""Levels of nesting (a quote is one, a list is two); what lies deeper is shown as a paragraph at that level.

Below the parser's own limit of 20, where it would drop the text.
"""

MAX_CELLS = 10_000
"""Cells of all tables of a document; rows beyond are text. More than fit into any tool's note (Zendesk: 6,400).

The parser makes up the cells that a row lacks: without a bound, a table of 100 bytes can have thousands.
"""

MAX_LAZY_LINES = 10_000
"""Lines looked through for quotes that go on after lines without their mark; after that many, none goes on.

The parser looks at all lines that might still belong to a quote, and at most of them again for the next one.
"""


def bound(parser: MarkdownIt) -> None:
    """Make `parser` keep to this module's bounds."""
    rules = parser.block.ruler
    rules.at("table", _table, {"alt": ["paragraph", "reference"]})
    rules.at("blockquote", _quote, {"alt": ["paragraph", "reference", "blockquote", "list"]})
    rules.before("table", "text_when_too_deep", _text_when_too_deep)


def _text_when_too_deep(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """Beyond `MAX_LEVEL`, everything up to the end of the container is one paragraph."""
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


def _table(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A table, of as many rows as `MAX_CELLS` leaves room for."""
    delimiters = start_line + 1
    if delimiters >= end_line:
        return False
    row = state.src[state.bMarks[delimiters] : state.eMarks[delimiters]]
    columns = row.strip().strip("|").count("|") + 1
    used = state.env.get("cells", 0)
    rows = (MAX_CELLS - used) // columns
    if rows < 1 or not plain.table(state, start_line, min(end_line, delimiters + rows), silent):
        return False
    if not silent:
        state.env["cells"] = used + columns * (state.line - delimiters)
    return True


def _quote(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    """A quote, which goes on after lines without its mark as long as `MAX_LAZY_LINES` allows."""
    if silent or not _marked(state, start_line):
        return plain.blockquote(state, start_line, end_line, silent)
    line = start_line + 1
    while line < end_line and _marked(state, line):
        line += 1
    looked_through = state.env.get("lazy_lines", 0)
    if line < end_line and not state.isEmpty(line) and looked_through <= MAX_LAZY_LINES:
        while line < end_line and not state.isEmpty(line):
            line += 1
        state.env["lazy_lines"] = looked_through + line - start_line
    return plain.blockquote(state, start_line, line, silent)


def _marked(state: StateBlock, line: int) -> bool:
    return state.src.startswith(">", state.bMarks[line] + state.tShift[line])
