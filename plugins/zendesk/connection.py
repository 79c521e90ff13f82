"""What an operator gives to connect a Zendesk tenant."""

from collections.abc import Mapping
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from plugins.fields import Address, HeaderToken

API_TOKENS_END = "30 April 2027"
"""When Zendesk takes API tokens no more. None can be made since 27 October 2026 (its page on the OAuth migration)."""

TOKEN_SECONDS = 1800
"""How long an access token is asked for: Zendesk's own default. It takes 300 to 172,800 (OAuth Tokens for Grant
Types)."""

_CREDENTIALS = (
    "give either client_id and client_secret (an OAuth client), or email and api_token "
    f"(Zendesk ends API tokens on {API_TOKENS_END})"
)
_WAYS = (("client_id", "client_secret"), ("email", "api_token"))


def _bare(address: str) -> str:
    if urlsplit(address).path:
        raise ValueError("must be the bare address, without a path")
    return address


class ZendeskConnection(BaseModel):
    """A Zendesk account, and what notes are written with: an OAuth client, or an agent's API token.

    | credentials | made in Zendesk's Admin Center under Apps and integrations > APIs |
    |---|---|
    | `client_id`, `client_secret` | OAuth clients. The client's kind must be Confidential |
    | `email`, `api_token` | API tokens. None can be made any more, and all end on 30 April 2027 |
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    base_url: Annotated[Address, AfterValidator(_bare)] = Field(
        description="The address of the account, without a path.", examples=["https://acme.zendesk.com"]
    )
    client_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="OAuth: the identifier of a confidential OAuth client. Notes appear under the name of the user "
        "that the client's tokens belong to, who must be an agent; `deskhand plugins check` says who that is.",
        examples=["deskhand"],
    )
    client_secret: HeaderToken | None = Field(
        default=None, description="OAuth: the client's secret. Zendesk shows it only when it is made."
    )
    scope: str = Field(
        default="read write",
        pattern=r"^[a-z_:]+( [a-z_:]+)*$",
        description="OAuth: what access tokens are asked for. `tickets:read tickets:write users:read` is enough for "
        "notes; looking for tickets that no webhook told of is a search, which may need `read`.",
        examples=["read write", "tickets:read tickets:write users:read"],
    )
    email: str | None = Field(
        default=None,
        min_length=3,
        pattern=r"^[^\s:/]+@[^\s:/]+$",
        description="API token: the e-mail address of the agent whose token it is. Notes appear under this agent's "
        "name.",
        examples=["deskhand@acme.example"],
    )
    api_token: HeaderToken | None = Field(
        default=None,
        description="API token: the token itself, without e-mail address or the word token. Zendesk ends API tokens "
        f"on {API_TOKENS_END}.",
    )

    @model_validator(mode="after")
    def _one_way_to_authenticate(self) -> Self:
        begun = [names for names in _WAYS if any(getattr(self, name) is not None for name in names)]
        if not begun:
            raise ValueError(f"client_id, client_secret: are missing; {_CREDENTIALS}")
        if len(begun) > 1:
            given = [name for names in begun for name in names if getattr(self, name) is not None]
            raise ValueError(f"{', '.join(given)}: do not go together; {_CREDENTIALS}")
        for name in begun[0]:
            if getattr(self, name) is None:
                raise ValueError(f"{name}: is missing; {_CREDENTIALS}")
        return self

    @property
    def oauth(self) -> bool:
        """Whether access tokens are used, and not an API token."""
        return self.client_id is not None

    @property
    def basic_auth(self) -> tuple[str, str]:
        """User name and password with an API token: Zendesk wants `/token` after the e-mail address."""
        return f"{self.email}/token", _opened(self.api_token)

    @property
    def token_url(self) -> str:
        """Where access tokens are given out."""
        return f"{self.base_url}/oauth/tokens"

    @property
    def token_credentials(self) -> tuple[str, ...]:
        """What an access token depends on. It holds the secret."""
        return (self.token_url, self.client_id or "", _opened(self.client_secret), self.scope)

    @property
    def token_request(self) -> Mapping[str, Any]:
        """The JSON body that asks for an access token. It holds the secret."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": _opened(self.client_secret),
            "scope": self.scope,
            "expires_in": TOKEN_SECONDS,
        }


def _opened(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
