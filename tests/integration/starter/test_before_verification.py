"""Nothing of a body but `tenant_id` is read before its signature holds, and nothing at all if it does not.

A payload in this file notes which of its fields are asked for. `{**body}` copies without asking, and is no reading.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plugins.payload
import starter.admission
from deskhand.runs.order import Order, Taken
from deskhand.settings import Settings
from plugins.base import TicketingToolPlugin
from plugins.conformance.tenants import MemoryTenants
from plugins.payload import WebhookPayload, parse_body
from plugins.registry import load_plugins
from plugins.types import TenantSettings
from starter.app import create_app
from tests.support.any_body import raw_bodies
from tests.support.any_delivery import Sender, forged
from tests.support.raw_http import JSON_TYPE, Headers
from tests.support.signed_tool import TOOL, SignedTool

CLASSES: dict[str, type[TicketingToolPlugin]] = {**load_plugins().classes, TOOL: SignedTool}
SENDERS = (
    *(
        Sender("jira", "acme", None, "s-1"),
        Sender("jira", "acme", "header", "s-2"),
        Sender("zendesk", "acme", None, "s-3"),
    ),
    *(Sender("servicedesk_plus", "acme", scheme, f"s-{scheme}") for scheme in (None, "basic", "hmac")),
    Sender(TOOL, "acme", None, "s-5"),
)
READERS = ("event_kind", "extract_metadata", "resolved_version")
EVERYTHING = "(everything)"

T = TypeVar("T")


@dataclass
class Seen:
    """What was read of one delivery."""

    verified: bool = False
    before: set[str] = field(default_factory=set)
    """Fields asked for before the signature held."""
    readers: list[str] = field(default_factory=list)
    """Which of the plugin's methods that read a body were called."""
    runs: list[str] = field(default_factory=list)

    def note(self, name: object) -> None:
        """A field is asked for."""
        if not self.verified:
            self.before.add(str(name))


def _watched(base: type[Any], seen: Seen) -> type[Any]:
    """A dict class that notes what is asked of it."""

    class Watched(base):  # type: ignore[misc]  # whichever it is
        def __getitem__(self, name: str) -> Any:
            seen.note(name)
            return super().__getitem__(name)

        def __contains__(self, name: object) -> bool:
            seen.note(name)
            return bool(super().__contains__(name))

        def get(self, name: str, default: Any = None) -> Any:
            seen.note(name)
            return super().get(name, default)

        def pop(self, name: str, *default: Any) -> Any:
            seen.note(name)
            return super().pop(name, *default)

        def items(self) -> Any:
            seen.note(EVERYTHING)
            return super().items()

        def values(self) -> Any:
            seen.note(EVERYTHING)
            return super().values()

        def keys(self) -> Any:
            seen.note(EVERYTHING)
            return super().keys()

        def __eq__(self, other: object) -> bool:
            seen.note(EVERYTHING)
            return bool(super().__eq__(other))

    return Watched


def _noted(seen: Seen, name: str, read: Callable[[dict[str, Any]], T]) -> Callable[[dict[str, Any]], T]:
    def noted(payload: dict[str, Any]) -> T:
        seen.readers.append(name)
        return read(payload)

    return noted


@dataclass(frozen=True)
class Runs:
    """Takes every order."""

    seen: Seen

    async def start(self, order: Order) -> Taken:
        """See `RunStarter.start`."""
        self.seen.runs.append(order.run)
        return Taken.STARTED

    async def check(self) -> None:
        """It could."""


async def _deliver(
    kind: type[TicketingToolPlugin], sender: Sender, raw: bytes, headers: Headers, target: bytes | None = None
) -> tuple[int, Seen]:
    """Bring a delivery to a starter that is watched; the status, and what was read."""
    seen = Seen()
    tenants = MemoryTenants()
    configured = TenantSettings(signature_scheme=sender.scheme, own_account_id="own")
    tenants.add(sender.tenant_id, sender.tool, secrets=(sender.secret,), settings=configured)
    with pytest.MonkeyPatch.context() as patch:
        async with httpx.AsyncClient(transport=httpx.MockTransport(_unreachable)) as vendor:
            plugin = kind(tenants, vendor)
            validate = plugin.validate_webhook

            async def validated(payload: dict[str, Any], signature: str) -> bool:
                verdict = await validate(payload, signature)
                seen.verified = verdict is True
                return verdict

            patch.setattr(plugin, "validate_webhook", validated)
            for name in READERS:
                patch.setattr(plugin, name, _noted(seen, name, getattr(plugin, name)))
            body_kind = _watched(dict, seen)
            patch.setattr(starter.admission, "parse_body", lambda raw: body_kind(parse_body(raw)))
            patch.setattr(plugins.payload, "WebhookPayload", _watched(WebhookPayload, seen))
            app = create_app({sender.tool: plugin}, tenants, Runs(seen), Settings(), refusal_seconds=0.0)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://starter") as http:
                url = (target or sender.target).decode()
                answer = await http.post(url, content=bytes(raw), headers=list(JSON_TYPE + headers))
    return answer.status_code, seen


def _unreachable(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"the door asked {request.url}")


@settings(max_examples=300, derandomize=True, deadline=None)
@given(forged(SENDERS), st.booleans())
async def test_nothing_but_the_tenant_of_a_forgery_is_ever_read(
    forgery: tuple[Sender, bytes, Headers], named: bool
) -> None:
    sender, raw, headers = forgery
    target = sender.target if named else sender.target.rpartition(b"/")[0]
    status, seen = await _deliver(CLASSES[sender.tool], sender, raw, headers, target)
    assert status in (400, 401)
    assert seen.before <= {"tenant_id"}
    assert not seen.verified
    assert seen.readers == []
    assert seen.runs == []


REAL = tuple(sender for sender in SENDERS if sender.tool != TOOL)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.sampled_from(REAL).flatmap(lambda sender: st.tuples(st.just(sender), raw_bodies(sender.tool))))
async def test_of_an_authentic_delivery_the_tenant_alone_is_read_before_its_signature_holds(
    delivery: tuple[Sender, bytes],
) -> None:
    sender, raw = delivery
    status, seen = await _deliver(CLASSES[sender.tool], sender, raw, sender.signed(raw))
    assert status in (200, 202, 400, 401, 422)
    assert seen.before <= {"tenant_id"}
    assert seen.verified == (status in (200, 202, 422)), "400 and 401 are said before"
    assert seen.readers[:1] == (["event_kind"] if seen.verified else [])
    assert len(seen.runs) == (status == 202)


class CuriousTool(SignedTool):
    """A plugin that looks at what happened before it knows who says so."""

    async def validate_webhook(self, payload: dict[str, Any], signature: str) -> bool:
        """True to its name."""
        return payload.get("event") != "other" and await super().validate_webhook(payload, signature)


async def test_a_plugin_that_reads_more_is_seen() -> None:
    raw = b'{"ticket_id": "1", "event": "other"}'
    status, seen = await _deliver(CuriousTool, SENDERS[-1], raw, SENDERS[-1].signed(raw))
    assert status == 401
    assert seen.before == {"tenant_id", "event"}
