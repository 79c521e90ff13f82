"""Who may do what in the pretend Zendesk: users with roles, and the scopes of OAuth tokens."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

Right = Literal["tickets:read", "tickets:write", "users:read", "search:read"]
"""What a scope may allow. None of the narrower scopes is about searching: that takes `read`, as far as is known."""

TOKEN_SECONDS = 1800
SHORTEST_TOKEN, LONGEST_TOKEN = 300, 172_800

_ROLE_TYPES = {"admin": 4, "agent": None, "custom": 0, "light_agent": 1, "end_user": None}
_UNKNOWN_CLIENT = (
    "Client authentication failed due to unknown client, no client authentication included, or unsupported "
    "authentication method."
)


class ZendeskAccount(BaseModel):
    """A user, and how it signs in: with an API token, or through a confidential OAuth client of its own."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    auth: Literal["api_token", "oauth"] = "api_token"
    email: str = Field(default="deskhand@acme.example", min_length=3)
    api_token: str = Field(default_factory=lambda: secrets.token_urlsafe(18), min_length=1)
    client_id: str = Field(default_factory=lambda: f"deskhand_{secrets.token_hex(4)}", min_length=1)
    client_secret: str = Field(default_factory=lambda: secrets.token_hex(32), min_length=1)
    allowed_scopes: str = "read write tickets:read tickets:write users:read"
    """What the OAuth client may ask for."""
    role: Literal["admin", "agent", "custom", "light_agent", "end_user"] = "agent"

    @property
    def credential(self) -> str:
        """What requests of this account show in the end."""
        if self.auth == "oauth":
            return f"client {self.client_id}:{self.client_secret}"
        return f"basic {self.email}/token:{self.api_token}"

    def connection(self, origin: str) -> dict[str, Any]:
        """The fields of the plugin's connection."""
        names = ("client_id", "client_secret") if self.auth == "oauth" else ("email", "api_token")
        return {"base_url": origin, **self.model_dump(include=set(names))}

    def may(self, right: Right, scope: str) -> bool:
        """Whether the account may do this with these scopes."""
        granted = scope.split()
        if right not in granted and right.partition(":")[2] not in granted:
            return False
        return right == "users:read" or self.role != "end_user"

    def user(self, number: str) -> dict[str, Any]:
        """What `users/me` says."""
        agent = self.role in ("agent", "custom", "light_agent")
        return {
            "id": int(number),
            "name": "Deskhand",
            "email": self.email,
            "active": True,
            "role": "agent" if agent else self.role.replace("_", "-"),
            "role_type": _ROLE_TYPES[self.role],
            "only_private_comments": self.role == "light_agent",
            "ticket_restriction": "requested" if self.role == "end_user" else None,
        }


ALL_SCOPES = " ".join(get_args(Right))
"""What an API token may do: whatever its user may."""

ANONYMOUS = {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}
"""The user that a stranger is."""


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A checked request for an access token."""

    credential: str
    scope: str
    seconds: int


def token_request(body: Mapping[str, Any]) -> TokenRequest | Response:
    """What a body asks for, or Zendesk's refusal of it (RFC 6749, section 5.2). The client is not yet looked at."""
    if body.get("grant_type") != "client_credentials":
        return oauth_error(400, "unsupported_grant_type", "The authorization grant type is not supported.")
    client, secret, scope = body.get("client_id"), body.get("client_secret"), body.get("scope", "read")
    if not isinstance(client, str) or not isinstance(secret, str):
        return oauth_error(401, "invalid_client", _UNKNOWN_CLIENT)
    seconds = body.get("expires_in", TOKEN_SECONDS)
    if type(seconds) is not int or not SHORTEST_TOKEN <= seconds <= LONGEST_TOKEN:
        return oauth_error(400, "invalid_request", "expires_in must be between 300 and 172800 seconds.")
    if not isinstance(scope, str):
        return oauth_error(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed.")
    return TokenRequest(f"client {client}:{secret}", scope, seconds)


def unknown_client() -> Response:
    """The refusal of a client that there is not, or whose secret is another."""
    return oauth_error(401, "invalid_client", _UNKNOWN_CLIENT)


def oauth_error(status: int, error: str, words: str) -> Response:
    """A refusal in OAuth's shape."""
    return JSONResponse({"error": error, "error_description": words}, status_code=status)
