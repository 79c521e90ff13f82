"""Broken in how they ask for access tokens."""

from typing import Any

import httpx

from plugins.exceptions import APIError, OutcomeUnknownError
from plugins.oauth import AccessTokens
from tests.plugins.conformance.acme import AcmeConnection, AcmePlugin
from tests.plugins.conformance.broken.registry import breaks


@breaks(
    "A token is kept between calls.",
    "Calls at once ask for one token.",
    "Credentials refused at the token's address are an AuthenticationError, and are not tried again at once.",
    edition="oauth",
)
class TokenForEachRequest(AcmePlugin):
    async def token(self, tenant_id: str, connection: AcmeConnection, refused: str | None) -> str:
        self.tokens = AccessTokens()
        return await super().token(tenant_id, connection, refused)


@breaks(
    "A token that does not count any more is renewed once, and the request sent once more with the new one.",
    edition="oauth",
)
class NeverRenewed(AcmePlugin):
    async def token(self, tenant_id: str, connection: AcmeConnection, refused: str | None) -> str:
        return await super().token(tenant_id, connection, None)


@breaks("A new token that is refused as well ends the call: nothing is tried a third time.", edition="oauth")
class RenewsAndRenews(AcmePlugin):
    async def ask(self, tenant_id: str, method: str, path: str, **more: Any) -> httpx.Response:
        response = await super().ask(tenant_id, method, path, **more)
        return await super().ask(tenant_id, method, path, **more) if response.status_code == 401 else response


@breaks("A token that could not be had leaves no outcome unknown: nothing was written.", edition="oauth")
class UnknownWithoutToken(AcmePlugin):
    async def token(self, tenant_id: str, connection: AcmeConnection, refused: str | None) -> str:
        try:
            return await super().token(tenant_id, connection, refused)
        except APIError as error:
            raise OutcomeUnknownError("acme gave no token") from error
