"""One plugin, connected to one pretend tool: what the suite's tests drive and look at."""

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final, TypeVar

import httpx
from pydantic import SecretStr

from plugins.base import TicketingToolPlugin
from plugins.conformance.pretend.faults import Fault
from plugins.conformance.pretend.model import Delivery, Event, LogEntry, PretendNote, PretendTicket, Webhook, now
from plugins.conformance.pretend.serving import Host, serve
from plugins.conformance.pretend.vendor import Account, PretendVendor
from plugins.conformance.promising import presume, require
from plugins.conformance.tenants import MemoryTenants
from plugins.conformance.watching import WatchedFaults, WatchedTransport, watched_for_waits
from plugins.exceptions import MAX_MESSAGE, APIError, PluginError
from plugins.fields import secret_fields
from plugins.payload import WebhookPayload, rebuild
from plugins.tenants import WebhookSecret
from plugins.types import TenantSettings

T = TypeVar("T")

TENANT: Final = "acme"
ANOTHER_TENANT: Final = "globex"

CALLS: Final = ("get_ticket", "update_ticket", "has_note")
"""What is asked of the vendor on behalf of a tenant."""

SUBJECT = "The qorvex gateway drops"
DESCRIPTION = "Every ten minutes the zalmtor blinks."
NOTE_WORD = "brimfold"
CONTENT_WORDS = ("qorvex", "zalmtor", NOTE_WORD)
"""Words that a ticket or a note of the suite holds, and that no error may."""

OK = 200
TIMEOUT = 20.0
"""Seconds for one answer of the pretend tool. Only a backstop: time-outs that are wanted come at once."""
_SHORTEST_SECRET = 6
"""Characters. Shorter values, such as a password of `X` that only fills a field, are no secrets."""


class Stage:
    """The event loop and the server that the tests of one class share."""

    def __init__(self) -> None:
        # With a factory of its own the runner leaves the thread's current loop alone: it may be somebody else's.
        self.runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._stack = AsyncExitStack()
        self.host = self.runner.run(self._stack.enter_async_context(serve(Host)))
        self.tls = httpx.create_ssl_context(trust_env=False)
        self.known: dict[Any, Any] = {}
        """What tests found out that others need not find out again."""

    def close(self) -> None:
        """Stop the server."""
        self.runner.run(self._stack.aclose())
        self.runner.close()


@dataclass(frozen=True, slots=True)
class Taken:
    """A delivery as the door takes it: the arguments of `validate_webhook`."""

    payload: WebhookPayload
    signature: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call: a value, or a `PluginError`."""

    value: Any = None
    error: PluginError | None = None

    def __str__(self) -> str:
        if self.error is not None:
            return f"{type(self.error).__name__}: {self.error}"
        return f"the result {self.value if isinstance(self.value, bool | None) else type(self.value).__name__}"


class Harness:
    """A plugin and a pretend tool with one account, a tenant that connects as it, and a webhook with a secret."""

    def __init__(
        self,
        stage: Stage,
        plugin: type[TicketingToolPlugin],
        pretend: type[PretendVendor],
        *,
        edition: str,
        scheme: str | None = None,
    ) -> None:
        self.stage = stage
        self.edition = edition
        self.scheme = scheme
        self.vendor = stage.host.vendor = pretend(stage.host.origin)
        self.faults = self.vendor.faults = WatchedFaults()
        self.account = self.new_account()
        self.transport = WatchedTransport(httpx.AsyncHTTPTransport(verify=stage.tls), self.faults)
        # As the client that plugins are given in production: no cookies, no redirects, nothing from the environment.
        self.http = httpx.AsyncClient(
            transport=self.transport,
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
            timeout=TIMEOUT,
            headers={"User-Agent": "deskhand", "Accept-Encoding": "identity"},
        )
        self.tenants = MemoryTenants()
        self.plugin_class = plugin
        self.plugin = self.new_plugin()
        self.secret = secrets.token_hex(16)
        """What the tenant's webhooks are signed with."""
        self.waits: list[str] = []
        """Where the plugin would have waited by the clock."""
        self._ticket_fields = pretend.ticket_fields.get(edition, {})
        self._secrets = {self.secret}
        self.connect()

    @property
    def description(self) -> str:
        """Plugin, pretend tool and edition, for a reader of a failure."""
        scheme = f", signature scheme {self.scheme}" if self.scheme else ""
        return f"{self.plugin_class.__name__}, {type(self.vendor).__name__}, edition {self.edition}{scheme}"

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        """Run a test on the stage's loop."""
        self.stage.runner.run(self._watched(test))

    async def _watched(self, test: Coroutine[Any, Any, None]) -> None:
        with watched_for_waits(self.waits):
            await test

    def close(self) -> None:
        """Close the connections."""
        self.stage.runner.run(self.http.aclose())

    # The parties.

    def new_plugin(self) -> TicketingToolPlugin:
        """The plugin as a process makes it: nothing is known of earlier calls."""
        return self.plugin_class(self.tenants, self.http)

    def new_account(self) -> Account:
        """One more account that the pretend tool accepts, of this edition."""
        return self.vendor.add_account(self.vendor.editions[self.edition])

    def refused_connection(self) -> Mapping[str, Any]:
        """What an operator would give for an account that the pretend tool does not know."""
        fields = self.vendor.account_model.model_validate(self.vendor.editions[self.edition]).model_dump()
        return self.vendor.connection(fields)

    @contextmanager
    def connected_to_nothing(self) -> Iterator[None]:
        """Have the tenant's tool be at an address that refuses connections."""
        # Bound and not listening.
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as bound:
            bound.bind(("127.0.0.1", 0))
            elsewhere = type(self.vendor)(f"http://127.0.0.1:{bound.getsockname()[1]}")
            self.connect(connection=elsewhere.add_account(self.vendor.editions[self.edition]).connection)
            yield
        self.connect()

    def settings(self, **changed: Any) -> TenantSettings:
        """The settings of a tenant."""
        return TenantSettings(**{"signature_scheme": self.scheme, **changed})

    def connect(self, tenant_id: str = TENANT, **changed: Any) -> None:
        """Add the tenant, or change it; see `MemoryTenants.add`."""
        given: dict[str, Any] = {
            "connection": self.account.connection,
            "secrets": (self.secret,),
            "settings": self.settings(),
            **changed,
        }
        tool = given.pop("tool", self.plugin.tool_type)
        names = secret_fields(self.plugin_class.connection_model)
        self._secrets.update(str(value) for name, value in given["connection"].items() if name in names)
        self.tenants.add(tenant_id, tool, **given)

    def own_account(self) -> None:
        """Have the tenant's settings say which account is ours."""
        self.connect(settings=self.settings(own_account_id=self.account.id))

    # Tickets.

    def ticket(self, **fields: Any) -> PretendTicket:
        """A new ticket; `fields` are of the pretend tool's `ticket_model`."""
        given = {"subject": SUBJECT, "description": DESCRIPTION, **self._ticket_fields, **fields}
        return self.vendor.add_ticket({"announce": False, **given})

    def id_of_no_ticket(self) -> str:
        """An id such as the pretend tool gives, of a ticket that is not there."""
        fields = self.vendor.ticket_model.model_validate(self._ticket_fields)
        return self.vendor.new_ticket_id(fields.model_dump())

    def chatter(self, ticket: PretendTicket, like: PretendNote, count: int) -> None:
        """Have somebody else add comments to a ticket, each with the text of `like`."""
        author = self.new_account().id
        for _ in range(count):
            number = str(self.vendor.next_number())
            ticket.notes.append(replace(like, id=number, author=author, created_at=now(), extra=dict(like.extra)))

    # Calls.

    async def outcome(self, call: Awaitable[Any]) -> Outcome:
        """What comes of a call. Whatever is raised that is no `PluginError` breaks the promise that is being tested."""
        try:
            return Outcome(value=await call)
        except PluginError as error:
            return Outcome(error=error)

    async def call(self, name: str, ticket_id: str, tenant_id: str = TENANT, *, ref: str | None = None) -> Outcome:
        """What comes of one of `CALLS`; without a `ref`, of a note that nobody has written yet."""
        ref = ref or new_ref()
        plugin = self.plugin
        match name:
            case "get_ticket":
                return await self.outcome(plugin.get_ticket(tenant_id, ticket_id))
            case "update_ticket":
                return await self.outcome(plugin.update_ticket(tenant_id, ticket_id, note(ref)))
            case _:
                return await self.outcome(plugin.has_note(tenant_id, ticket_id, ref))

    def fault(self, operation: str, kind: str, **more: Any) -> None:
        """Switch a fault on until `calm`; see `plugins.conformance.pretend.faults.Fault`."""
        self.faults.add(Fault(operation=operation, kind=kind, **more))  # type: ignore[arg-type]  # the model checks

    def calm(self) -> None:
        """Switch all faults off, and forget what was sent and logged so far."""
        self.faults.clear()
        self.faults.holding.clear()
        self.vendor.log.clear()
        self.transport.sent.clear()
        self.waits.clear()

    def log(self, operation: str | None = None) -> list[LogEntry]:
        """The requests that arrived since `calm`, oldest first."""
        return [entry for entry in self.vendor.log if operation in (None, entry.operation)]

    def repeated(self) -> list[str]:
        """The requests that arrived more than once since `calm`, in words.

        A second request for an access token is none where the first one brought a token: the second renews it.
        """
        answers: dict[str, int | None] = {}
        again = []
        for entry in self.vendor.log:
            renews = entry.operation == "token" and answers.get(entry.digest) == OK
            if entry.digest in answers and not renews:
                again.append(f"{entry.method} {entry.path}")
            answers[entry.digest] = entry.status
        return again

    # Webhooks.

    def webhook(self, secret: str | None = None, *, names_tenant: bool = False) -> Webhook:
        """A webhook for this tenant; with `names_tenant` the body has a `tenant_id`, where that can be."""
        return Webhook(
            url="http://desk.example/webhooks",
            secret=self.secret if secret is None else secret,
            tenant_id=TENANT if names_tenant else None,
            scheme=self.scheme,
        )

    async def happen(self, event: Event) -> PretendTicket:
        """A ticket to which the event has just happened; a note is one of ours."""
        ticket = self.ticket()
        if event == "resolved":
            self.vendor.resolve(ticket, "Changed the filament.")
        if event == "noted":
            done = await self.outcome(self.plugin.update_ticket(TENANT, ticket.id, note(new_ref())))
            presume(done.value is True, "no note can be added")
        return ticket

    def deliver(
        self, event: Event, ticket: PretendTicket, webhook: Webhook | None = None, *, body: bytes | None = None
    ) -> Delivery:
        """The webhook call for an event of a ticket as it is now; `body` is signed in place of the true one."""
        webhook = webhook or self.webhook()
        if body is not None:
            return self.vendor.signed(body, webhook)
        return self.vendor.delivery(event, ticket, webhook)

    def take(
        self,
        delivery: Delivery,
        *,
        tenant_id: str = TENANT,
        received_at: datetime | None = None,
        settings: TenantSettings | None = None,
        body: bytes | None = None,
    ) -> Taken:
        """The delivery as the door takes it; `body` comes in place of the one that was signed."""
        settings = settings or self.settings()
        raw = delivery.body if body is None else body
        payload = rebuild(raw, tenant_id, received_at or datetime.now(UTC), settings)
        headers = {name.lower(): value for name, value in delivery.headers.items()}
        return Taken(payload, self.plugin.signature_from(headers, settings))

    # Judging.

    def credentials(self) -> set[str]:
        """Everything that must not be told: what connects the tenants, and what was sent as a credential."""
        found = set(self._secrets)
        for sent in self.transport.sent:
            for name in (*self.vendor.credential_headers, "authorization"):
                value = sent.headers.get(name, "")
                found.update((value, value.partition(" ")[2]))
        return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}

    def scrubbed(self, text: str) -> str:
        """`text` without what must not be told."""
        for secret in sorted(self.credentials(), key=len, reverse=True):
            text = text.replace(secret, "[credential]")
        return text

    def message_fault(self, error: PluginError) -> str:
        """What is wrong with an error's message; empty where it is as all messages promise to be."""
        name, message = type(error).__name__, str(error)
        if not message.strip():
            return f"{name} without a message"
        if len(message) > MAX_MESSAGE:
            return f"{name} with a message of {len(message)} characters"
        for text in (message, str(error.last_error) if isinstance(error, APIError) else ""):
            if any(credential in text for credential in self.credentials()):
                return f"{name}, whose message holds a credential"
            if any(word in text for word in CONTENT_WORDS):
                return f"{name}, whose message holds ticket content"
        return ""

    def check_message(self, error: PluginError | None) -> None:
        """Hold an error's message, where there is one, to what all messages promise."""
        fault = self.message_fault(error) if error is not None else ""
        require(not fault, fault)


def new_ref() -> str:
    """A reference as a note's footer has it."""
    return f"dh-{secrets.token_hex(6)}"


def note(ref: str, text: str = f"**Likely {NOTE_WORD}:** look at the filament.") -> str:
    """A note in Markdown, its reference in the last block, as Deskhand's writers make them."""
    return f"{text}\n\nref {ref}"


def secret_counting(value: str, *, since: datetime | None = None, until: datetime | None = None) -> WebhookSecret:
    """A webhook secret with the times between which it counts."""
    return WebhookSecret(SecretStr(value), not_before=since, not_after=until)


A_MOMENT: Final = timedelta(seconds=30)
"""Less than any window that vendors' signed timestamps are given."""
