"""The class itself, and how tenants are connected."""

import inspect
import re
from typing import ClassVar

import pytest
from pydantic import SecretStr

from plugins.base import TicketingToolPlugin
from plugins.conformance.harness import ANOTHER_TENANT, CALLS, TENANT, Harness, Outcome
from plugins.conformance.promising import presume, promise, require
from plugins.exceptions import AuthenticationError, ConfigurationError
from plugins.fields import secret_fields

METHODS = {
    "validate_webhook": ("payload", "signature"),
    "get_ticket": ("tenant_id", "ticket_id"),
    "update_ticket": ("tenant_id", "ticket_id", "content"),
    "extract_metadata": ("payload",),
}
"""The interface reference's four, and what they take."""
_TOOL_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_SECRET_NAME = re.compile(r"(?:^|_)(?:secret|token|password|key)$")
_UNUSABLE = {"not": "what anybody expects here"}


class ConstructionPromises:
    """The class and its connection model."""

    plugin: ClassVar[type[TicketingToolPlugin]]

    @promise("The class is made with (tenants, http) and has the contract's four methods.")
    async def test_class(self, harness: Harness) -> None:
        made = self.plugin(harness.tenants, harness.http)
        require(isinstance(made, TicketingToolPlugin), "a class that does not derive from TicketingToolPlugin")
        for name, takes in METHODS.items():
            method = getattr(self.plugin, name)
            given = tuple(inspect.signature(method).parameters)[1:]
            require(given == takes, f"{name}({', '.join(given)}), not {name}({', '.join(takes)})")
            wanted = name != "extract_metadata"
            require(inspect.iscoroutinefunction(method) is wanted, f"{name} is {'not ' * wanted}a coroutine function")

    @promise("The tool's name fits into an address, and is the one that the pretend tool has.")
    async def test_tool_type(self, harness: Harness) -> None:
        name = self.plugin.__tool_type__
        require(_TOOL_TYPE.fullmatch(name), f"__tool_type__ {name!r}")
        require(name == harness.vendor.tool_type, f"{name!r} here, {harness.vendor.tool_type!r} in the pretend tool")

    @promise("The connection model takes what connects an account.")
    async def test_connection_model(self, harness: Harness) -> None:
        self.plugin.connection_model.model_validate(dict(harness.account.connection))

    @promise("Credentials are SecretStr in the connection model, and are not shown with it.")
    async def test_secret_fields(self, harness: Harness) -> None:
        model = self.plugin.connection_model
        hidden = secret_fields(model)
        require(hidden, "no field of the connection model is a SecretStr")
        bare = [name for name in model.model_fields if _SECRET_NAME.search(name) and name not in hidden]
        require(not bare, f"fields that are no SecretStr: {', '.join(bare)}")
        opened = model.model_validate(dict(harness.account.connection))
        for name in hidden:
            value = getattr(opened, name)
            shown = isinstance(value, SecretStr) and value.get_secret_value() in f"{opened!r} {opened}"
            require(not shown, f"the value of {name} in the repr of the connection")

    @promise("A connection that is empty, or lacks what it needs, is a ConfigurationError, before any request.")
    async def test_incomplete_connection(self, harness: Harness) -> None:
        ticket = harness.ticket()
        whole = dict(harness.account.connection)
        await self._unusable(harness, ticket.id, {}, "nothing")
        for name in whole:
            if self.plugin.connection_model.model_fields[name].is_required():
                await self._unusable(harness, ticket.id, {n: v for n, v in whole.items() if n != name}, name)

    @promise("A field of the connection that is no good is a ConfigurationError that names the field.")
    async def test_wrong_connection(self, harness: Harness) -> None:
        ticket = harness.ticket()
        for name in harness.account.connection:
            await self._unusable(harness, ticket.id, {**harness.account.connection, name: _UNUSABLE}, name)

    async def _unusable(self, harness: Harness, ticket_id: str, connection: dict[str, object], name: str) -> None:
        harness.connect(connection=connection)
        for call in ("get_ticket", "update_ticket"):
            done = await harness.call(call, ticket_id)
            error = done.error
            require(isinstance(error, ConfigurationError), f"{done} from {call}, with {name} missing or unusable")
            require(name in str(error) or name == "nothing", f"an error from {call} that does not name {name}")
            require("anybody expects" not in str(error), f"an error from {call} that quotes the value of {name}")
            harness.check_message(error)
        require(not harness.log(), f"{len(harness.log())} requests with {name} missing or unusable")

    @promise("Credentials that no request can hold are refused, by us or by the vendor, and not quoted.")
    @pytest.mark.parametrize("odd", ["two\r\nlines: x", "pässword\u2713", "\x00\x7f"], ids=ascii)
    async def test_odd_credentials(self, harness: Harness, odd: str) -> None:
        ticket = harness.ticket()
        for name in secret_fields(self.plugin.connection_model) & harness.account.connection.keys():
            given = odd + harness.account.connection[name]
            harness.connect(connection={**harness.account.connection, name: given})
            for call in ("get_ticket", "update_ticket"):
                done = await harness.call(call, ticket.id)
                refused = isinstance(done.error, ConfigurationError | AuthenticationError)
                require(refused, f"{done} from {call}, with an odd {name}")
                require(given not in str(done.error), f"an error from {call} that quotes {name}")

    @promise("A tenant that is unknown, or another tool's, is a ConfigurationError, before any request.")
    async def test_foreign_tenants(self, harness: Harness) -> None:
        ticket = harness.ticket()
        harness.connect("elsewhere", tool="another_tool")
        for tenant_id in ("nobody", "elsewhere"):
            for call in CALLS:
                done = await harness.call(call, ticket.id, tenant_id)
                cannot_look = call == "has_note" and done == Outcome(None)
                fine = cannot_look or isinstance(done.error, ConfigurationError)
                require(fine, f"{done} from {call} for tenant {tenant_id}")
        require(not harness.log(), f"{len(harness.log())} requests")

    @promise("Each tenant is called for with its own credentials, and with nothing else that tells them apart.")
    async def test_tenants_apart(self, harness: Harness) -> None:
        other = harness.new_account()
        harness.connect(ANOTHER_TENANT, connection=other.connection)
        ticket = harness.ticket()
        accounts = {TENANT: harness.account.id, ANOTHER_TENANT: other.id}
        for tenant_id in (TENANT, ANOTHER_TENANT, TENANT, ANOTHER_TENANT):
            for call in CALLS:
                harness.calm()
                done = await harness.call(call, ticket.id, tenant_id)
                presume(done.error is None, f"{call} fails with nothing wrong")
                used = {entry.account for entry in harness.log() if entry.operation != "token"}
                require(used <= {accounts[tenant_id]}, f"another tenant's account in {call}")
                require(not any(entry.cookies for entry in harness.log()), f"cookies were sent back by {call}")
