"""Who is believed: signatures, secrets and when they count."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from plugins.conformance.harness import A_MOMENT, ANOTHER_TENANT, TENANT, Harness, Taken, secret_counting
from plugins.conformance.pretend.model import Delivery, Event
from plugins.conformance.promising import nothing_to_show, promise, require
from plugins.exceptions import ConfigurationError
from plugins.signatures import static_digest

GUESSES = ("", " ", "None", "null", "no-such-tenant", "secret", "changeme")
"""Secrets that somebody would try where none is set; the fifth stands in for one while a refusal is computed."""

WRONG = (
    "",
    " ",
    "garbage",
    "sha256=",
    "sha256=" + "0" * 64,
    "static-sha256=",
    static_digest(""),
    "t=,v1=",
    "Bearer ",
    "Basic Og==",
    "null",
    "\x00",
    "ünïcödé \u2713 \U0001f600",
    "\ud83d",
    "0" * 200_000,
)
"""Signatures that nobody ever makes."""

Span = tuple[datetime | None, datetime | None]
"""From when until when something counts; `None` is unbounded."""

under_each_scheme = pytest.mark.usefixtures("scheme")


class WebhookPromises:
    """`signature_from` and `validate_webhook`, under each signature scheme."""

    @under_each_scheme
    @promise("A true delivery is accepted.")
    async def test_true_delivery(self, harness: Harness, event: Event) -> None:
        ticket = await harness.happen(event)
        for names_tenant in (False, True):
            taken = harness.take(harness.deliver(event, ticket, harness.webhook(names_tenant=names_tenant)))
            told = "with" if names_tenant else "without"
            require(await valid(harness, taken), f"a delivery of the event {event} refused, {told} tenant_id in it")

    @under_each_scheme
    @promise("A signature is judged over the raw bytes, never over JSON that was written again.")
    async def test_raw_bytes(self, harness: Harness) -> None:
        body = json.loads(harness.deliver("created", harness.ticket(subject="Ünlesbar <&> \u2713")).body)
        written = _spellings(body)
        for how, raw in written.items():
            taken = harness.take(harness.deliver("created", harness.ticket(), body=raw))
            require(await valid(harness, taken), f"a delivery refused whose JSON is written {how}")
        if not harness.vendor.covers_body(harness.scheme):
            return
        for how, raw in written.items():
            for signed_how, signed in written.items():
                if raw == signed:
                    continue
                taken = harness.take(harness.deliver("created", harness.ticket(), body=signed), body=raw)
                seen = f"JSON written {how} accepted under the signature of the same written {signed_how}"
                require(not await valid(harness, taken), seen)

    @under_each_scheme
    @promise("A body that was changed is refused.")
    async def test_tampering(self, harness: Harness) -> None:
        if not harness.vendor.covers_body(harness.scheme):
            nothing_to_show("this scheme does not cover the body")
        delivery = harness.deliver("created", harness.ticket())
        body = json.loads(delivery.body)
        changed = {
            "with a space at its end": delivery.body + b" ",
            "with a field more": json.dumps({**body, "more": 1}, ensure_ascii=False).encode(),
            "empty": b"{}",
            "of another ticket": harness.deliver("created", harness.ticket()).body,
        }
        for how, raw in changed.items():
            require(not await valid(harness, harness.take(delivery, body=raw)), f"a body accepted that came {how}")

    @under_each_scheme
    @promise("A wrong signature is refused with False, never with an exception.")
    async def test_wrong_signature(self, harness: Harness) -> None:
        taken = harness.take(harness.deliver("created", harness.ticket()))
        true = taken.signature
        middle = len(true) // 2
        near = (
            true[:-1],
            true[1:],
            f"{true}0",
            f"0{true}",
            f"{true}, {true}",
            _flipped(true, middle),
            _flipped(true, -1),
        )
        for wrong in (*WRONG, *near):
            refused = not await valid(harness, Taken(taken.payload, wrong))
            require(refused, f"a signature accepted that is wrong: {_shape(wrong)}")

    @under_each_scheme
    @promise("A delivery without its headers, or with odd ones, is refused.")
    async def test_missing_headers(self, harness: Harness) -> None:
        delivery = harness.deliver("created", harness.ticket())
        payload = harness.take(delivery).payload
        names = [name.lower() for name in delivery.headers if name.lower() != "content-type"]
        for odd in ("", " ", "x", "ünï", "Basic", "Basic !", "Bearer", "," * 1000):
            signature = harness.plugin.signature_from(dict.fromkeys(names, odd), harness.settings())
            require(isinstance(signature, str), f"signature_from gave {type(signature).__name__}, not text")
            require(not await valid(harness, Taken(payload, signature)), f"headers accepted that all say {odd[:10]!r}")
        none = harness.plugin.signature_from({}, harness.settings())
        require(not await valid(harness, Taken(payload, none)), "a delivery accepted that came without headers")

    @under_each_scheme
    @promise("A secret that is itself sent never becomes the signature argument.")
    async def test_static_secret(self, harness: Harness) -> None:
        taken = harness.take(harness.deliver("created", harness.ticket()))
        require(harness.secret not in taken.signature, "the secret in the signature argument, which every run records")

    @under_each_scheme
    @promise("Another secret than the tenant's is refused.")
    async def test_another_secret(self, harness: Harness) -> None:
        ticket = harness.ticket()
        for other in (f"{harness.secret}x", harness.secret[:-1], harness.secret.upper(), *GUESSES):
            taken = harness.take(harness.deliver("created", ticket, harness.webhook(other)))
            require(not await valid(harness, taken), "a delivery accepted that was signed with another secret")

    @under_each_scheme
    @promise("Where no secret is set, every delivery is refused.")
    async def test_missing_secret(self, harness: Harness) -> None:
        ticket = harness.ticket()
        harness.connect(secrets=())
        for secret in (harness.secret, *GUESSES):
            taken = harness.take(harness.deliver("created", ticket, harness.webhook(secret)))
            require(not await valid(harness, taken), "a delivery accepted for a tenant that has no secret")
        for wrong in WRONG:
            refused = not await valid(harness, Taken(taken.payload, wrong))
            require(refused, f"a signature accepted for a tenant that has no secret: {_shape(wrong)}")

    @under_each_scheme
    @promise("One tenant's secret is never another's.")
    async def test_another_tenants_secret(self, harness: Harness) -> None:
        theirs = f"{harness.secret}-theirs"
        harness.connect(ANOTHER_TENANT, secrets=(theirs,))
        ticket = harness.ticket()
        for secret, owner in ((harness.secret, TENANT), (theirs, ANOTHER_TENANT)):
            delivery = harness.deliver("created", ticket, harness.webhook(secret))
            for tenant_id in (TENANT, ANOTHER_TENANT):
                accepted = await valid(harness, harness.take(delivery, tenant_id=tenant_id))
                right = owner == tenant_id
                what = "its own" if right else "the other's"
                require(accepted is right, f"a tenant's delivery {_verdict(accepted)} that has {what} secret")

    @under_each_scheme
    @promise("A delivery for a tenant that is unknown, or another tool's, is refused.")
    async def test_foreign_tenant(self, harness: Harness) -> None:
        delivery = harness.deliver("created", harness.ticket())
        harness.connect("elsewhere", tool="another_tool")
        for tenant_id in ("nobody", "elsewhere"):
            taken = harness.take(delivery, tenant_id=tenant_id)
            require(not await valid(harness, taken), f"a delivery accepted for the tenant {tenant_id}")

    @under_each_scheme
    @promise("A tenant's deliveries are accepted while it is active, as of when they were received.")
    async def test_inactive_tenant(self, harness: Harness) -> None:
        delivery = harness.deliver("created", harness.ticket())
        await self._counts_until(harness, delivery, "the tenant", lambda span: harness.connect(**_active(span)))

    @under_each_scheme
    @promise("While secrets are changed both count, each as of when a delivery was received.")
    async def test_rotation(self, harness: Harness) -> None:
        ticket = harness.ticket()
        old, new = harness.secret, f"{harness.secret}-new"
        harness.connect(secrets=(old, new))
        for secret in (old, new):
            taken = harness.take(harness.deliver("created", ticket, harness.webhook(secret)))
            require(await valid(harness, taken), "one of two secrets refused")
        delivery = harness.deliver("created", ticket)
        await self._counts_until(
            harness,
            delivery,
            "the secret",
            lambda span: harness.connect(secrets=(secret_counting(old, since=span[0], until=span[1]), new)),
        )

    async def _counts_until(
        self, harness: Harness, delivery: Delivery, what: str, connect: Callable[[Span], None]
    ) -> None:
        present = datetime.now(UTC)
        past, future = present - A_MOMENT, present + A_MOMENT
        cases: tuple[tuple[Span, datetime, bool, str], ...] = (
            ((None, past), present, False, "had ended before it was received"),
            ((None, past), past - A_MOMENT, True, "ended only after it was received"),
            ((future, None), present, False, "had not begun when it was received"),
            ((past, None), present, True, "had begun before it was received"),
        )
        for span, received_at, right, when in cases:
            connect(span)
            accepted = await valid(harness, harness.take(delivery, received_at=received_at))
            require(accepted is right, f"a delivery {_verdict(accepted)}, though {what} {when}")

    @under_each_scheme
    @promise("A payload that has lost its bytes, or makes no sense, is judged and nothing else.")
    async def test_plain_payload(self, harness: Harness) -> None:
        taken = harness.take(harness.deliver("created", harness.ticket()))
        odd: list[dict[str, Any]] = [dict(taken.payload), {}]
        names: tuple[Any, ...] = (None, 5, "", [], {}, "a b", "x" * 300, "../acme")
        odd += [{**taken.payload, "tenant_id": name} for name in names]
        for payload in odd:
            verdict = await harness.plugin.validate_webhook(payload, taken.signature)
            require(isinstance(verdict, bool), f"a {type(verdict).__name__}, not a bool")
            known = payload.get("tenant_id") == TENANT
            require(known or not verdict, "a payload accepted that names no tenant there is")

    @promise("A signature scheme that the plugin does not have is refused.")
    async def test_unknown_scheme(self, harness: Harness) -> None:
        if not harness.plugin_class.signature_schemes:
            nothing_to_show("the plugin has only one signature scheme")
        settings = harness.settings(signature_scheme="no-such-scheme")
        harness.connect(settings=settings)
        for known in (None, *sorted(harness.plugin_class.signature_schemes)):
            harness.scheme = known
            delivery = harness.deliver("created", harness.ticket())
            try:
                accepted = await valid(harness, harness.take(delivery, settings=settings))
            except ConfigurationError:
                continue
            require(not accepted, "a delivery accepted under a scheme that the plugin does not have")

    @promise("Of several signature schemes only the one that is set is accepted.")
    async def test_other_scheme(self, harness: Harness) -> None:
        schemes = sorted(harness.plugin_class.signature_schemes)
        if len(schemes) < 2:
            nothing_to_show("the plugin has only one signature scheme")
        ticket = harness.ticket()
        for wanted in schemes:
            harness.connect(settings=harness.settings(signature_scheme=wanted))
            for used in schemes:
                harness.scheme = used
                delivery = harness.deliver("created", ticket)
                accepted = await valid(
                    harness, harness.take(delivery, settings=harness.settings(signature_scheme=wanted))
                )
                seen = f"a delivery {_verdict(accepted)} that was signed by the scheme {used}, where {wanted} is set"
                require(accepted is (used == wanted), seen)


async def valid(harness: Harness, taken: Taken) -> bool:
    """What `validate_webhook` says; whatever it says that is no bool breaks the promise."""
    verdict = await harness.plugin.validate_webhook(taken.payload, taken.signature)
    require(isinstance(verdict, bool), f"validate_webhook gave {type(verdict).__name__}, not a bool")
    return verdict


def _spellings(body: dict[str, Any]) -> dict[str, bytes]:
    """The same JSON, written differently."""
    turned = dict(reversed(body.items()))
    return {
        "compactly": json.dumps(body, separators=(",", ":")).encode(),
        "with its letters as they are": json.dumps(body, ensure_ascii=False).encode(),
        "over several lines": json.dumps(body, indent=2, ensure_ascii=False).encode(),
        "in another order": json.dumps(turned, ensure_ascii=False).encode(),
        "with a line end behind it": json.dumps(body, ensure_ascii=False).encode() + b"\r\n",
    }


def _active(span: Span) -> dict[str, Any]:
    since, until = span
    given = {"active_from": since, "active_until": until}
    return {name: moment for name, moment in given.items() if moment is not None}


def _flipped(text: str, index: int) -> str:
    characters = list(text or "x")
    characters[index] = "A" if characters[index] != "A" else "B"
    return "".join(characters)


def _verdict(accepted: bool) -> str:
    return "accepted" if accepted else "refused"


def _shape(wrong: str) -> str:
    return f"{len(wrong)} characters, {wrong[:6]!a}…" if wrong else "the empty one"
