"""Strategies for Markdown: everything inside everything, what only resembles Markdown, and what means harm."""

import re
from dataclasses import dataclass

from hypothesis import strategies as st

LARGE = 100_000
"""Characters of the largest text: at least 100 kB."""

_LINE_STARTS = (
    *("", "", "> ", "- ", "* ", "1. ", "7) ", "0. ", "  ", "    ", "\t", "# ", "###### ", "> > ", "- - ", "> - # "),
)
_LINE_ENDS = ("\n", "\n", "\n\n", "  \n", "\\\n", "\r\n", "\r", "\n\n\n", "")
_MARKS = (
    *("word", " ", "  ", "*", "**", "***", "_", "~~", "`", "``", "[", "](", ")", "![", "[x]", "|", "| a | b |"),
    *(
        "|---|:-:|",
        "---",
        "***",
        "===",
        "```",
        "```py",
        "~~~",
        "    code",
        "\\",
        "\\*",
        "\\|",
        "{{x}}",
        "{%x%}",
        '"',
        "'",
    ),
    *("&amp;", "&#x202e;", "&#0;", "&lt;b&gt;", "&nbsp;", "&NewLine;", "&Tab;", "\u202e", "\u2066", "\x00", "\x1b[31m"),
    *("\ud800", "\u2028", "\u00a0", "\x0b", "\x0c", "\x1c", "😀", "مرحبا", "字"),
)
_RAW_HTML = (
    *("<b>", "</b>", "<script>alert(1)</script>", "<!-- -->", "<img src=x onerror=alert(1)>", "<p style=color:red>"),
    *("<a href='javascript:alert(1)'>", "<svg onload=x>", "<base href=//x>", "<![CDATA[", "<?x?>", "&lt;img src=x&gt;"),
)
ADDRESSES = (
    *(
        "http://a.b/c",
        "HTTPS://A.B",
        "mailto:a@b.c",
        "http://a.b/(c)",
        "<http://a b>",
        "http://字.b/ü?ü#ü",
        "http://a.b/%00",
    ),
    *(
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java&#10;script:x",
        "&#x6a;avascript:x",
        "javascript&colon;x",
        "javascript://a.b/%0ax",
    ),
    *(
        "\x01javascript:x",
        "\u202ejavascript:x",
        "vbscript:x",
        "data:text/html,x",
        "data:image/png;base64,x",
        "<data:x>",
    ),
    *(
        "//host/x",
        "/relative",
        "#x",
        "",
        "<>",
        "http://",
        "https:///x",
        "http://[::1",
        "file:///etc",
        "blob:x",
        "tel:1",
    ),
    *("http://a.b/'\"><script>", "http://a.b\\@c.d", "http&#58;//a.b", "http://a.b/{{x}}", "mailto:?subject=x"),
)
"""Of links, images and definitions; most of them harmful or broken."""
_WHOLES = (
    *("---", "===", "```\n```", "```py\nx = 1\n\n```", "# heading", "setext\n===", "~~~~\n```\n~~~~"),
    "| a | *b* | c |\n|---|:-:|--:|\n| `d` | [e](http://f.g) |\n|| **h** \\| i |",
    "- a\n\n  > b\n  > - c\n  >   1. d\n\n      code",
)

_link = st.tuples(
    st.sampled_from(("[", "![", "[`", "[*", "[![")),
    st.sampled_from(("x", "", "[y]", "a *b* `c`", "字")),
    st.sampled_from(("](", "`](", "*](", "](http://a.b)](", "]: ")),
    st.sampled_from(ADDRESSES),
    st.sampled_from((")", " 'title')", ' "t" )', "", "\n")),
).map("".join)
_autolink = st.sampled_from(ADDRESSES).map("<{}>".format)
_definition = st.sampled_from(ADDRESSES).map("\n\n[x]: {}\n\n".format)
_piece = st.sampled_from(_MARKS) | st.sampled_from(_RAW_HTML) | _link | _autolink | _definition | st.text(max_size=12)
_start = st.lists(st.sampled_from(_LINE_STARTS), max_size=3).map("".join)
_line = st.tuples(_start, st.lists(_piece, max_size=8).map("".join), st.sampled_from(_LINE_ENDS)).map("".join)


def _indented(start: str, block: str) -> str:
    """`block` behind `start`: its later lines behind the same quote marks, and as far in."""
    later = re.sub(r"[^>\t]", " ", start)
    return "\n" + start + block.replace("\n", "\n" + later) + "\n\n"


_whole = st.tuples(_start, st.sampled_from(_WHOLES)).map(lambda pair: _indented(*pair))
_repeated = st.tuples(_line | _whole | _piece, st.integers(2, 60)).map(lambda pair: pair[0] * pair[1])


def markdown(max_lines: int = 400) -> st.SearchStrategy[str]:
    """Markdown of up to about 50 `max_lines` characters, mostly of far less: lines, whole blocks, repeats of either."""
    lines = st.lists(_line | _whole | _repeated, max_size=max_lines)
    return lines.map("".join).map(lambda text: text[: max_lines * 50])


@dataclass(frozen=True)
class Repeated:
    """A large text as its recipe, which an error can show: each part over and over, in equal shares."""

    parts: tuple[str, ...]
    between: str
    size: int

    @property
    def text(self) -> str:
        """The text, of `size` characters."""
        share = self.size // len(self.parts)
        shares = ((part + self.between) * (share // len(part + self.between) + 1) for part in self.parts)
        return "\n\n".join(shares)[: self.size]


def large_markdown() -> st.SearchStrategy[Repeated]:
    """Markdown of 20,000 to `LARGE` characters, one in three of `LARGE`: a few short texts, over and over."""
    part = markdown(max_lines=6).map(lambda text: text or "word")
    return st.builds(
        Repeated,
        st.lists(part, min_size=1, max_size=4).map(tuple),
        st.sampled_from(("", "\n", "\n\n")),
        st.sampled_from((LARGE, 60_000, 20_000)),
    )
