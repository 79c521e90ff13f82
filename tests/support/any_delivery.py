"""Strategies for what reaches the starter: deliveries forged in every way, any HTTP, and bytes that are none."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hypothesis import strategies as st

from plugins.servicedesk_plus import authentication as servicedesk_plus
from plugins.signatures import hmac_sha256
from plugins.zendesk import webhook as zendesk
from tests.support.any_body import PLANTED, Raw, raw_bodies
from tests.support.raw_http import JSON_TYPE, Call, Headers
from tests.support.signed_tool import TOOL as SIGNED_TOOL

PATH_MARKER = "planted-in-path"
"""Stands in paths. These are logged, and so is the id that a vendor gives to a delivery."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A tenant's tool, which knows its webhook secret."""

    tool: str
    tenant_id: str
    scheme: str | None
    secret: str

    @property
    def target(self) -> bytes:
        """Where it sends to."""
        return f"/webhooks/{self.tool}/{self.tenant_id}".encode()

    def signed(self, raw: bytes) -> Headers:
        """The headers that make a body authentic now."""
        secret = self.secret.encode()
        digest = b"sha256=" + hmac_sha256(self.secret, raw).hex().encode()
        match self.tool, self.scheme:
            case (_, "header") | ("servicedesk_plus", None):
                return ((servicedesk_plus.SECRET_HEADER.encode(), secret),)
            case _, "basic":
                return ((b"Authorization", b"Basic " + b64encode(b"anyone:" + secret)),)
            case "servicedesk_plus", _:
                return ((servicedesk_plus.HMAC_HEADER.encode(), digest),)
            case "zendesk", _:
                timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                return (
                    (zendesk.SIGNATURE_HEADER.encode(), zendesk.sign(self.secret, timestamp, raw).encode()),
                    (zendesk.TIMESTAMP_HEADER.encode(), timestamp.encode()),
                )
            case "jira", _:
                return ((b"X-Hub-Signature", digest),)
        return ((b"X-Signature", digest),)


SIGNATURE_HEADERS = (
    *(b"X-Hub-Signature", b"X-Signature", b"X-Deskhand-Secret", b"X-ServiceDesk-Signature", b"Authorization"),
    *(b"X-Zendesk-Webhook-Signature", b"X-Zendesk-Webhook-Signature-Timestamp"),
)
_DIGEST = b"0123456789abcdef" * 4
_ODD_VALUES = (
    *(b"", b" ", PLANTED, b"sha256=", b"sha256=" + _DIGEST, b"SHA256=" + _DIGEST, b"sha1=" + _DIGEST, _DIGEST),
    *(b"=", b","),
    *(b"static-sha256=" + _DIGEST, b"Basic", b"Basic ", b"Basic Og==", b"Basic " + PLANTED, b"Basic \xff", b"Bearer x"),
    *(b"Basic " + b"A" * 5000, b"basic bm9jb2xvbg==", b"\xff\xfe", b"\xc3\xa9", "٣".encode(), b"t=,v1="),
    *(b"2026-01-02T03:04:05Z", b"9" * 15, b"9" * 400, b"0001-01-01T00:00:00+23:59", b"null", b"None", b"x" * 8_000),
)
MAX_HEADERS = 20_000
"""Bytes of headers that are drawn, and of a path: a request's head is refused at about 65,000."""


def _fitting(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Those that come first, as far as they fit."""
    return tuple(
        header for n, header in enumerate(headers) if len(b"".join(map(b"".join, headers[: n + 1]))) < MAX_HEADERS
    )


# What h11 lets through: no control characters, and no white space at the ends.
_header_bytes = st.binary(max_size=40).map(lambda raw: re.sub(rb"[\x00-\x20\x7f]", b"~", raw))
header_values = st.sampled_from(_ODD_VALUES) | _header_bytes


@st.composite
def forged(draw: st.DrawFn, senders: Sequence[Sender]) -> tuple[Sender, bytes, Headers]:
    """A tenant's tool, a body, and headers that do not make the body the tool's."""
    sender = draw(st.sampled_from(senders))
    raw = draw(raw_bodies(sender.tool))
    others = [other for other in senders if other is not sender]
    return sender, raw, draw(_wrong_signatures(sender, others, raw))


@st.composite
def _wrong_signatures(draw: st.DrawFn, sender: Sender, others: Sequence[Sender], raw: bytes) -> Headers:
    match draw(st.sampled_from(("none", "odd", "odd", "other body", "other secret", "cut"))):
        case "none":
            return ()
        case "odd":
            names = st.sampled_from(SIGNATURE_HEADERS)
            return _fitting(draw(st.lists(st.tuples(names, header_values), min_size=1, max_size=4)))
        case "other body" if (sender.tool, sender.scheme) in PROTECTING:
            return sender.signed(raw + b" ")
        case "cut":
            return tuple((name, value[:-1]) for name, value in sender.signed(raw))
        case _:
            return draw(st.sampled_from(others)).signed(raw)


PROTECTING = frozenset(
    {("jira", None), ("zendesk", None), ("servicedesk_plus", "hmac"), (SIGNED_TOOL, None)},
)
"""Tools and schemes whose signature covers the body."""

_segments = st.sampled_from(
    (
        *("acme", "a" * 64, "a" * 65, "a" * 8_000, "a_b", "%61cme", "acme%00", "acme%0a", "acme%2F..", "%2e%2e"),
        *("%", "%zz"),
        *("%F0%9F%92%A5", "%ff%fe", "%ED%A0%80", "..", ".", "", "*", "{tenant_id}", "a;b=c", "a:b", "a@b", "a b"),
        *("'", '"'),
        *(PATH_MARKER, "deskhand-readiness-probe", "-", "%25", "%2561", "\\", "acme?", "acme?tenant_id=b", "acme#x"),
    )
)
TOOLS = ("jira", "zendesk", "servicedesk_plus")
_tools = st.sampled_from((*TOOLS, *TOOLS, "telex", "JIRA", "jira%00", "", "jira%0a", "%6aira", "..", "x" * 5000))
_fixed_targets = st.sampled_from(
    (
        *("/", "//", "/webhooks", "/webhooks/", "/healthz", "/readyz", "/healthz/", "/readyz?x=1", "*", "x"),
        *("/%", "/\x7f", "/docs", "/metrics"),
        *("http://evil.example/webhooks/jira/acme", "/webhooks//acme", "//evil.example/webhooks/jira"),
    )
)


@st.composite
def targets(draw: st.DrawFn) -> bytes:
    """What a request line may ask for: printable ASCII but for what only resembles it."""
    if draw(st.integers(0, 3)) == 0:
        return draw(_fixed_targets).encode("latin-1")
    segments = [draw(_tools), *draw(st.lists(_segments, max_size=3))]
    return ("/webhooks/" + "/".join(segments)).replace(" ", "+").encode("latin-1")[:MAX_HEADERS]


_METHODS = (
    *([b"POST"] * 8),
    *(b"GET", b"HEAD", b"PUT", b"OPTIONS", b"TRACE", b"DELETE", b"PATCH", b"post", b"PRI", b"A!#"),
)

_JSON = b"application/json"
_ODD_HEADERS: Mapping[bytes, tuple[bytes, ...]] = {
    b"Content-Type": (
        *(_JSON + b"; charset=utf-8", _JSON + b";charset=\xff", b"APPLICATION/JSON", _JSON + b";;;=", _JSON + b" ; x"),
        *(b"text/plain", b"", b"application/jsonp", b"multipart/form-data", _JSON + b", text/html", b"\xff", PLANTED),
    ),
    b"Content-Encoding": (b"gzip", b"identity", b"", b"IDENTITY", b"br, gzip", b"\xff", PLANTED),
    b"Expect": (b"100-continue", b"100-CONTINUE", PLANTED),
    b"Connection": (b"close", b"keep-alive", b"upgrade", b"\xff", b"close, upgrade", b"X-Signature"),
    b"Upgrade": (b"websocket", b"h2c", b"TLS/1.0", b"\xff"),
    b"Forwarded": (b"for=\xff", PLANTED),
    b"X-Forwarded-For": (PLANTED,),
    b"X-Forwarded-Proto": (b"https",),
    b"X-HTTP-Method-Override": (b"DELETE",),
    b"X-Atlassian-Webhook-Identifier": (b"\xff\xfe", b"a" * 5000, b"", b"1\t2"),
    b"Cookie": (PLANTED,),
    b"Referer": (PLANTED,),
    b"Range": (b"bytes=0-",),
    b"TE": (b"trailers",),
    b"Sec-WebSocket-Key": (b"x",),
    b"Host": (b"\xff", b""),
    b"X-Long": (b"x" * 8_000,),
    b"X" * 1000: (b"",),
    b"!#$%&'*+-.^_`|~": (b"1",),
}
_odd_header = st.sampled_from([(name, value) for name, values in _ODD_HEADERS.items() for value in values])
any_headers = st.lists(_odd_header | st.tuples(st.sampled_from(SIGNATURE_HEADERS), header_values), max_size=5).map(
    _fitting
)

CHANGING = frozenset({b"content-type", b"content-encoding", b"host", *(name.lower() for name in SIGNATURE_HEADERS)})
"""Headers of which another one may change what becomes of a delivery."""


@st.composite
def odd_calls(draw: st.DrawFn) -> Call:
    """Well-formed HTTP that nobody signed: any method, path, headers and framing."""
    headers = draw(any_headers)
    if draw(st.booleans()):
        headers = JSON_TYPE + headers
    body = draw(raw_bodies(draw(st.sampled_from(TOOLS))) | st.just(b"x" * 100_000))
    chunk = draw(st.none() | st.integers(max(1, len(body) // 50), 70_000))
    return Call(draw(targets()), headers, body, draw(st.sampled_from(_METHODS)), chunk)


_LINE = b"POST /webhooks/jira/acme HTTP/1.1\r\n"
_HEAD = _LINE + b"Host: x\r\nContent-Type: application/json\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN: dict[str, bytes] = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + PLANTED + b"\r\n\r\n",
    "HTTP/0.9": b"GET /" + PLANTED + b"\r\n\r\n",
    "no version": b"POST /webhooks/jira/acme\r\nHost: x\r\n\r\n",
    "strange version": b"POST / HTTP/9.99\r\nHost: x\r\n\r\n",
    "no host": _LINE + b"\r\n",
    "two hosts": _LINE + b"Host: a\r\nHost: b\r\n\r\n",
    "bytes in the target": b"POST /webhooks/jira/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "control in the target": b"POST /webhooks/jira/\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
    "space in the target": b"POST /webhooks/jira/a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a header": _HEAD + b"X-Hub-Signature: a\x00b\r\n\r\n",
    "bare CR in a header": _HEAD + b"X: a\rb\r\n\r\n",
    "folded header": _HEAD + b"X: a\r\n " + PLANTED + b"\r\n\r\n",
    "header without colon": _HEAD + PLANTED + b"\r\n\r\n",
    "space before the colon": _HEAD + b"X : a\r\n\r\n",
    "headers of 70 KB": _HEAD + b"".join(b"X-%d: %b\r\n" % (n, b"x" * 1000) for n in range(70)) + b"\r\n",
    "header of 200 KB": _HEAD + b"X: " + b"x" * 200_000 + b"\r\n\r\n",
    "headers by the thousand": _HEAD + b"a:\r\n" * 30_000 + b"\r\n",
    "endless header": _HEAD + b"X: " + b"x" * 150_000,
    "no length": _HEAD + b"Content-Length:\r\n\r\n{}",
    "length with a sign": _HEAD + b"Content-Length: +2\r\n\r\n{}",
    "negative length": _HEAD + b"Content-Length: -1\r\n\r\n{}",
    "length in other digits": _HEAD + b"Content-Length: \xb2\r\n\r\n{}",
    "huge length": _HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "two lengths": _HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "unknown coding": _HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n{}",
    "coding twice": _HEAD + b"Transfer-Encoding: chunked\r\n" + _CHUNKED + b"0\r\n\r\n",
    "chunk of no size": _HEAD + _CHUNKED + b"\r\n{}\r\n0\r\n\r\n",
    "chunk of a wrong size": _HEAD + _CHUNKED + b"1\r\n{}\r\n0\r\n\r\n",
    "chunk size that is no number": _HEAD + _CHUNKED + b"ZZ\r\n" + PLANTED + b"\r\n",
    "huge chunk size": _HEAD + _CHUNKED + b"f" * 40 + b"\r\n{}",
    "broken chunk for no tool": _HEAD.replace(b"jira", b"telex") + _CHUNKED + b"ZZ\r\n",
    "broken chunk for no path": b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + _CHUNKED + b"ZZ\r\n",
}
"""What is not HTTP, by what is wrong with it; no client lets one send it."""

ODD: dict[str, bytes] = {
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "length and chunks": _HEAD + b"Content-Length: 3\r\n" + _CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
    "chunk extension": _HEAD + _CHUNKED + b"2;" + b"x" * 20_000 + b"\r\n{}\r\n0\r\n\r\n",
    "trailers": _HEAD + _CHUNKED + b"2\r\n{}\r\n0\r\nX-Hub-Signature: a\r\n\r\n",
    "body cut off": _HEAD + b'Content-Length: 1000\r\n\r\n{"ticket_id": "' + PLANTED,
    "head cut off": _HEAD,
    "garbage behind": _HEAD + b"Content-Length: 2\r\n\r\n{}" + PLANTED * 100,
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n" + PLANTED,
    "bare line feeds": _HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n{}",
}
"""What is HTTP in the letter, and what stops in the middle."""


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Bytes on a connection: a few requests one behind the other, with bytes exchanged, cut out or put in."""
    call = odd_calls().map(lambda call: call.wire)
    parts = st.lists(
        call | st.sampled_from((*BROKEN.values(), *ODD.values())) | st.binary(max_size=50), min_size=1, max_size=4
    )
    stream = b"".join(draw(parts))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, min(len(stream), 2000)))
        odd = draw(st.sampled_from((b"", b"\r\n", b"\n", b"\x00", b"\xff", b":", b" ", b"\r\n\r\n", b"HTTP/1.1")))
        stream = stream[:at] + odd + stream[at + draw(st.integers(0, 3)) :]
    return Raw(stream)
