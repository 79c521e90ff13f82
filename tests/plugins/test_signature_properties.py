"""Signatures for any body and secret: what was signed is accepted, and any single change of it is refused."""

import string
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugins.base import TicketingToolPlugin
from plugins.jira import JiraPlugin
from plugins.payload import WebhookPayload
from plugins.servicedesk_plus import ServiceDeskPlusPlugin
from plugins.signatures import hmac_sha256, matches_any, static_digest
from plugins.types import TenantSettings
from plugins.zendesk import ZendeskPlugin
from plugins.zendesk.webhook import StampedSignature
from plugins.zendesk.webhook import sign as sign_zendesk
from tests.support.pretend import MemoryTenants

fixed = settings(derandomize=True, database=None, deadline=None, max_examples=150)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
STAMP = "2026-11-24T12:00:00Z"


@dataclass(frozen=True)
class Way:
    """A tool's way to sign a body."""

    plugin: type[TicketingToolPlugin]
    sign: Callable[[str, bytes], str]
    """From secret and body, the `signature` of `validate_webhook`."""
    scheme: str | None = None


def hex_signature(secret: str, body: bytes) -> str:
    """`sha256=<hex>`, as Jira signs, and a tenant's own script for ServiceDesk Plus."""
    return "sha256=" + hmac_sha256(secret, body).hex()


def stamped_signature(secret: str, body: bytes) -> str:
    """Zendesk's two headers as one value."""
    return str(StampedSignature(STAMP, sign_zendesk(secret, STAMP, body)))


WAYS = {
    "jira": Way(JiraPlugin, hex_signature),
    "servicedesk_plus": Way(ServiceDeskPlusPlugin, hex_signature, scheme="hmac"),
    "zendesk": Way(ZendeskPlugin, stamped_signature),
}

ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)

bodies = st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "ignore"))
characters = st.characters(exclude_categories=["Cs"])
secrets = st.text(characters, min_size=1, max_size=80)


@dataclass(frozen=True)
class Delivery:
    """What is judged: a body and its signature, against a tenant's secret."""

    body: bytes
    signature: str
    secret: str


Judge = Callable[[Way, Delivery], Awaitable[bool]]


@pytest.fixture(scope="module")
async def judge() -> AsyncIterator[Judge]:
    """Whether a plugin of the kind accepts the delivery. The client is never used."""
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(500))) as http:

        async def accepted(way: Way, delivery: Delivery) -> bool:
            tenants = MemoryTenants()
            plugin = way.plugin(tenants, http)
            tenants.add("acme", plugin.tool_type, secrets=(delivery.secret,))
            payload = WebhookPayload(
                {"tenant_id": "acme"},
                raw=delivery.body,
                received_at=NOW,
                settings=TenantSettings(signature_scheme=way.scheme),
            )
            return await plugin.validate_webhook(payload, delivery.signature)

        yield accepted


def signed(way: Way, body: bytes, secret: str) -> Delivery:
    """A true delivery."""
    return Delivery(body, way.sign(secret, body), secret)


@st.composite
def changed_text(draw: st.DrawFn, text: str) -> str:
    """`text` with one character changed, left out, put in, or two exchanged."""
    at = draw(st.integers(0, len(text)))
    change = draw(st.sampled_from(("change", "leave out", "put in", "exchange")))
    new = draw(characters)
    match change:
        case "put in":
            other = text[:at] + new + text[at:]
        case "leave out":
            other = text[:at] + text[at + 1 :]
        case "exchange":
            other = text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]
        case _:
            other = text[:at] + new + text[at + 1 :]
    assume(other != text)
    return other


@st.composite
def changed_bytes(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` with one bit turned, or one byte left out or put in."""
    at = draw(st.integers(0, len(body)))
    change = draw(st.sampled_from(("turn", "leave out", "put in")))
    byte = draw(st.integers(0, 255))
    if change == "put in":
        return body[:at] + bytes([byte]) + body[at:]
    assume(at < len(body))
    if change == "leave out":
        return body[:at] + body[at + 1 :]
    return body[:at] + bytes([body[at] ^ (1 << byte % 8)]) + body[at + 1 :]


@ways
@fixed
@given(body=bodies, secret=secrets)
async def test_what_was_signed_is_accepted(way: Way, judge: Judge, body: bytes, secret: str) -> None:
    assert await judge(way, signed(way, body, secret))


@ways
@fixed
@given(body=bodies, secret=secrets, data=st.data())
async def test_a_changed_body_is_refused(way: Way, judge: Judge, body: bytes, secret: str, data: st.DataObject) -> None:
    other = data.draw(changed_bytes(body))
    assert not await judge(way, replace(signed(way, body, secret), body=other))


@ways
@fixed
@given(body=bodies, secret=secrets, data=st.data())
async def test_a_changed_secret_is_refused(
    way: Way, judge: Judge, body: bytes, secret: str, data: st.DataObject
) -> None:
    other = data.draw(changed_text(secret))
    # HMAC itself fills a key of less than 64 bytes with zeros: secrets that differ in those alone are one.
    assume(other.encode().rstrip(b"\0") != secret.encode().rstrip(b"\0"))
    assert not await judge(way, replace(signed(way, body, secret), secret=other))


@ways
@fixed
@given(body=bodies, secret=secrets, data=st.data())
async def test_a_changed_signature_is_refused(
    way: Way, judge: Judge, body: bytes, secret: str, data: st.DataObject
) -> None:
    delivery = signed(way, body, secret)
    assert not await judge(way, replace(delivery, signature=data.draw(changed_text(delivery.signature))))


@ways
@fixed
@given(
    body=bodies, secret=secrets, signature=st.text(max_size=120) | st.text(string.hexdigits, min_size=64, max_size=64)
)
async def test_a_made_up_signature_is_refused(way: Way, judge: Judge, body: bytes, secret: str, signature: str) -> None:
    for made_up in (signature, f"sha256={signature}", f"t={STAMP},v1={signature}", static_digest(secret)):
        assert not await judge(way, Delivery(body, made_up, secret))


@fixed
@given(body=bodies, secret=secrets, seconds=st.integers(-10_000, 10_000), data=st.data())
async def test_another_timestamp_than_the_signed_one_is_refused(
    judge: Judge, body: bytes, secret: str, seconds: int, data: st.DataObject
) -> None:
    digest = sign_zendesk(secret, STAMP, body)
    moved = (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    same_moment = (
        "2026-11-24T12:00:00+00:00",
        "2026-11-24T12:00:00.000Z",
        "2026-11-24T14:00:00+02:00",
        "1795521600000",
    )
    for other in (moved, *same_moment, data.draw(changed_text(STAMP))):
        if other != STAMP:
            assert not await judge(WAYS["zendesk"], Delivery(body, f"t={other},v1={digest}", secret))


@fixed
@given(body=bodies, secret=secrets, seconds=st.integers(-100_000, 100_000))
async def test_a_signed_timestamp_counts_for_five_minutes(judge: Judge, body: bytes, secret: str, seconds: int) -> None:
    stamp = (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    delivery = Delivery(body, str(StampedSignature(stamp, sign_zendesk(secret, stamp, body))), secret)
    assert await judge(WAYS["zendesk"], delivery) is (abs(seconds) <= 300)


@fixed
@given(secrets, st.data())
def test_the_digest_of_a_static_secret_is_of_that_secret_alone(secret: str, data: st.DataObject) -> None:
    assert matches_any([secret], static_digest, static_digest(secret))
    other = data.draw(changed_text(secret))
    assert not matches_any([secret], static_digest, static_digest(other))
    assert not matches_any([other], static_digest, static_digest(secret))


@fixed
@given(st.lists(secrets, max_size=4, unique_by=lambda secret: secret.rstrip("\0")), st.integers(0, 3), bodies)
def test_any_of_the_accepted_secrets_will_do_and_no_other(accepted: list[str], which: int, body: bytes) -> None:
    for secret in accepted:
        assert matches_any(accepted, lambda key: hex_signature(key, body), hex_signature(secret, body))
    left_out = accepted.pop(which) if which < len(accepted) else "no-such-tenant"
    assert not matches_any(accepted, lambda key: hex_signature(key, body), hex_signature(left_out, body))
