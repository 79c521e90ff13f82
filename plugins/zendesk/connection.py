"""What an operator gives to connect a Zendesk tenant."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from plugins.fields import Address


def _bare(address: str) -> str:
    if urlsplit(address).path:
        raise ValueError("must be the bare address, without a path")
    return address


class ZendeskConnection(BaseModel):
    """An account that writes the notes, and where it does. Zendesk ends API tokens on 30 April 2027."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)

    base_url: Annotated[Address, AfterValidator(_bare)] = Field(
        description="The address of the account, without a path.", examples=["https://acme.zendesk.com"]
    )
    email: str = Field(
        min_length=3,
        pattern=r"^[^\s:/]+@[^\s:/]+$",
        description="The e-mail address of the agent whose token this is. Notes appear under this agent's name.",
        examples=["deskhand@acme.example"],
    )
    api_token: SecretStr = Field(
        min_length=1, description="The API token itself, without e-mail address or the word token."
    )

    @property
    def basic_auth(self) -> tuple[str, str]:
        """User name and password of Basic authentication: Zendesk wants `/token` after the e-mail address."""
        return f"{self.email}/token", self.api_token.get_secret_value()
