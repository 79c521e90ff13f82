"""Broken in the class itself, in how tenants are connected, and in what a check says."""

from typing import Any

import httpx
from pydantic import BaseModel, SecretStr

from plugins.exceptions import ConfigurationError
from plugins.fields import Address
from plugins.tenants import TenantConfig
from plugins.types import ConnectionReport, Finding
from tests.plugins.conformance.acme import AcmeConnection, AcmePlugin
from tests.plugins.conformance.broken.registry import breaks


@breaks("The class is made with (tenants, http) and has the contract's four methods.")
class OtherNames(AcmePlugin):
    async def get_ticket(self, tenant: str, ticket: str) -> dict[str, Any] | None:
        return await super().get_ticket(tenant, ticket)


@breaks("The tool's name fits into an address, and is the one that the pretend tool has.")
class OddName(AcmePlugin):
    __tool_type__ = "Acme Desk"


class AskingForMore(BaseModel):
    base_url: Address
    api_token: SecretStr
    region: str


@breaks("The connection model takes what connects an account.")
class AsksForMore(AcmePlugin):
    connection_model = AskingForMore  # type: ignore[assignment]


class BareConnection(BaseModel):
    base_url: Address
    api_token: str


@breaks("Credentials are SecretStr in the connection model, and are not shown with it.")
class BareCredentials(AcmePlugin):
    connection_model = BareConnection  # type: ignore[assignment]


@breaks("A connection that is empty, or lacks what it needs, is a ConfigurationError, before any request.")
class PydanticsOwnError(AcmePlugin):
    async def connection(self, tenant_id: str, model: Any) -> Any:
        return model.model_validate(await (await self.tenant(tenant_id)).connection())


@breaks("A field of the connection that is no good is a ConfigurationError that names the field.")
class NamesNoField(AcmePlugin):
    async def connection(self, tenant_id: str, model: Any) -> Any:
        try:
            return await super().connection(tenant_id, model)
        except ConfigurationError:
            raise ConfigurationError("the connection is wrong") from None


class LooseConnection(BaseModel):
    base_url: Address
    api_token: SecretStr


@breaks("Credentials that no request can hold are refused, by us or by the vendor, and not quoted.")
class AsksByItself(AcmePlugin):
    connection_model = LooseConnection  # type: ignore[assignment]

    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        connection = await self.connection(tenant_id, LooseConnection)
        headers = {"Authorization": f"Bearer {connection.api_token.get_secret_value()}"}
        return await self.http.request(method, f"{connection.base_url}/api/tickets/{path}", headers=headers)


@breaks("A tenant that is unknown, or another tool's, is a ConfigurationError, before any request.")
class AnybodysTenant(AcmePlugin):
    async def tenant(self, tenant_id: str) -> TenantConfig:
        config = await self.tenants.get(tenant_id)
        return config or await super().tenant(tenant_id)


@breaks("Each tenant is called for with its own credentials, and with nothing else that tells them apart.")
class OneConnectionForAll(AcmePlugin):
    first: AcmeConnection | None = None

    async def connection(self, tenant_id: str, model: Any) -> Any:
        self.first = self.first or await super().connection(tenant_id, model)
        return self.first


@breaks("Each tenant is called for with its own credentials, and with nothing else that tells them apart.")
class KeepsCookies(AcmePlugin):
    jar: str = ""

    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        self.http.headers["Cookie"] = self.jar
        response = await super().ask(tenant_id, method, path, **more)
        self.jar = response.headers.get("Set-Cookie", "").partition(";")[0]
        return response


@breaks(
    "Credentials that the vendor refuses are found, with words and what to do about it.",
    "A tool that cannot be reached is found, with words and what to do about it.",
    "An account that may do nothing is found, with words and what to do about it.",
)
class FindsNoFault(AcmePlugin):
    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        return ConnectionReport(findings=(Finding(ok=True, what="fine"),))


@breaks("A connection that works is found to work.")
class FindsFault(AcmePlugin):
    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        return ConnectionReport(findings=(Finding(ok=False, what="odd", mend="try again"),))


@breaks("A check reports: whatever the vendor answers, it raises nothing, and waits for nothing.")
class RaisesFromItsCheck(AcmePlugin):
    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        await self.get_ticket(tenant_id, "1")
        return ConnectionReport(findings=(Finding(ok=True, what="fine"),))


@breaks("A check writes nothing that a requester or technician sees.")
class WritesToCheck(AcmePlugin):
    async def check_connection(self, tenant_id: str) -> ConnectionReport:
        await self.post_note(tenant_id, "1", "test, please ignore")
        return ConnectionReport(findings=(Finding(ok=True, what="fine"),))
