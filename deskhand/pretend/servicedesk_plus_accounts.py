"""Who may call a pretend ServiceDesk Plus, and how each edition's plugin connects."""

import secrets
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Edition = Literal["on_premises", "on_premises_portal", "cloud"]


def _random() -> str:
    return secrets.token_urlsafe(18)


class ServiceDeskPlusAccount(BaseModel):
    """A technician: with an API key, or in Cloud with a client and a refresh token of Zoho's."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    edition: Edition = "on_premises"
    api_key: str = Field(default_factory=_random, min_length=1)
    client_id: str = Field(default_factory=lambda: f"1000.{secrets.token_hex(15).upper()}")
    client_secret: str = Field(default_factory=_random)
    refresh_token: str = Field(default_factory=lambda: f"1000.{secrets.token_hex(16)}.{secrets.token_hex(16)}")
    portal: str = "itdesk"
    """Not of the edition `on_premises`, which has none in its address."""
    resource_path: str = "requests"
    """`tickets` is the interface reference's path: an installation behind a proxy that calls them so."""
    may_read: bool = True
    may_write: bool = True

    @property
    def root(self) -> str:
        """The path of this technician's requests."""
        portal = "" if self.edition == "on_premises" else f"/app/{self.portal}"
        return f"{portal}/api/v3/{self.resource_path}"

    @property
    def credential(self) -> str:
        """The API key; in Cloud, what an access token is given out for."""
        if self.edition == "cloud":
            return zoho_credential(self.client_id, self.client_secret, self.refresh_token)
        return key_credential(self.api_key)

    def connection(self, origin: str) -> dict[str, Any]:
        """The address of the account's edition, with its credentials."""
        base = origin + self.root.partition("/api/v3")[0]
        resource = {} if self.resource_path == "requests" else {"resource_path": self.resource_path}
        if self.edition == "cloud":
            oauth = self.model_dump(include={"client_id", "client_secret", "refresh_token"})
            return {"base_url": base, **oauth, "accounts_url": origin, **resource}
        return {"base_url": base, "api_key": self.api_key, **resource}


def key_credential(api_key: str) -> str:
    """What a technician's key stands for."""
    return f"key {api_key}"


def zoho_credential(client_id: str, client_secret: str, refresh_token: str) -> str:
    """What an access token stands for."""
    return f"zoho {client_id} {client_secret} {refresh_token}"
