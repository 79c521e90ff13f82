"""Strategies for webhook bodies: what the tools send, what an odd template makes of it, and what means harm.

`MARKER` is planted all over: neither an answer that refuses nor a log may hold it.
"""

import copy
import gzip
import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from plugins.payload import MAX_DEPTH
from plugins.types import Payload
from tests.support.signed_tool import TOOL as SIGNED_TOOL

MARKER = "planted-4f6a"
PLANTED = MARKER.encode()

MAX_SHOWN = 1_000


class Raw(bytes):
    """Bytes of any length, of which an error shows the beginning."""

    def __repr__(self) -> str:
        """As of bytes, with what is left out counted."""
        shown = repr(bytes(self[:MAX_SHOWN]))
        return shown if len(self) <= MAX_SHOWN else f"<{shown} and {len(self) - MAX_SHOWN} bytes more>"


# Bodies as vendors send them, each as fields that may be there or not, and odd ones beside them.
_JIRA_ISSUE: Payload = {
    "id": "10001",
    "key": "IT-1",
    "fields": {
        "summary": MARKER,
        "description": f"h1. Printer\n{MARKER}",
        "priority": {"id": "2", "name": "High"},
        "created": "2026-01-02T03:04:05.678+0530",
        "updated": "2026-01-02T03:04:05.678+0530",
        "resolution": None,
        "resolutiondate": None,
        "status": {"name": "To Do", "statusCategory": {"id": 2, "key": "new"}},
    },
}
_ADF = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": MARKER}]}]}
SAMPLES: dict[str, tuple[Payload, ...]] = {
    "jira": (
        {
            "webhookEvent": "jira:issue_created",
            "timestamp": 1767300000000,
            "user": {"accountId": "557058:someone"},
            "issue": _JIRA_ISSUE,
            "changelog": {"items": []},
        },
        {
            "webhookEvent": "jira:issue_updated",
            "user": {"accountId": "own"},
            "issue": {**_JIRA_ISSUE, "fields": {**_JIRA_ISSUE["fields"], "description": _ADF}},
            "changelog": {"items": [{"field": "resolution", "fieldId": "resolution", "from": None, "to": "10000"}]},
        },
        {
            "webhookEvent": "comment_created",
            "comment": {"author": {"accountId": "own"}, "updateAuthor": {"accountId": "own"}, "body": MARKER},
            "issue": _JIRA_ISSUE,
        },
        _JIRA_ISSUE,
        {
            "event": "resolved",
            "ticket_id": "IT-1",
            "description": f"<p>{MARKER}</p>",
            "priority": "Low",
            "resolved_at": "2026-01-02T03:04:05Z",
            "actor_id": "own",
        },
    ),
    "zendesk": (
        {
            "type": "zen:event-type:ticket.created",
            "time": "2026-01-02T03:04:05.123456789Z",
            "subject": "zen:ticket:35436",
            "detail": {
                "id": "35436",
                "subject": MARKER,
                "description": MARKER,
                "priority": "HIGH",
                "status": "OPEN",
                "actor_id": "8447388090494",
                "created_at": "2026-01-02T03:04:05Z",
                "updated_at": "2026-01-02T03:04:05Z",
            },
            "event": {},
        },
        {
            "type": "zen:event-type:ticket.status_changed",
            "subject": "zen:ticket:35436",
            "detail": {"actor_id": "own", "updated_at": "2026-01-02T03:04:05Z"},
            "event": {"current": "SOLVED", "previous": "OPEN"},
        },
        {"ticket_id": 35436, "event": "ticket_solved", "resolved_at": "2026-01-02T03:04:05Z", "status": "solved"},
        {"ticket_id": "35436", "description": MARKER, "priority": "Urgent", "created_at": "2026-01-02T03:04:05Z"},
    ),
    "servicedesk_plus": (
        {
            "event": "ticket_created",
            "ticket_id": "142",
            "subject": MARKER,
            "description": f"<div>{MARKER}<br></div>",
            "priority": "High",
            "status": "Open",
            "created_at": 1767300000000,
            "actor_id": "5",
        },
        {
            "Event Name": "Request Closed",
            "request": {
                "id": "142",
                "description": MARKER,
                "priority": {"name": "Urgent"},
                "status": {"name": "Closed", "internal_name": "Closed"},
                "created_time": {"value": "1767300000000", "display_value": "Jan 1, 2026"},
                "completed_time": {"value": "1767300000000"},
            },
            "actor": {"id": "own"},
        },
        {"$WorkOrder_ID": "142"},
    ),
    SIGNED_TOOL: ({"ticket_id": "T-1", "description": MARKER}, {"ticket_id": "T-2", "event": "other", "version": "1"}),
}

_NUMBERED = ("IT-1", "35436", "zen:ticket:35436", 35436, "142", "T-1", "T-2")
"""Where the samples have the ticket's number."""

_ODD_TEXTS = (
    *(MARKER, f"{MARKER}\n", "", " ", "\x00", "\r\n", "\x1b[31m", "\u202e", "\u2028", "\ufeff", "😀", "\ud800", "字"),
    *("IT-1", "it-0", "-", "1", "0", "-1", "00042", "9" * 20, "9" * 21, "٣", "²", "1e5", "null", "true", "own", "dh-"),
    *("created", "RESOLVED", "closed", "zen:event-type:", "zen:ticket:", "jira:", "comment_", "done", "High", "ticket"),
    *("2026-01-02T03:04:05Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-13-01", "T"),
    *("2026-W01-1",),
    *("99999999999999", "999999999999999", "<p>x</p", "<" * 3000, "&#x110000;", "{code}" * 200, "[x|" * 500),
    *("*_" * 900,),
    *("x" * 101, "x" * 70_000, "../../etc/passwd", "${jndi:ldap://x}", "{{ticket.id}}", "$request_id", "%00"),
    *("' OR 1=1",),
)
_ODD_NUMBERS = (0, -1, 35436, 2**31, 2**63, 2**64, -(2**63) - 1, 10**19, 10**20, 10**400, 10**4000, 0.1, -0.0, 1e308)

texts = st.sampled_from(_ODD_TEXTS) | st.text(max_size=20)
_scalars = texts | st.sampled_from(_ODD_NUMBERS) | st.integers() | st.sampled_from((None, True, False))
_NAMES = (
    *("id", "key", "name", "value", "fields", "issue", "detail", "request", "event", "type", "status", "priority"),
    *("ticket_id", "tenant_id", "subject", "description", "created_at", "resolved_at", "actor", "actor_id", "user"),
    *("text", "content", "attrs", "marks", "items", "to", "field", "accountId", "author", "comment", "changelog"),
)
_names = st.sampled_from(_NAMES) | texts
values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=5),
    max_leaves=12,
)
"""Any JSON value; half surrogates among them, which JSON can only escape."""


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a value, with each key or index of it."""
    pairs: Sequence[tuple[Any, Any]] = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else ()
    )
    for key, inner in pairs:
        yield value, key
        yield from _places(inner)


def _about(number: int, sample: Payload) -> Payload:
    """A copy of a sample that is about another ticket."""
    body = copy.deepcopy(sample)
    for container, key in _places(body):
        if container[key] in _NUMBERED:
            container[key] = re.sub("[0-9]+", str(number), str(container[key]))
    return body


@st.composite
def payloads(draw: st.DrawFn, tool: str) -> Payload:
    """A vendor's body with up to three fields removed, replaced, wrapped or added; or any object at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.dictionaries(_names, values, max_size=6))
    body = _about(draw(st.integers(1, 10**9)), draw(st.sampled_from(SAMPLES[tool])))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(body))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(("remove", "replace", "replace", "replace", "wrap", "add"))):
            case "remove":
                del container[key]
            case "replace":
                container[key] = draw(values)
            case "wrap":
                container[key] = draw(
                    st.sampled_from(([container[key]], {"value": container[key]}, [[]], {"name": {}}))
                )
            case _ if isinstance(container, dict):
                container[draw(_names)] = draw(values)
            case _:
                container.append(draw(values))
    return body


def _deep(raw: bytes, levels: int) -> bytes:
    return b'{"d":' + b"[" * levels + raw + b"]" * levels + b"}"


def _with_member(raw: bytes, member: bytes) -> bytes:
    """The object with one more member in front."""
    return raw.replace(b"{", b"{" + member + b",", 1)


_MEMBERS = (
    *(b'"n":NaN', b'"n":-Infinity', b'"n":1e999', b'"n":-1e-999', b'"n":' + b"9" * 5000, b'"n":01', b'"n":+1'),
    *(b'"n":.5',),
    *(b'"s":"\\ud800"', b'"s":"\\udc00\\ud800"', b'"\\uD800":1', b'"s":"\\x"', b'"s":"\\u12"', b'"s":"\x00\x01\n\t"'),
    *(b'"ticket_id":"1"', b'"id":[]', b'"event":{}', b'"tenant_id":null', b'"tenant_id":"' + PLANTED + b'"', b'"":0'),
    *(b'"tenant_id":"a","tenant_id":"b"', b'"tenant_id":null,"\\u0074enant_id":null', b'"tenant_id":[["a"]]'),
    *(b'"s":"\xff' + PLANTED + b'"', b'"s":"\xed\xa0\x80"', b'"s":"\xc0\xaf"', b'"s":"\xf4\x90\x80\x80"', b"1:2", b""),
)


@st.composite
def _damaged(draw: st.DrawFn, raw: bytes) -> bytes:
    """Bytes that were a JSON object, and may be none any more."""
    at = draw(st.integers(0, len(raw)))
    match draw(st.sampled_from(("cut", "flip", "insert", "member", "member", "member", "deep", "encoding", "tail"))):
        case "cut":
            return raw[:at]
        case "flip":
            return raw[:at] + draw(st.binary(min_size=1, max_size=2)) + raw[at + 1 :]
        case "insert":
            odd = st.sampled_from((b'"', b"\\", b"{", b"}", b"[", b"]", b",", b"\x00", b"\xff", b"/*x*/", b"\\u", b"0"))
            return raw[:at] + draw(odd) + raw[at:]
        case "member":
            return _with_member(raw, draw(st.sampled_from(_MEMBERS)))
        case "deep":
            return _deep(raw, draw(st.sampled_from((1, 50, MAX_DEPTH - 2, MAX_DEPTH - 1, MAX_DEPTH, 2000, 30_000))))
        case "encoding":
            text = raw.decode()
            return draw(
                st.sampled_from(
                    (
                        b"\xef\xbb\xbf" + raw,
                        text.encode("utf-16"),
                        text.encode("utf-32-le"),
                        text.encode("utf-7"),
                        text.encode("latin-1", "replace"),
                        gzip.compress(raw, mtime=0),
                    )
                )
            )
        case _:
            return raw + draw(st.sampled_from((b"\x00", b"}", b"{}", b"\n\n ", raw, b"//", b"," + raw, PLANTED)))


_NO_OBJECTS = (
    b"",
    b" ",
    b"[]",
    b"null",
    b'"' + PLANTED + b'"',
    b"1",
    b"{",
    b"}",
    b"[" * 50_000,
    b"{}{}",
    b"tenant_id=a",
)


@st.composite
def raw_bodies(draw: st.DrawFn, tool: str) -> bytes:
    """The body of a delivery: mostly JSON of a shape like the tool's, often damaged, sometimes anything."""
    kind = draw(st.integers(0, 19))
    if kind == 0:
        return Raw(draw(st.sampled_from(_NO_OBJECTS)))
    if kind == 1:
        return draw(st.binary(max_size=200))
    body = draw(payloads(tool))
    raw = json.dumps(
        body,
        ensure_ascii=_has_half(body) or draw(st.booleans()),
        indent=draw(st.sampled_from((None, None, 1, "\t"))),
        separators=draw(st.sampled_from((None, (",", ":"), (" ,\r\n", "\t: ")))),
    ).encode()
    return Raw(draw(_damaged(raw)) if kind < 8 else raw)


def _refuse(name: str) -> None:
    raise ValueError(name)


def parsed(raw: bytes) -> Payload | None:
    """The object that a lenient reader makes of a body; `None` if it is none, whoever reads it."""
    try:
        body = json.loads(raw.decode(), strict=False, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def bites(raw: bytes) -> bool:
    """Whether a body that parses is to be refused all the same."""
    text = raw.decode()
    numbers: list[float] = []
    tenants: list[int] = []

    def fraction(digits: str) -> float:
        numbers.append(float(digits))
        return numbers[-1]

    def members(pairs: list[tuple[str, Any]]) -> Payload:
        tenants.append(sum(name == "tenant_id" for name, _ in pairs))
        return dict(pairs)

    body = json.loads(text, strict=False, parse_float=fraction, object_pairs_hook=members)
    return any(map(math.isinf, numbers)) or max(tenants) > 1 or _has_half(body) or _depth(text) > MAX_DEPTH


def _has_half(body: Payload) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in json.dumps(body, ensure_ascii=False))


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in re.sub(r'"(?:[^"\\]|\\.)*"', "", text, flags=re.DOTALL):
        depth += (character in "[{") - (character in "]}")
        deepest = max(deepest, depth)
    return deepest
