"""Markdown to HTML: what a technician sees in ServiceDesk Plus and Zendesk."""

import pytest

from plugins.rendering import to_html


def test_a_note_keeps_its_structure() -> None:
    note = (
        "## Printer\n\nA **bad** ~~good~~ driver.\n\n3. Restart\n4. Update\n\n"
        "> it\n> prints\n\n```sh\na < b\n```\n\nref `dh-1`"
    )
    assert to_html(note) == (
        "<h2>Printer</h2>\n<p>A <strong>bad</strong> <s>good</s> driver.</p>\n"
        '<ol start="3">\n<li>Restart</li>\n<li>Update</li>\n</ol>\n'
        "<blockquote>\n<p>it\nprints</p>\n</blockquote>\n<pre><code>a &lt; b\n</code></pre>\n"
        "<p>ref <code>dh-1</code></p>\n"
    )


def test_a_table_is_a_table() -> None:
    assert to_html("| a |\n|--:|\n| 1 |") == (
        "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n</tr>\n</tbody>\n</table>\n"
    )


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("", ""),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("<img src=x onerror=y>", "<p>&lt;img src=x onerror=y&gt;</p>\n"),
        ("![a <b>](https://a.b/c.png 'title')", "<p>a &lt;b&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](data:text/html,y)", "<p>[x](data:text/html,y)</p>\n"),
        ("[x]()", "<p>x</p>\n"),
        ("[x](https://a.b 'title')", '<p><a href="https://a.b" rel="noopener noreferrer">x</a></p>\n'),
        ("<me@a.b>", '<p><a href="mailto:me@a.b" rel="noopener noreferrer">me@a.b</a></p>\n'),
        ("a\u202eb\x00c\x1b[1m&#x2066;d\ud800", "<p>abc[1md</p>\n"),
        ("a  \nb", "<p>a<br>\nb</p>\n"),
    ],
)
def test_nothing_in_a_note_can_do_harm(markdown: str, expected: str) -> None:
    assert to_html(markdown) == expected


def test_marks_inside_the_same_mark_do_not_pile_up() -> None:
    assert to_html("*" * 20_000 + "x" + "*" * 20_000) == "<p><strong>x</strong></p>\n"
